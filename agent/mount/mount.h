/*
 * The room of the keeper, by file. Its decisions are in mount_keeper.h. Run as root; what
 * may block is done by two children, one attempt to mount and one probe.
 */
#ifndef WNA_MOUNT_H
#define WNA_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "fact.h"
#include "mount_keeper.h"
#include "mountinfo.h"
#include "probe.h"
#include "trust.h"

#define MOUNT_RECORD CONF_STATE_DIR "/mount/guarded" /* mount_guard.c */
#define MOUNT_STAGE  CONF_RUN_DIR "/mount/stage"     /* mount_do.c */

/* mount_target.c: what the configuration asks for, in the words that libmount and mountinfo
 * use. Pure. */

/* Where the file system is reached; either text may be empty: not known yet. */
struct target_place {
	char region[LIMIT_NAME];
	char domain[LIMIT_HOST];
};

struct target {
	char type[LIMIT_NAME];        /* for libmount: "efs", "nfs4", "tmpfs" ... */
	char source[LIMIT_VALUE];     /* for libmount */
	char options[1024];           /* for libmount */
	char blocked[LIMIT_FACT_WHY]; /* why it cannot be mounted now; empty: it can */

	/* How a mount that is already there may look to be right. */
	bool by_tunnel;               /* NFS through efs-utils' proxy on 127.0.0.1 */
	bool by_nfs;                  /* NFS straight to the server */
	bool by_bind;                 /* a bind mount of `source` */
	bool tls;                     /* the tunnel must be one with TLS */
	char expect_type[LIMIT_NAME]; /* type in mountinfo; empty (bind only): any */
	char host[LIMIT_HOST];        /* by_nfs: the server; empty: region not known yet */
	char export_path[LIMIT_PATH];
	char file_system[LIMIT_NAME]; /* by_tunnel: "fs-..." */
	char access_point[LIMIT_NAME];
};

/*
 * Options of plain NFS as AWS recommends them (EFS User Guide, "Mount settings
 * for NFS"): never soft, 60 s per try, a new source port on reconnect.
 */
/* The file system is writable by the web server's user, on this node or on another that has
 * been taken over: what lies there must not give it root. mount.options can take it back. */
#define TARGET_SAFE_OPTIONS "nosuid,nodev"
#define TARGET_NFS_OPTIONS                                                                         \
	"nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,"                        \
	"noresvport,_netdev," TARGET_SAFE_OPTIONS

/*
 * Total: always fills *ret. `found`: what the metadata say; configured values win, and a
 * configured region never takes another one's suffix. `have_helper`: efs-utils' mount.efs
 * is installed. With type "auto" plain NFS stands in for a missing helper only if neither
 * TLS, IAM nor an access point is configured, for it can do none of them.
 */
void target_make(const struct conf_mount *conf, const struct target_place *found, bool have_helper,
                 struct target *ret);

/* "server:/path", "[v6]:/path" into its two parts. False if it has not two, or they do not fit. */
bool target_split(const char *source, char *ret_host, size_t host_size, char *ret_path,
                  size_t path_size);

/*
 * mount_judge.c: is what is mounted on the path what the configuration asks for? Decided
 * from mountinfo, the server's addresses and efs-utils' state files: never by a look at
 * the mount itself, whose server may be silent, and without waiting.
 */

/* What is known beside mountinfo. */
struct judge_env {
	const char *state_dir;            /* EFS_STATE_DIR */
	int64_t idle_ms, wall_ms;         /* of efs_state_read */
	const struct probe_answer *names; /* NULL: not asked for since this mount is there */
	bool proved;                      /* this very mount was right by its names */
	const char *mountinfo; /* text: what hides the path, where a bind mount's source lies */
	size_t mountinfo_len;
	const char *backing; /* file behind a loop device; NULL: none known */
};

struct finding {
	enum mount_state state;     /* MOUNT_RIGHT, MOUNT_WRONG or MOUNT_UNVERIFIED */
	char text[LIMIT_FACT_TEXT]; /* "nfs4 fs-....amazonaws.com:/ (10.16.3.7)" */
	char why[LIMIT_FACT_WHY];   /* if right: what it covers on the same path */
	bool names;                 /* names, or newer ones, may change this */
};

/* `there` is the topmost mount on `path`. Always fills *ret. */
void judge(const struct target *target, const char *path, const struct mountinfo *there,
           const struct judge_env *env, struct finding *ret);

/*
 * mount_efs.c: the state files of efs-utils, by which its watchdog knows a mount: the proof
 * that an NFS mount of 127.0.0.1 is the configured file system and not somebody else's
 * tunnel.
 *
 * Source: aws/efs-utils, src/efs_utils_common/proxy.py and file_utils.py (2.x, 3.x) and
 * src/mount_efs (1.x). One file per mount in /var/run/efs, called ID.PATH.PORT, PATH being
 * the mount point with its slashes as dots and no dot in front; "~" before the name while
 * the helper is still at work. JSON: cmd (list), files, and pid, which the watchdog takes
 * away while it starts a proxy anew; with TLS, since access points exist, accessPoint,
 * mountStateDir, certificate ...; since 2.x mountpoint; since 1.3x fsId.
 */
