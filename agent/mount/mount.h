/*
 * The room of the keeper, by file; its decisions are in mount_keeper.h. It runs as root. What
 * may block is done by two children: an attempt to mount, and the probe.
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
#include "mount_watch.h"
#include "mountinfo.h"
#include "probe.h"
#include "trust.h"
#include "worker.h"

#define MOUNT_RECORD CONF_STATE_DIR "/mount/guarded" /* mount_guard.c */
#define MOUNT_NOTES  CONF_RUN_DIR "/mount"           /* group_note, home_note */
#define MOUNT_STAGE  CONF_RUN_DIR "/mount/stage"     /* mount_do.c */

/* mount_target.c: what the configuration asks for, in the terms of libmount and mountinfo.
 * Pure. */

/* Where in AWS the file system is. A text that is not known yet is empty. */
struct target_place {
	char region[LIMIT_NAME];
	char domain[LIMIT_HOST];
};

struct target {
	char type[LIMIT_NAME];        /* for libmount: "efs", "nfs4", "tmpfs" ... */
	char source[LIMIT_VALUE];     /* for libmount */
	char options[1024];           /* for libmount */
	char blocked[LIMIT_FACT_WHY]; /* why it cannot be mounted now; empty: it can */

	/* What a mount must be to be right. More than one of the by_ may be true. */
	bool by_tunnel;               /* NFS by way of efs-utils' proxy on 127.0.0.1 */
	bool by_nfs;                  /* NFS directly from the server */
	bool by_bind;                 /* a bind mount of `source` */
	bool tls;                     /* the tunnel must be one with TLS */
	char expect_type[LIMIT_NAME]; /* type in mountinfo; empty (bind only): any */
	char host[LIMIT_HOST];        /* by_nfs: the server; empty: region not known yet */
	char export_path[LIMIT_PATH];
	char file_system[LIMIT_NAME]; /* by_tunnel: "fs-..." */
	char access_point[LIMIT_NAME];
};

/* The web server's user can write the file system, on this node or on another one that has been
 * taken over: no file in it may give root's rights. mount.options can override this. */
#define TARGET_SAFE_OPTIONS "nosuid,nodev"
/* As AWS recommends (EFS User Guide, "Mount settings for NFS"): never soft, 60 s per try, a new
 * source port when it connects again. */
#define TARGET_NFS_OPTIONS                                                                         \
	"nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,"                        \
	"noresvport,_netdev," TARGET_SAFE_OPTIONS

/* mount.efs of efs-utils. Versions before 2.1 hand an option `region` on to mount.nfs4, which
 * refuses it. */
enum target_helper {
	HELPER_NONE,
	HELPER_OLD, /* or of an unknown version */
	HELPER_TAKES_REGION
};

/* From the text of the script, or its beginning. */
enum target_helper target_helper(const char *script);

/*
 * Always fills *ret. `found`: what the metadata say; configured values have precedence, and a
 * configured region never gets the suffix of another one. With type "auto", and without the
 * helper, plain NFS is used, unless TLS, IAM or an access point is configured, which NFS alone
 * does not have.
 */
void target_make(const struct conf_mount *conf, const struct target_place *found,
                 enum target_helper helper, struct target *ret);

/* Splits "server:/path" or "[v6]:/path". False if it is neither, or if a part does not fit. */
bool target_split(const char *source, char *ret_host, size_t host_size, char *ret_path,
                  size_t path_size);

/*
 * mount_judge.c: whether the mount on the path is the configured one. It is judged by mountinfo,
 * the server's addresses and efs-utils' state files, without waiting: the mount itself is not
 * used, since its server may be silent.
 */

/* What is known in addition to the mount's line of mountinfo. */
struct judge_env {
	const char *state_dir;            /* EFS_STATE_DIR */
	const struct probe_answer *names; /* NULL: no answer since this mount appeared */
	bool proved;                      /* this very mount has been right before */
	const char *mountinfo;            /* the whole text */
	size_t mountinfo_len;
	const char *backing; /* the file of a loop device; NULL: it is none */
};

struct finding {
	enum mount_state state;     /* MOUNT_RIGHT, MOUNT_WRONG or MOUNT_UNVERIFIED */
	char text[LIMIT_FACT_TEXT]; /* "nfs4 fs-....amazonaws.com:/ (10.16.3.7)" */
	char why[LIMIT_FACT_WHY];   /* if right: which mount it covers on the same path */
	bool names;                 /* a new answer about the server's name may change this */
};

/* Judges `there`, the topmost mount on `path`. Always fills *ret. */
void judge(const struct target *target, const char *path, const struct mountinfo *there,
           const struct judge_env *env, struct finding *ret);

/*
 * mount_efs.c: the state files of efs-utils, in which its watchdog finds its mounts. They prove
 * that an NFS mount of 127.0.0.1 is the configured file system, and not another tunnel.
 *
 * Source: aws/efs-utils, src/efs_utils_common/proxy.py and file_utils.py (2.x, 3.x) and
 * src/mount_efs (1.x). There is one file per mount in /var/run/efs, ID.PATH.PORT, in which PATH
 * is the mount point with dots for slashes and without the first one. While the helper works,
 * "~" stands before the name. JSON: cmd (list), files, and pid, which is missing while the
 * watchdog starts a new proxy; with TLS also accessPoint, mountStateDir, certificate ...; fsId
 * since 1.3x, mountpoint since 2.x.
 */
