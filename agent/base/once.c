/* Listeners of events. Blocks on a local disk only. Owns the file with the number. */
#include "once.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "envfile.h"
#include "file.h"
#include "str.h"

void once_init(struct once *ret, const char *dir, const char *name)
{
	char path[128], text[32];

	*ret = (struct once){ .dir = dir, .name = name };
	snprintf(path, sizeof path, "%s/%s", dir, name);
	ret->known = envfile_read(path, text, sizeof text) == 0 &&
	             str_int64(str_trim(text), 0, INT64_MAX, &ret->last);
}

bool once_is_new(struct once *once, int64_t number)
{
	if (once->known && number == once->last)
		return false;
	if (once->known && number != 0)
		return true;
	once_note(once, number);
	return false;
}

int once_note(struct once *once, int64_t number)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%" PRId64 "\n", number);

	once->known = true;
	once->last = number;
	return file_write(once->dir, once->name, text, (size_t)len);
}
