/* Every process; never blocks; owns nothing. Text that is put together in a buffer. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

void sb_init(struct sb *sb, char *buf, size_t size)
{
	sb->buf = buf;
	sb->size = size;
	sb->len = 0;
	sb->cut = size == 0;
	if (size > 0)
		buf[0] = '\0';
}

static void sb_bytes(struct sb *sb, const char *bytes, size_t len)
{
	size_t room = sb->size > sb->len + 1 ? sb->size - sb->len - 1 : 0;

	if (len > room)
		sb->cut = true;
	if (room > len)
		room = len;
	if (room > 0) {
		memcpy(sb->buf + sb->len, bytes, room);
		sb->buf[sb->len + room] = '\0';
	}
	sb->len += len;
}

void sb_put(struct sb *sb, const char *text)
{
	sb_bytes(sb, text, strlen(text));
}

void sb_char(struct sb *sb, char c)
{
	sb_bytes(sb, &c, 1);
}

void sb_printf(struct sb *sb, const char *format, ...)
{
	bool room = sb->len < sb->size;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(room ? sb->buf + sb->len : NULL, room ? sb->size - sb->len : 0, format, args);
	va_end(args);
	if (n < 0) {
		sb->cut = true;
		return;
	}
	sb->len += (size_t)n;
	if (sb->len >= sb->size)
		sb->cut = true;
}

void sb_html(struct sb *sb, const char *text)
{
	size_t left = strlen(text);
	uint32_t code = 0;

	while (left > 0) {
		size_t n = str_utf8(text, left, &code);

		if (n == 0 || code < 0x20 || code == 0x7f)
			sb_put(sb, "\xef\xbf\xbd");
		else if (strchr("&<>\"'", *text))
			sb_printf(sb, "&#%d;", *text);
		else
			sb_bytes(sb, text, n);
		n += n == 0;
		text += n;
		left -= n;
	}
}

void sb_json(struct sb *sb, const char *text)
{
	size_t left = strlen(text);
	uint32_t code = 0;

	sb_char(sb, '"');
	while (left > 0) {
		size_t n = str_utf8(text, left, &code);

		if (n == 0) {
			sb_put(sb, "\\ufffd");
			n = 1;
		} else if (code == '"' || code == '\\') {
			sb_char(sb, '\\');
			sb_char(sb, *text);
		} else if (code < 0x20 || code == 0x7f) {
			sb_printf(sb, "\\u%04x", (unsigned)code);
		} else {
			sb_bytes(sb, text, n);
		}
		text += n;
		left -= n;
	}
	sb_char(sb, '"');
}
