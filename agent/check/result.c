/*
 * Run by wna-check. Blocks on nothing, owns nothing: the words of a result.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

void check_good(struct check_result *ret, int64_t us, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0)
		text[0] = '\0';
	ret->value = us < 0 ? 0 : us;
	str_clean(ret->text, sizeof ret->text, text, strlen(text));
	ret->why[0] = '\0';
}

void check_bad(struct check_result *ret, int error, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0)
		text[0] = '\0';
	ret->value = error > 0 ? -(int64_t)error : -(int64_t)EIO;
	ret->text[0] = '\0';
	str_clean(ret->why, sizeof ret->why, text, strlen(text));
}
