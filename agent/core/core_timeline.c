/* wna-core, and the simulator. Never blocks. Owns nothing: the ring is the caller's. */
#include "core_timeline.h"

#include <stddef.h>
#include <string.h>

#include "str.h"

void timeline_init(struct timeline *timeline)
{
	timeline->count = 0;
}

void timeline_add(struct timeline *timeline, int64_t wall_ms, const char *what)
{
	struct timeline_entry *entry = &timeline->item[timeline->count % LIMIT_TIMELINE];

	entry->wall_ms = wall_ms;
	str_clean(entry->what, sizeof entry->what, what, strlen(what));
	timeline->count++;
}

unsigned timeline_kept(const struct timeline *timeline)
{
	return timeline->count < LIMIT_TIMELINE ? timeline->count : LIMIT_TIMELINE;
}

const struct timeline_entry *timeline_get(const struct timeline *timeline, unsigned i)
{
	unsigned kept = timeline_kept(timeline);

	if (i >= kept)
		return NULL;
	return &timeline->item[(timeline->count - kept + i) % LIMIT_TIMELINE];
}