#define EFS_STATE_DIR "/var/run/efs"

struct efs_state {
	bool tls;                      /* the proxy was started with TLS */
	char access_point[LIMIT_NAME]; /* empty: none */
};

/*
 * The state of the mount of `file_system` on `path` by `port`, read from the folder `dir`.
 *
 * A helper that was ended in the middle leaves a mount that is as good as any, but its state
 * file keeps the unfinished name, by which efs-utils' watchdog does not look after the mount's
 * proxy. Such a file, if it has not been written for `idle_ms`, is whole and can be trusted,
 * gets its final name here. `now_ms` is wall-clock time, as files have it.
 *
 * 0; -ENOENT no such file; -EINPROGRESS only an unfinished one, in which the helper may be
 * writing; -EPERM a file that others than root and its group could write; -EBADMSG not what
 * efs-utils writes, or about another mount; -errno.
 */
int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   int64_t idle_ms, int64_t now_ms, struct efs_state *ret);

/* The pure part: checks and reads the JSON text. 0 or -EBADMSG. */
int efs_state_parse(const char *json, size_t len, const char *file_system, const char *path,
                    struct efs_state *ret);

/* mount_look.c: what is mounted on the path, judged by what is known at this instant. */

/* The last answer about the name of the target's host. */
struct look_names {
	uint64_t serial; /* of keeper.h: the mount for which it was asked */
	struct probe_answer answer;
};

/*
 * Looks at mountinfo and judges. Reads files of the kernel and small ones on a tmpfs
 * only. 0 or -errno: mountinfo could not be read.
 */
int look_at(const struct conf_mount *conf, const struct target *target, const struct keeper *keeper,
            const struct look_names *names, struct keeper_look *ret);

/*
 * Kernels since 5.4 read ahead 128 KiB on NFS whatever rsize is; AWS's helper sets 15
 * times rsize, and so does this. Another value than the kernel's has been set by
 * somebody and stays.
 */
void look_read_ahead(const struct conf_mount *conf);

/* mount_place.c: the directory that is mounted upon: made, and reached when it is covered. */

enum { PLACE_PATH = 512 }; /* as long as mountinfo.h has them */

struct place {
	int parent;            /* the directory that holds it */
	char name[PLACE_PATH]; /* its name in there */
};

/*
 * Makes the directory and its missing parents (root's, 0755), and opens the one that holds
 * it. All above it must be root's, writable by nobody else and no symbolic link (trust.h):
 * who can put a link there leads a mount to any directory of the machine. 0, or -errno with
 * a reason. May wait for whatever file system `path`'s parents lie on.
 */
int place_make(const char *path, struct place *ret, char *ret_why, size_t why_size);

/* The same for what is there already, whosesoever it is. 0 or -errno. */
int place_open(const char *path, struct place *ret);

void place_close(struct place *place);

/*
 * The bare directory itself, beneath whatever may be mounted upon it (a private copy of the
 * parent's mount has no mounts upon it), checked to be on the parent's device: a mounted
 * file system is neither touched nor waited for. A descriptor or -errno.
 */
int place_open_bare(const struct place *place);

/* A copy of the mount on `path`, attached nowhere: a descriptor or -errno. */
int place_take(const char *path);

/* Mounts such a copy there. 0 or -errno: -EBUSY something is mounted already. */
int place_attach(const struct place *place, int tree);

/* Whether `path` still leads to this place, by trusted directories only. */
bool place_is_still(const struct place *place, const char *path);

/*
 * mount_guard.c: a bare mount point is an ordinary directory on the root disk, which a web
 * server would serve and write to; therefore it is made immutable. A mount over an
 * immutable directory works. What the agent has made immutable it has on record, and it
 * takes back nothing else: not what somebody else has made so, nor a directory made anew
 * in its place.
 *
 * The record is a folder with a symbolic link for each directory, named after its path,
 * whose text is "INODE PATH". It is made and removed in one step.
 */
struct guard {
	bool immutable;           /* the bare directory refuses writes, root's too */
	char why[LIMIT_FACT_WHY]; /* why it is not, or what lies hidden in it */
};

/*
 * Makes the bare directory at `place`, which is `path`, immutable if `wanted`, after it
 * has noted that in the folder `record`; if not, takes back all on record. Tells whether it
 * is immutable.
 */
void guard_set(const struct place *place, const char *path, bool wanted, const char *record,
               struct guard *ret);