#define EFS_STATE_DIR "/var/run/efs"

/* The name of a state file: for "/var/www/html/efs" it has "var.www.html.efs". False if it does not
 * fit. */
bool efs_state_name(const char *file_system, const char *path, unsigned port, char *ret,
                    size_t size);

struct efs_state {
	bool tls;                      /* the proxy was started with TLS */
	char access_point[LIMIT_NAME]; /* empty: none */
	int64_t mount_ms;              /* when the helper wrote it, wall-clock time; 0: not known */
	int64_t unmount_ms; /* since when the watchdog has seen no mount; it ends the proxy 30 s
	                     * later, also if there is a mount again; -1: the mount is there */
};

/*
 * The state of the mount of `file_system` on `path` by `port`, read from the folder `dir`.
 *
 * 0; -ENOENT no such file; -EINPROGRESS the file still has its unfinished name, "~ID.PATH.PORT"; -EPERM a file that others than root and its group could write; -EBADMSG
 * not what efs-utils writes, or about another mount; -errno.
 */
int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   struct efs_state *ret);

/* Whether there is a state file of this file system and port, for whichever path. */
bool efs_state_of_another(const char *dir, const char *file_system, unsigned port);

/* The pure part: reads and checks the JSON text. 0 or -EBADMSG. */
int efs_state_parse(const char *json, size_t len, const char *file_system, const char *path,
                    struct efs_state *ret);

/* Writes another unmount_ms to the file `name`, which has the text `json`, or, with -1, none. 0
 * or -errno. */
int efs_state_mark(const char *dir, const char *name, const char *json, int64_t unmount_ms);

/* Writes another pid to the file `name`, which has the text `json`. 1; 0 it has this pid; -errno. */
int efs_state_note(const char *dir, const char *name, const char *json, pid_t pid);

/* mount_look.c: what is mounted on the path now, judged. */

/* The last answer about the name of the target's host. */
struct look_names {
	uint64_t serial; /* of the keeper: the mount for which it was asked */
	struct probe_answer answer;
};

/* Reads mountinfo and judges. Never blocks: it reads files of the kernel, and small ones on a
 * tmpfs. 0; -errno mountinfo could not be read. */
int look_at(const struct conf_mount *conf, const struct target *target, const struct keeper *keeper,
            const struct look_names *names, struct keeper_look *ret);

/* Sets the read-ahead of an NFS mount to 15 times rsize, as AWS's helper does: kernels since 5.4
 * read ahead 128 KiB, whatever rsize is. A value that is not the kernel's own stays. */
void look_read_ahead(const struct conf_mount *conf);

/* mount_place.c: the mount point. May block on the file systems of the directories above it. */

enum { PLACE_PATH = 512 }; /* as in mountinfo.h */

struct place {
	int parent;            /* the directory in which it is */
	char name[PLACE_PATH]; /* its name there */
};

/*
 * Makes the mount point and the missing directories above it (root's, 0755), and opens its
 * parent. All directories above it must be root's, writable by no other user, and not symbolic
 * links (trust.h): a user who can replace one of them by a link could direct the mount to any
 * directory of the machine. 0; -errno with a reason.
 */
int place_make(const char *path, struct place *ret, char *ret_why, size_t why_size);

/* Opens the parent of an existing mount point, without these checks. 0 or -errno. */
int place_open(const char *path, struct place *ret);

void place_close(struct place *place);

/*
 * Opens the bare directory, also when a file system is mounted on it: a private copy of the
 * parent's mount does not have the mounts on top of it. A mounted file system is neither used
 * nor waited for. A descriptor or -errno.
 */
int place_open_bare(const struct place *place);

/* A copy of the mount on `path`, which is not attached anywhere: a descriptor or -errno. */
int place_take(const char *path);

/* Mounts the copy `tree` on the mount point. 0; -EBUSY it has a mount already; -errno. */
int place_attach(const struct place *place, int tree);

/* Whether `path` still leads to this mount point, over trusted directories only. */
bool place_is_still(const struct place *place, const char *path);

/*
 * mount_guard.c: the guard of the bare mount point. That is an ordinary directory of the root
 * disk, which a web server would serve and write to; therefore it is made immutable. An immutable
 * directory can be a mount point. The agent takes the flag back only from directories on its
 * record: not from one that another program has made immutable, nor from a new directory of that
 * name.
 *
 * The record is a folder. It has a symbolic link for each directory, named after its path, with
 * the text "INODE PATH": a link is made in one step.
 */
struct guard {
	bool immutable;           /* the bare directory cannot be written, not even by root */
	char why[LIMIT_FACT_WHY]; /* why it is not immutable, or what is hidden in it */
};

