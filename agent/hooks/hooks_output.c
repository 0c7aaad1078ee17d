/* wna-hooks; pure: never blocks, owns nothing. */
#include "hooks.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

void hooks_output_init(struct hooks_output *ret, void (*sink)(void *arg, const char *line),
                       void *arg)
{
	memset(ret, 0, sizeof *ret);
	ret->sink = sink;
	ret->arg = arg;
}

static void end_line(struct hooks_output *output)
{
	char clean[HOOKS_LINE];
	const char *kept;

	str_clean(clean, sizeof clean, output->line, output->len);
	output->len = 0;
	kept = str_trim(clean);
	if (kept[0] == '\0')
		return;
	str_copy(output->last, sizeof output->last, kept);
	if (output->lines >= HOOKS_LINES) {
		output->dropped++;
		return;
	}
	output->lines++;
	output->sink(output->arg, kept);
}

void hooks_output_feed(struct hooks_output *output, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n')
			end_line(output);
		else if (output->len < sizeof output->line)
			output->line[output->len++] = data[i];
	}
}

void hooks_output_end(struct hooks_output *output)
{
	char text[64];

	if (output->len > 0)
		end_line(output);
	if (output->dropped > 0) {
		snprintf(text, sizeof text, "(%ld more lines dropped)", output->dropped);
		output->sink(output->arg, text);
	}
}