/*
 * Takes back all on record but that of `keep`, which is the path of an agent that stays:
 * then what is away, or another directory meanwhile, stays on record. NULL, at the
 * removal: all, and what is away is forgotten. Says each; 0 if all is done or was done by
 * others already; -errno of the last failure, which stays on record; -EBADMSG if that is
 * an entry which cannot be read.
 */
int guard_release(const char *record, const char *keep);

/*
 * mount_attempt.c: one attempt to mount, in a child process that leads a session and a process
 * group of its own: it makes and guards the directory, and mounts by libmount, which forks the
 * helper (mount.efs, mount.nfs4) and waits for it without a limit. The keeper ends the group.
 *
 * When the keeper is killed the child dies with it, but the helper lives on and mounts when it
 * is ready; a second one beside it would mount a second time. Therefore the child notes its
 * group in a file, and the next keeper ends or awaits it.
 */
struct process_group {
	pid_t leader;  /* its first process, which has the group's number; 0: no group */
	int64_t start; /* of that process: struct pidstat */
	int64_t at_ms; /* when it was noted: monotonic, the same clock in every process */
};

/* Notes the calling process, which leads a group, in the folder `dir`. 0 or -errno. */
int group_note(const char *dir);

/* Reads such a note. False if there is none. */
bool group_read(const char *dir, struct process_group *ret);

/* Whether a process of the group lives, its first one or another. */
bool group_lives(const struct process_group *group);

struct attempt {
	pid_t pid;                  /* 0: ended */
	int status;                 /* mount(8)'s exit code; -1: not ended, or not known */
	struct process_group group; /* leader 0: there is no attempt */
	int words_fd;               /* what the child and its helper say; non-blocking; -1: ended */
	int guard_fd;               /* one struct guard; the same */
	struct guard guard;
	bool guard_told; /* the above has come, and the caller has not taken it yet */
	char words[2048];
	size_t words_len;
};

/*
 * Starts one, or, with `guard_only`, only guards the directory beneath what is mounted.
 * 0 or -errno.
 */
int attempt_start(const struct conf_mount *conf, const struct target *target, bool guard_only,
                  struct attempt *ret);

/* Takes over the helper of an earlier keeper, of which only the group is known. False if there
 * is none. */
bool attempt_former(struct attempt *ret);

enum attempt_end {
	ATTEMPT_RUNS,
	ATTEMPT_LINGERS, /* its process has ended, its group has not */
	ATTEMPT_GONE
};

/*
 * How it is, after taking what it has said. Once it is gone, *ret_status is mount(8)'s exit
 * code, or 128 + n if it was killed by signal n, or -1 of a helper that was taken over; the
 * struct may be used again.
 */
enum attempt_end attempt_check(struct attempt *attempt, int *ret_status);

/*
 * The last line of what a helper has said that means something; control characters gone.
 * Lines that only point to documentation ("See https://...") do not count, and Python's
 * b'...' around a message is taken off. Empty if nothing was said. Returns `ret`.
 */
char *attempt_said(const char *words, size_t len, char *ret, size_t size);

/*
 * mount_do.c: the attempt's child. NFS and bind mounts are not made by their path, in which
 * the kernel and helpers follow links, but on a folder of root's, in a mount namespace of
 * the attempt's own, and moved from there to the directory that was checked. mount.efs (its
 * state file has the path) and other types need the path; what has come elsewhere, because
 * the path was changed meanwhile, is detached.
 */
enum { DO_TROUBLE = 2 }; /* mount(8): system error */

/*
 * Makes and guards the directory and mounts, or only guards it. Writes a struct guard to
 * the descriptor `guard`, and reasons to standard error. Returns mount(8)'s exit code.
 * May block for ever.
 */
int do_mount(const struct conf_mount *conf, const struct target *target, bool guard_only,
             int guard);

/*
 * mount_probe.c: a resident child of user wna-probe without capabilities, which asks what
 * may be silent for ever (include/probe.h). One question at a time.
 */
struct probe {
	int exe; /* wna-probe beside this program, as it was at the start */
	struct local_user user;
	pid_t pid; /* 0: none */
	int fd;    /* to it; -1: none */
};

/* Finds program and user. 0 or -errno with a reason. */
int probe_init(struct probe *ret, char *ret_why, size_t why_size);

/* Starts it. 0 or -errno. */
int probe_start(struct probe *probe);

/* 0 or -errno; it will answer, or be killed. */
int probe_ask(const struct probe *probe, const struct probe_question *question);

/* Takes an answer. 1; 0 none now; -EBADMSG not an answer, or the probe has closed its end. */
int probe_answered(const struct probe *probe, struct probe_answer *ret);

void probe_kill(const struct probe *probe);

/* Whether it has ended; if so `ret_status` is as waitpid(2) has it. */
bool probe_gone(struct probe *probe, int *ret_status);

#endif
