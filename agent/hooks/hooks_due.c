/* wna-hooks. Blocks on a local disk only. Owns the number of the last change in a file. */
#include "hooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "envfile.h"
#include "log.h"
#include "str.h"
#include "worker.h"

#define FILE_NAME "last"

void hooks_due_init(struct hooks_due *ret, const char *dir)
{
	char path[128], text[32];

	memset(ret, 0, sizeof *ret);
	ret->dir = dir;
	snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
	ret->known = envfile_read(path, text, sizeof text) == 0 &&
	             str_int64(str_trim(text), 0, INT64_MAX, &ret->last);
}

static void keep(struct hooks_due *due, int64_t number)
{
	char text[32];
	int rc;

	snprintf(text, sizeof text, "%" PRId64 "\n", number);
	rc = worker_write_file(due->dir, FILE_NAME, text, strlen(text));
	if (rc < 0)
		log_warning(HOOKS_EVENT ": %s/" FILE_NAME ": %s; after a restart the scripts may "
		                        "run again for this change, or skip the next one",
		            due->dir, strerror(-rc));
	due->known = true;
	due->last = number;
}

void hooks_due_hear(struct hooks_due *due, const struct msg *change)
{
	if (due->known && change->value == due->last)
		return;
	/* 0: there was no change yet. After another number it means that wna-rds counts anew. */
	if (!due->known || change->value == 0) {
		keep(due, change->value);
		return;
	}
	due->pending = true;
	due->change = *change;
}

bool hooks_due_take(struct hooks_due *due, int64_t now_ms, struct msg *ret)
{
	if (!due->pending || now_ms < due->not_before_ms)
		return false;
	due->pending = false;
	*ret = due->change;
	keep(due, ret->value);
	return true;
}

void hooks_due_done(struct hooks_due *due, int64_t now_ms)
{
	due->not_before_ms = now_ms + HOOKS_GAP_MS;
}

int64_t hooks_due_ms(const struct hooks_due *due)
{
	return due->pending ? due->not_before_ms : INT64_MAX;
}
