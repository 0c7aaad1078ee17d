/* Every process; never blocks; owns nothing. */
#include "str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool str_copy(char *ret, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (size == 0)
		return false;
	if (len >= size) {
		memcpy(ret, from, size - 1);
		ret[size - 1] = '\0';
		return false;
	}
	memcpy(ret, from, len + 1);
	return true;
}

size_t str_utf8(const char *s, size_t left, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = left > 0 ? (unsigned char)s[0] : 0xff;
	size_t n;

	if (code < 0x80) {
		n = 1;
	} else if (code >= 0xc2 && code <= 0xdf) {
		n = 2;
		code &= 0x1fu;
	} else if (code >= 0xe0 && code <= 0xef) {
		n = 3;
		code &= 0x0fu;
	} else if (code >= 0xf0 && code <= 0xf4) {
		n = 4;
		code &= 0x07u;
	} else {
		return 0;
	}
	if (left < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

uint64_t str_hash(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

/* What can control a terminal: C0, DEL, and C1 (U+0080 to U+009F). */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool str_clean(char *ret, size_t size, const char *from, size_t len)
{
	size_t out = 0;
	bool blank = false;

	if (size == 0)
		return false;
	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t n = str_utf8(from + i, len - i, &code);

		if (n == 1 && (code == ' ' || (code >= '\t' && code <= '\r'))) {
			blank = out > 0;
			i++;
			continue;
		}
		if (out + blank + (n ? n : 1) >= size) {
			ret[out] = '\0';
			return false;
		}
		if (blank)
			ret[out++] = ' ';
		blank = false;
		if (n == 0 || is_control(code)) {
			ret[out++] = '?';
			i += n ? n : 1;
			continue;
		}
		memcpy(ret + out, from + i, n);
		out += n;
		i += n;
	}
	ret[out] = '\0';
	return true;
}

void str_excerpt(char *ret, size_t size, const char *from, size_t len)
{
	const char *end = from + len;
	size_t at;

	if (str_clean(ret, size, from, len))
		return;
	str_clean(ret, size / 2 - 1, from, len);
	at = strlen(ret);
	memset(ret + at, '.', 3);
	at += 3;
	/* A cleaned text is never longer. */
	from = end - (size - at - 1);
	while (from < end && (*from & 0xc0) == 0x80)
		from++;
	str_clean(ret + at, size - at, from, (size_t)(end - from));
}

bool str_is_clean(const char *text, size_t len)
{
	uint32_t code;

	for (size_t n; len > 0; text += n, len -= n) {
		n = str_utf8(text, len, &code);
		if (n == 0 || is_control(code))
			return false;
	}
	return true;
}

bool str_int64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return false;
	*ret = value;
	return true;
}

bool str_only(const char *text, const char *extra)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		bool alnum = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
		             (*text >= 'A' && *text <= 'Z');

		if (!alnum && !strchr(extra, *text))
			return false;
	}
	return true;
}

void str_lower(char *ret, size_t size, const char *name)
{
	size_t len;

	str_copy(ret, size, name);
	for (len = 0; ret[len]; len++) {
		if (ret[len] >= 'A' && ret[len] <= 'Z')
			ret[len] = (char)(ret[len] - 'A' + 'a');
	}
	if (len > 0 && ret[len - 1] == '.')
		ret[len - 1] = '\0';
}

char *str_trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

char *str_errno(int error, char *ret, size_t size)
{
	char buf[128];

	/* GNU's strerror_r; no locale is set in the agent, hence this is English. */
	str_copy(ret, size, strerror_r(error, buf, sizeof buf));
	/* "Connection refused" follows a colon; "RPC ..." keeps its capitals. */
	if (isupper((unsigned char)ret[0]) && islower((unsigned char)ret[1]))
		ret[0] = (char)tolower((unsigned char)ret[0]);
	return ret;
}
