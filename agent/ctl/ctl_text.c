/*
 * Run by wnactl. Blocks on what it writes to. Owns nothing.
 */
#include "ctl.h"

#include <string.h>
#include <wchar.h>

#include "str.h"

struct range {
	uint32_t first, last;
};

/* Printable by the letter of the standard, but they reorder or hide what
 * stands beside them (Unicode UAX #9, UTR #36). */
static const struct range deceptive[] = {
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x115f, 0x1160 },   { 0x180e, 0x180e },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
};

static int text_width(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return -1;
	if (c < 0x7f)
		return 1;
	for (size_t i = 0; i < sizeof deceptive / sizeof deceptive[0]; i++)
		if (c >= deceptive[i].first && c <= deceptive[i].last)
			return -1;
	return wcwidth((wchar_t)c);
}

size_t text_next(const char *text, bool utf8, int *ret_cells)
{
	uint32_t c = 0;
	size_t len;

	*ret_cells = 0;
	if (text[0] == '\0')
		return 0;
	len = str_utf8(text, strnlen(text, 4), &c);
	if (len == 0) {
		*ret_cells = -1;
		return 1;
	}
	*ret_cells = c >= 0x80 && !utf8 ? -1 : text_width(c);
	return len;
}

int text_cells(const char *text, bool utf8)
{
	int total = 0, cells;
	size_t len;

	while ((len = text_next(text, utf8, &cells)) > 0) {
		total += cells < 0 ? 1 : cells;
		text += len;
	}
	return total;
}

void text_write(FILE *to, const char *text, size_t len, bool utf8)
{
	const char *end = text + len;

	while (text < end) {
		int cells;
		size_t n = text_next(text, utf8, &cells);

		if (n == 0)
			n = 1; /* a NUL: dropped */
		else if (*text == '\n' || *text == '\t' || cells >= 0)
			fwrite(text, 1, n, to);
		else
			fputc('?', to);
		text += n;
	}
}
