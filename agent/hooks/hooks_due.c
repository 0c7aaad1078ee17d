/* wna-hooks. Blocks on a local disk only. */
#include "hooks.h"

#include <string.h>

#include "log.h"

void hooks_due_init(struct hooks_due *ret, const char *dir, const char *event)
{
	memset(ret, 0, sizeof *ret);
	once_init(&ret->once, dir, event);
}

void hooks_due_hear(struct hooks_due *due, const struct msg *fact)
{
	if (!once_is_new(&due->once, fact->value))
		return;
	due->pending = true;
	due->fact = *fact;
}

bool hooks_due_take(struct hooks_due *due, int64_t now_ms, struct msg *ret)
{
	int rc;

	if (!due->pending || now_ms < due->not_before_ms)
		return false;
	due->pending = false;
	*ret = due->fact;
	rc = once_note(&due->once, ret->value);
	if (rc < 0)
		log_warning("%s: %s/%s: %s; after a restart the scripts may run again for this "
		            "event, or skip the next one",
		            due->once.name, due->once.dir, due->once.name, strerror(-rc));
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
