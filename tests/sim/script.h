/*
 * The words of a scenario file. Everything that is not as expected ends the
 * program with file, line and reason.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fact.h"
#include "hub.h"
#include "verdict.h"

enum { SCRIPT_WORDS = 16, SCRIPT_LINE = 512, SCRIPT_CONF = 8192 };

struct script {
	const char *name;
	FILE *file;
	unsigned line;
	char raw[SCRIPT_LINE], text[SCRIPT_LINE];
	char *word[SCRIPT_WORDS];
	unsigned words, at;
	char conf[SCRIPT_CONF];
};

__attribute__((format(printf, 2, 3), noreturn)) void script_fail(const struct script *script,
                                                                 const char *format, ...);

void script_open(struct script *script, const char *name);
void script_close(struct script *script);

/* The next line that has words; false at the end. */
bool script_line(struct script *script);

/* The rest of the line, as it is, goes to script->conf. */
void script_conf(struct script *script);

bool script_more(const struct script *script);
const char *script_peek(const struct script *script);
const char *script_next(struct script *script);
const char *script_optional(struct script *script); /* "" at the end of the line */
void script_word(struct script *script, const char *word);

int64_t script_number(const struct script *script, const char *word);
int64_t script_duration(struct script *script);
int64_t script_time(struct script *script, int64_t last_ms);
void script_fact_name(struct script *script, enum fact_id *ret_id, unsigned *ret_slot);
/* A number, or the name of one of the fact's states. */
int64_t script_state(const struct script *script, const char *word, enum fact_id id);
int64_t script_value(struct script *script, enum fact_id id);
enum role script_role(struct script *script);

#endif
