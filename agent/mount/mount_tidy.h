/* What attempts of mount.efs leave behind, and processes of other programs. */
#ifndef WNA_MOUNT_TIDY_H
#define WNA_MOUNT_TIDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conf_mount;
struct target;

/*
 * mount_tidy.c: in EFS_STATE_DIR there may be a state file with an unfinished name, if the helper
 * was killed, and a proxy that no mount uses, if the attempt failed or if the kernel uses the
 * connection of an earlier mount. The state file is finished, and marked as unmounted long ago:
 * efs-utils' watchdog then ends the proxy and deletes its files at once. Without that watchdog
 * the keeper does it.
 *
 * A proxy which a mount uses stays, and is no longer marked. The watchdog marks what it sees
 * unmounted, and ends it 30 s later, also if there is a mount again: after umount -l the kernel
 * uses the same connection for the next mount. So does a detached mount, as long as files on it
 * are open; without its proxy nothing of the same server could be mounted.
 */
struct tidy {
	bool due;         /* attempts may have left something */
	int64_t since_ms; /* when the first of them began: monotonic */
	int64_t end_ms;   /* when the last one was first seen to have ended; 0: it runs */
	unsigned kept;    /* the port of the last proxy that was kept */
};

/* An attempt has begun. */
void tidy_begin(struct tidy *tidy, int64_t now_ms);

/* Before each look. `running`: the last attempt has not ended; `right`: so the last look found. */
void tidy_look(struct tidy *tidy, const struct conf_mount *conf, const struct target *target,
               bool running, bool right);

/* The port of a mount.efs that another program has started for this path; 0: there is none. While
 * no attempt runs. */
unsigned tidy_pending(const struct conf_mount *conf, const struct target *target);

struct tidy_pass {
	const char *dir; /* EFS_STATE_DIR */
	const char *file_system, *path;
	int64_t now_ms;   /* wall-clock time, as files have it */
	int64_t since_ms; /* unfinished state files since then are of the keeper's attempts */
	int64_t until_ms; /* and before this time: later ones are of another program */
	/* An attempt runs: unfinished state files stay. Their times cannot tell them apart, since
	 * the wall clock may be set meanwhile. */
	bool running;
	int64_t idle_ms;       /* another helper that has not written for this long has ended */
	const char *mountinfo; /* the whole text */
	size_t mountinfo_len;
	unsigned *kept; /* of struct tidy */
};

/* One pass. Whether another one is needed. */
bool tidy_up(const struct tidy_pass *pass);

/* mount_process.c: processes in /proc. Reading there never waits for them: cmdline is read of no
 * process but the proxies of efs-utils, since the kernel waits for a lock of the process whose
 * cmdline it is. */
struct process_match {
	const char *const *names; /* how the name of the program may begin; NULL at the end */
	pid_t group;              /* its process group; 0: any */
	const char *word;         /* one of its arguments; NULL: any */
};

/* Sends SIGKILL to all that match. How many there were. */
unsigned process_kill(const struct process_match *match);

#endif
