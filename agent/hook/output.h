/*
 * A script's output as log lines: cut to lines, cleaned, bounded in length and
 * number. Pure but for the sink.
 */
#ifndef HOOK_OUTPUT_H
#define HOOK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

enum { OUTPUT_LINE = 240, OUTPUT_LINES = 40 };

struct output {
	void (*sink)(void *arg, const char *line);
	void *arg;
	char line[OUTPUT_LINE];
	size_t len;
	int lines;              /* given to the sink */
	long dropped;           /* lines beyond OUTPUT_LINES */
	char last[OUTPUT_LINE]; /* the last line that was not empty, even if dropped */
};

void output_init(struct output *ret, void (*sink)(void *arg, const char *line), void *arg);
void output_feed(struct output *output, const char *data, size_t len);
/* The last line may have no newline; tells how many were dropped. */
void output_end(struct output *output);

#endif