/*
 * Notes the bare directory of `place`, which is `path`, in the folder `record` and makes it
 * immutable. Without `wanted` it clears the flag of that directory if it is on record.
 * Always fills *ret.
 */
void guard_set(const struct place *place, const char *path, bool wanted, const char *record,
               struct guard *ret);

/*
 * Takes back the flag of all directories on record, except that of the path `keep`. A directory
 * that is not there, or another one of its name, stays on record, since its disk may come back.
 * With NULL, at the removal of the agent, nothing is kept. Logs each directory. 0; -errno of
 * the last failure, and that directory stays on record; -EBADMSG if an entry cannot be read.
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

/* Reads the note. False if there is none. */
bool group_read(const char *dir, struct process_group *ret);

/* Whether a process of the group lives, its first one or another. */
bool group_lives(const struct process_group *group);

struct attempt {
	pid_t pid;                  /* 0: ended */
	int status;                 /* mount(8)'s exit code; -1: not ended, or not known */
	struct process_group group; /* leader 0: there is no attempt */
	int words_fd; /* output of the child and its helper; non-blocking; -1: closed */
	int guard_fd; /* one struct guard; the same */
	struct guard guard;
	bool guard_told; /* `guard` has come; the caller resets it */
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
 * Takes its output, and tells whether it has ended. When it is gone, *ret_status is mount(8)'s
 * exit code, or 128 + n if signal n has killed it, or -1 if it was taken over; the struct may
 * be used again.
 */
enum attempt_end attempt_check(struct attempt *attempt, int *ret_status);

/*
 * "FIRST ... LAST": the first and the last line of a helper's output that have a meaning, without
 * control characters, cut to fit; one line alone as it is. Lines without a meaning only refer to
 * documentation ("See https://..."), or are Python's traceback of SIGINT; the b'...' of Python is
 * removed. Empty if there was no output. Returns `ret`.
 */
char *attempt_said(const char *words, size_t len, char *ret, size_t size);

/*
 * mount_do.c: the child of an attempt. The kernel and the helpers follow links in the path of a
 * mount point. Therefore NFS and bind mounts are made on a folder of root's, in a mount
 * namespace of the child's own, and moved from there to the directory that was checked.
 * mount.efs, whose state file has the path, and other types need the path itself. If it leads
 * elsewhere meanwhile, what was mounted there is detached.
 */
enum { DO_TROUBLE = 2 }; /* mount(8): system error */

/*
 * Makes and guards the mount point, and mounts unless `guard_only`. Writes a struct guard to
 * the descriptor `guard`, and reasons to standard error. Returns mount(8)'s exit code. May
 * block for ever.
 */
int do_mount(const struct conf_mount *conf, const struct target *target, bool guard_only,
             int guard);

/*
 * mount_probe.c: a resident child, of user wna-probe and without capabilities. It asks the file
 * system and name servers, which may never answer (include/probe.h). One question at a time.
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

/* mount_mend.c: the acts of mount_heal.h, done and reported: as entries of the journal with the fields
 * MESSAGE_ID=JOURNAL_MOUNT_ID, WNA_EVENT, WNA_MOUNT and WNA_PORT. Events are "proxy-ended" and
 * "proxy-started", which have WNA_PID and WNA_CAUSE, "mount-given-up", "mount-repair", the outcome,
 * and "proxy-files-restored". */
#define JOURNAL_MOUNT_ID "7c5e08b3d94a4f21a6d3f0be14c97a52"

struct mend {
	const struct conf_mount *conf;
	const struct target *target;
	struct keeper *keeper;
	struct probe reach; /* asks whether the mount target accepts connections */
	int64_t reach_ms;   /* it is killed then */
	bool known;         /* there is an answer, `reached` */
	bool reached;
	unsigned zone;         /* of the other target that is asked: "a" is 0 */
	struct net_addr other; /* that accepts connections; family 0: none is known */
	struct home home;      /* of the last redirect */
	struct proxy proxy;
	int64_t note_ms;      /* the next look at the process in the state file */
	int64_t copy_ms;      /* the next copies of the proxy's files */
	uint64_t copy_serial; /* keeper.serial of the last ones */
	enum service_state said;
	char told[LIMIT_FACT_TEXT]; /* the repair that was logged last */
};

void mend_say(struct mend *mend, const struct worker *worker);
/* Puts back the files of the proxy, if they were deleted. Call before a look. */
void mend_restore(struct mend *mend);
void mend_read(struct mend *mend, int64_t now_ms);
void mend_reach(struct mend *mend, int64_t now_ms);
/* SIGUSR1, of `wnactl mount repair`. */
void mend_asked(struct mend *mend, int64_t now_ms);
/* Takes answers and ends of children. */
void mend_check(struct mend *mend, int64_t now_ms);
/* KEEPER_PROXY_START, KEEPER_PROXY_KILL or KEEPER_PROXY_AWAY. */
void mend_proxy(struct mend *mend, enum keeper_act what, int64_t now_ms);
/* KEEPER_GIVE_UP. */
void mend_give_up(struct mend *mend);

#endif
