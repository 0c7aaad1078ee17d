/*
 * The mount helper of an earlier wna-mount. When wnad is killed, wna-mount dies
 * with it, but the helper that libmount has started lives on and mounts when it
 * is ready; a second one beside it would mount a second time. So the process
 * group that helpers run in is written down before one is started, and nothing
 * is mounted while an earlier group lives.
 */
#ifndef WNA_MOUNT_FORMER_H
#define WNA_MOUNT_FORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMER_FILE "/run/web-node-agent/mount-helper"

/* Writes down our own process group in `file`. 0 or -errno. */
int former_note(const char *file);

/* The helper has ended in our sight: takes the note away. */
void former_forget(const char *file);

/*
 * Waits while a process of the group noted in `file` lives, if it is another
 * than ours and still the one that was noted. It has until `timeout_ms` after
 * the note, as it would have had in wnad's sight; then the group is killed.
 * `waiting` is called once, with one of its process ids, before the first wait.
 * Returns when none is left, which may be never: only wnad's kill ladder ends a
 * wait for one that is asleep in the kernel. True if there was such a note:
 * what is mounted has to be looked at again, also if there was nobody left.
 */
bool former_wait(const char *file, int64_t timeout_ms, void (*waiting)(void *arg, int pid),
                 void *arg);

#endif
