/*
 * One child process: its ladder, its descriptors, its last words.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ladder.h"
#include "limits.h"
#include "roles.h"

struct event;
struct supervisor;

/* Between the end of a child's socket and the conclusion that it broke the
 * contract: it closes when the process ends, which takes a moment. */
enum { CHILD_FAREWELL_MS = 2000 };

/* Orders that a core gives before its first beat, kept until it is in charge. */
enum { CHILD_EARLY_MAX = 8 };

struct child {
	struct supervisor *sv;
	enum role role;
	unsigned slot;
	const struct role_info *info;
	struct ladder ladder;
	pid_t pid;      /* also its process group; 0: none */
	int pidfd;      /* -1: none, or the kernel has none */
	int fd;         /* our end of its socket; -1: closed */
	int failure_fd; /* see spawn.h */
	struct event *fd_event, *pid_event;
	bool beaten; /* a core: has sent ORDER_BEAT since its start */
	unsigned early_count;
	struct order early[CHILD_EARLY_MAX];
	enum ladder_end end;
	int last_end;   /* wait status of the run before: repeats are logged at debug */
	char cause[64]; /* why it is being ended; empty: it ends by itself */
	char obituary[LIMIT_FACT_WHY]; /* of the last run that was no success */
};

/* Whether the slot exists in the table of roles. */
bool child_exists(const struct child *child);

/* Does what its ladder finds due. */
void child_turn(struct child *child, int64_t now);

/* Ends a run: a resident one is started again. `cause` for the log. */
void child_restart(struct child *child, const char *cause, int64_t now);

/* Ends a run for good: after `grace_ms` in which it has seen its socket close,
 * the ladder. `cause` for the log. */
void child_leave(struct child *child, const char *cause, int64_t grace_ms, int64_t now);

/* Buries it if it has ended; never waits. */
void child_reap(struct child *child, int64_t now);

/* Closes our end of its socket. */
void child_close(struct child *child);

#endif
