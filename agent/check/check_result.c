/* Run by wna-check. Blocks on nothing, owns nothing. */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void check_good(struct check_result *ret, int64_t us, const char *format, ...)
{
	va_list args;

	ret->value = us < 0 ? 0 : us;
	va_start(args, format);
	vsnprintf(ret->text, sizeof ret->text, format, args);
	va_end(args);
}

void check_bad(struct check_result *ret, int error, const char *format, ...)
{
	va_list args;

	ret->value = error > 0 ? -(int64_t)error : -(int64_t)EIO;
	va_start(args, format);
	vsnprintf(ret->text, sizeof ret->text, format, args);
	va_end(args);
}
