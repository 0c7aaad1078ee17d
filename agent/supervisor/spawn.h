/*
 * One fork and exec of a worker, with everything that confines it. What comes
 * back is a process in its own group with its own user, or a reason.
 */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "role.h"
#include "roles.h"
#include "users.h"
#include "worker.h"

struct spawn {
	enum role role;
	const struct role_info *info;
	const struct user *user;
	const char *libexec;     /* folder of the executables */
	int exe_fd;              /* the executable, held since wnad's start; -1: by its path */
	unsigned arg;            /* argv[1] */
	uint64_t nofile;         /* RLIMIT_NOFILE; 0: inherited */
	int fds[WORKER_FD_ENDS]; /* by number in the child, from WORKER_FD_WNAD; -1: none */
};

/*
 * Opens every worker's executable (O_PATH; -1 where that fails). Between an upgrade's
 * new files and the restart that follows, which may be minutes, the workers that are
 * started are then still those of this wnad's own version.
 */
void spawn_hold(const char *libexec, int ret_fds[ROLE_MAX]);

/* How far a child got before it failed; sent through a close-on-exec pipe. */
enum spawn_step {
	SPAWN_GROUP,
	SPAWN_FDS,
	SPAWN_LIMITS,
	SPAWN_BOUNDING,
	SPAWN_SECUREBITS,
	SPAWN_USER,
	SPAWN_CAPS,
	SPAWN_PRIVS,
	SPAWN_PARENT,
	SPAWN_EXEC,
	SPAWN_STEP_MAX
};

struct spawn_failure {
	int32_t step;  /* enum spawn_step */
	int32_t error; /* errno */
};

/*
 * Starts it. *ret_failure_fd (non-blocking, the caller's) ends without data when
 * exec succeeded, and bears a struct spawn_failure when something failed; it is
 * complete once the child has ended. *ret_pidfd is -1 where the kernel has no
 * pidfd_open(2). 0 or -errno: nothing was started.
 */
int spawn(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, int *ret_failure_fd);

/* Reads the failure of an ended child. False: there was none, it was executed. */
bool spawn_failure(int fd, struct spawn_failure *ret);

/* "set user" and so on; "?" outside. */
const char *spawn_step_name(int32_t step);

#endif
