/* The simulator. Reads one local file. */
#include "script.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

void script_fail(const struct script *script, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", script->name, script->line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n\t%s", script->raw);
	exit(1);
}

void script_open(struct script *script, const char *name)
{
	memset(script, 0, sizeof *script);
	script->name = name;
	script->file = fopen(name, "re");
	if (!script->file) {
		perror(name);
		exit(2);
	}
}

void script_close(struct script *script)
{
	fclose(script->file);
}

/* Words are separated by blanks; "..." is one; # begins a comment. */
static void split(struct script *script)
{
	char *at = script->text;

	script->words = script->at = 0;
	for (;;) {
		at += strspn(at, " \t\n");
		if (*at == '\0' || *at == '#')
			return;
		if (script->words == SCRIPT_WORDS)
			script_fail(script, "too many words");
		if (*at == '"') {
			script->word[script->words++] = ++at;
			at += strcspn(at, "\"\n");
			if (*at != '"')
				script_fail(script, "a quote is not closed");
		} else {
			script->word[script->words++] = at;
			at += strcspn(at, " \t\n");
		}
		if (*at != '\0')
			*at++ = '\0';
	}
}

bool script_line(struct script *script)
{
	while (fgets(script->raw, sizeof script->raw, script->file)) {
		script->line++;
		memcpy(script->text, script->raw, sizeof script->text);
		split(script);
		if (script->words > 0)
			return true;
	}
	return false;
}

void script_conf(struct script *script)
{
	const char *rest = strstr(script->raw, "conf") + strlen("conf");
	size_t len = strlen(script->conf);

	if (!str_copy(script->conf + len, sizeof script->conf - len, rest + strspn(rest, " ")))
		script_fail(script, "too much configuration");
	script->at = script->words;
}

bool script_more(const struct script *script)
{
	return script->at < script->words;
}

const char *script_peek(const struct script *script)
{
	if (!script_more(script))
		script_fail(script, "a word is missing");
	return script->word[script->at];
}

const char *script_next(struct script *script)
{
	const char *word = script_peek(script);

	script->at++;
	return word;
}

const char *script_optional(struct script *script)
{
	return script_more(script) ? script_next(script) : "";
}

void script_word(struct script *script, const char *word)
{
	if (strcmp(script_next(script), word) != 0)
		script_fail(script, "expected \"%s\"", word);
}

int64_t script_number(const struct script *script, const char *word)
{
	int64_t number;

	if (!str_int64(word, INT64_MIN, INT64_MAX, &number))
		script_fail(script, "expected a number, got \"%s\"", word);
	return number;
}

int64_t script_duration(struct script *script)
{
	const char *word = script_next(script);
	int64_t span_ms;

	if (!str_duration_ms(word, &span_ms))
		script_fail(script, "expected a duration, got \"%s\"", word);
	return span_ms;
}

int64_t script_time(struct script *script, int64_t last_ms)
{
	const char *word = script_next(script);
	bool relative = word[0] == '+';
	int64_t at_ms;

	if (!str_duration_ms(word + relative, &at_ms))
		script_fail(script, "expected a time, got \"%s\"", word);
	if (relative)
		at_ms += last_ms;
	if (at_ms < last_ms)
		script_fail(script, "time goes backwards");
	return at_ms;
}

void script_fact_name(struct script *script, enum fact_id *ret_id, unsigned *ret_slot)
{
	char name[64];
	char *dot;

	str_copy(name, sizeof name, script_next(script));
	dot = strchr(name, '.');
	if (dot)
		*dot++ = '\0';
	*ret_slot = dot ? (unsigned)script_number(script, dot) : 0;
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		if (strcmp(fact_info(id)->name, name) == 0) {
			*ret_id = id;
			return;
		}
	}
	script_fail(script, "no fact is called \"%s\"", name);
}

static const char *state_name(enum fact_id id, int64_t value)
{
	switch (id) {
	case FACT_IMDS: return imds_state_name(value);
	case FACT_CREDENTIALS: return cred_state_name(value);
	case FACT_PUSH: return push_state_name(value);
	case FACT_RDS: return rds_state_name(value);
	case FACT_MOUNT: return mount_state_name(value);
	default: return "?";
	}
}

int64_t script_state(const struct script *script, const char *word, enum fact_id id)
{
	for (int64_t value = 0; value < 16; value++) {
		if (strcmp(state_name(id, value), word) == 0)
			return value;
	}
	return script_number(script, word);
}

int64_t script_value(struct script *script, enum fact_id id)
{
	return script_state(script, script_next(script), id);
}

enum role script_role(struct script *script)
{
	const char *word = script_next(script);

	for (int role = 0; role < ROLE_MAX; role++) {
		if (strcmp(role_name(role), word) == 0)
			return (enum role)role;
	}
	script_fail(script, "no role is called \"%s\"", word);
}
