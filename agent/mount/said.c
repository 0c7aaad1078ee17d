/* Run by wna-mount. Blocks on nothing. Owns nothing. */
#include "said.h"

#include <string.h>

#include "str.h"

void said_init(struct said *said)
{
	memset(said, 0, sizeof *said);
}

static void finish_line(struct said *said)
{
	char clean[sizeof said->line];
	const char *text = clean;
	size_t len;

	str_clean(clean, sizeof clean, said->line, said->len);
	said->len = 0;
	str_trim(clean);
	len = strlen(clean);
	if (len >= 3 && clean[0] == 'b' && (clean[1] == '\'' || clean[1] == '"') &&
	    clean[len - 1] == clean[1]) {
		clean[len - 1] = '\0';
		text = clean + 2;
	}
	if (*text == '\0' || strncmp(text, "See http", 8) == 0)
		return;
	str_copy(said->last, sizeof said->last, text);
}

void said_feed(struct said *said, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r')
			finish_line(said);
		else if (said->len < sizeof said->line)
			said->line[said->len++] = data[i];
	}
}

const char *said_last(struct said *said)
{
	if (said->len > 0)
		finish_line(said);
	return said->last;
}
