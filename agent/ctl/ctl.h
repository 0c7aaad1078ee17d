/*
 * wnactl: what people and scripts ask web-node-agent, and the check and load of its
 * configuration. ctl_view.h is the other half: what is shown, which is pure.
 *
 *	ctl_main.c       the command line
 *	ctl.c            terminal, exit codes, words for what went wrong
 *	ctl_status.c     one question to the hub and its answer; wnactl status
 *	ctl_absent.c     why the agent does not run
 *	ctl_watch.c      wnactl status --watch
 *	ctl_keys.c       ... its keys, and the terminal's mode meanwhile
 *	ctl_wait.c       wnactl wait
 *	ctl_factsfile.c  wnactl facts
 *	ctl_sockets.c    wnactl database connections
 *	ctl_drain.c      wnactl drain, undrain
 *	ctl_policy.c     wnactl iam-policy
 *	ctl_conf.c       wnactl check, wnactl config
 *	ctl_load.c       wnactl load
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf_load.h"
#include "ctl_view.h"
#include "fact.h"
#include "hub.h"
#include "limits.h"
#include "verdict.h"

/* Documented in wnactl(1). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1,          /* a negative answer: absent, refused; status: degraded, and serves */
	CTL_OUT = 2,         /* status: out of service */
	CTL_UNREACHABLE = 3, /* the agent does not run or does not answer */
	CTL_TIMEOUT = 4,
	CTL_DENIED = 5, /* this user may not ask the agent */
	CTL_BAD = 6,    /* the answer is not from this agent */
	CTL_OFF = 7,    /* the job waited for is switched off */
	CTL_USAGE = 64, /* EX_USAGE of sysexits.h */
};

struct ctl {
	const char *socket;  /* path of the hub */
	const char *run_dir; /* where facts.json and facts.env are */
	FILE *out;           /* answers */
	FILE *err;           /* progress and complaints */
	int in;              /* keys of status --watch; -1: none */
	bool out_tty, err_tty;
	bool colour;       /* on out */
	bool utf8;         /* the terminal's character set */
	int width, height; /* columns and rows (0: endless), when they cannot be asked for */
	int64_t answer_ms; /* how long one answer may take */
	int64_t poll_ms;   /* between two questions of wait */
	int64_t watch_ms;  /* between two pages of status --watch */
	int64_t firm_ms;   /* wait believes a refusal that lasts this long */
};

/* -- ctl.c -- */

/* Fills in what the environment says (terminal, NO_COLOR, TERM, locale) and
 * the defaults; `out` and `err` are stdout and stderr. */
void ctl_init(struct ctl *ret);

/* Columns of the terminal behind `file`, or `otherwise`; at least 20. */
int ctl_width(FILE *file, int otherwise);
/* Its rows, or `otherwise`. */
int ctl_rows(FILE *file, int otherwise);

/*
 * Says on err why talking to the agent failed (-errno of talk or view_parse,
 * with the reason of the latter) and returns the exit code for it.
 */
enum ctl_exit ctl_complain(const struct ctl *ctl, int error, const char *why);

/* The same as one phrase, for progress lines. Returns `ret`. */
char *ctl_phrase(const struct ctl *ctl, int error, const char *why, char *ret, size_t size);

/* -- ctl_status.c -- */

enum { TALK_MAX = 256 * 1024 }; /* bytes of an answer; the agent's are below 128 KiB */

/*
 * Connects to `path`, asks and waits for the answer, all within timeout_ms. 0 with a
 * malloc'd, NUL-terminated text; -ENOENT and -ECONNREFUSED no agent there; -EACCES;
 * -EAGAIN its queue of connects is full; -ETIMEDOUT; -ECONNRESET ended without an
 * answer; -EMSGSIZE longer than TALK_MAX; other -errno. The caller frees *ret_text.
 */
int talk(const char *path, enum hub_ask ask, int64_t timeout_ms, char **ret_text, size_t *ret_len);

/* -- The commands -- */

/*
 * Asks for the status and understands it. 0; otherwise -errno of talk or
 * view_parse, with the reason of the latter in why[why_size]. With ret_text
 * the JSON as it came, malloc'd, also when it could not be understood.
 */
int status_ask(const struct ctl *ctl, struct view *ret, char *why, size_t why_size,
               char **ret_text);

/* Shows it once, as a screen or as the agent's JSON. CTL_OK if the node is well, CTL_NO if it is
 * degraded and serves, CTL_OUT if it is out of service. */
enum ctl_exit status_once(const struct ctl *ctl, bool json, bool verbose);

/* The table of reasons as operations.md has it. */
enum ctl_exit reasons_print(const struct ctl *ctl);

/* Says on err why the agent does not run: what systemd says of its units, in the form of
 * `systemctl show`, and the problems of the configuration in `file`. */
void absent_tell(const struct ctl *ctl, FILE *units, const char *file);

/* The same of this machine. */
void absent_explain(const struct ctl *ctl);

/* The recorded changes, the oldest first, a line each. */
enum ctl_exit history_show(const struct ctl *ctl);

/* What is known about the shared file system's mount. CTL_OK if it serves, CTL_NO if not, CTL_OFF
 * if none is configured. */
enum ctl_exit mount_show(const struct ctl *ctl);

/* Asks wna-mount for a repair, and waits for its outcome. CTL_OK if the mount serves by a new proxy,
 * CTL_NO if it was refused or did not help, CTL_DENIED for others than root, CTL_UNREACHABLE if
 * the service does not run, CTL_TIMEOUT. */
enum ctl_exit mount_repair(const struct ctl *ctl);

enum drain_kind {
	DRAIN_ON,
	DRAIN_OFF,
	DRAIN_AT_SHUTDOWN, /* until the machine stops; nothing is done while it does not */
};

/*
 * Orders wna-cloud to drain this node, or to end that, and waits until it obeys; with `wait` until the
 * node is drained. CTL_OK; CTL_NO if the node drains for another reason; CTL_DENIED for others than
 * root; CTL_UNREACHABLE if the service does not run; CTL_TIMEOUT after timeout_ms.
 */
enum ctl_exit drain_order(const struct ctl *ctl, enum drain_kind kind, bool wait,
                          int64_t timeout_ms);

/* Shows it again every second until a signal or `q` ends it; CTL_OK then. */
enum ctl_exit status_watch(const struct ctl *ctl, bool verbose);

/* -- Keys: ctl_keys.c -- */

enum keys_step { KEYS_NONE, KEYS_END, KEYS_LINE, KEYS_LINE_BACK, KEYS_PAGE, KEYS_PAGE_BACK };

/* From now on keys come at once, and are not echoed. Signals of the terminal stay. */
void keys_begin(const struct ctl *ctl);
/* The terminal is as before. */
void keys_end(const struct ctl *ctl);
/* What has been typed; never waits. */
enum keys_step keys_read(const struct ctl *ctl);

enum wait_goal {
	WAIT_READY,
	WAIT_HEALTHY,
	WAIT_MOUNTED,
	WAIT_DATABASE,
	WAIT_METRICS,
	WAIT_IDENTITY,
	WAIT_GOAL_MAX
};

enum wait_answer { WAIT_DONE, WAIT_NOT_YET, WAIT_IS_OFF, WAIT_NO_JOB };

/* "ready" "healthy" "mounted" "database" "metrics" "identity"; WAIT_GOAL_MAX if there is
 * none of this name. */
enum wait_goal wait_goal_of(const char *name);

/* Has the goal been reached in this view, and if not, why: "mount: fail: ...".
 * Pure. */
enum wait_answer wait_judge(const struct view *view, enum wait_goal goal, char *why,
                            size_t why_size);

/*
 * Asks every ctl->poll_ms until the goal is reached; an agent that does not
 * run yet is waited for as well. CTL_OK; CTL_TIMEOUT after timeout_ms (0: one
 * look); CTL_OFF if the job is switched off; CTL_DENIED; CTL_BAD. The last
 * line on err says what is wrong.
 */
enum ctl_exit wait_for(const struct ctl *ctl, enum wait_goal goal, int64_t timeout_ms);

/* What the node knows about itself, from the files that wna-cloud writes: it works while the
 * agent is being restarted. facts.json as it is. */
enum ctl_exit facts_json(const struct ctl *ctl);

/* facts.env, which a script of root's may evaluate though the file is wna-cloud's: all
 * of it if each line is NAME=VALUE of WNA_[A-Za-z0-9_]* and [A-Za-z0-9._:/-]+, or else
 * nothing and CTL_BAD. */
enum ctl_exit facts_env(const struct ctl *ctl);

/* All facts as a table, tags last. */
enum ctl_exit facts_table(const struct ctl *ctl);

/* The value of one fact, or of a tag ("tags.Name"), on a line of its own. CTL_NO
 * if it is absent or not known yet, CTL_USAGE if there is no fact of this name. */
enum ctl_exit facts_value(const struct ctl *ctl, const char *key);

/* Lists this node's connections to the configured database port, whatever the policy, and marks
 * those to the former writer. CTL_OK, also if there are none; CTL_OFF if no
 * database is configured; CTL_UNREACHABLE without a configuration in force. */
enum ctl_exit connections_show(const struct ctl *ctl);

/*
 * The following five return an exit code: CTL_OK; CTL_NO if the answer could not be written or
 * memory is short; otherwise the enum conf_error of the first problem, after all
 * problems have been written to err.
 */

/* Reports all problems and remarks of the configuration in `file`, and of this machine. */
int ctl_check(const struct ctl *ctl, const char *file);

/* Prints the configuration in `file` with all defaults; nothing if it is bad. */
int ctl_config(const struct ctl *ctl, const char *file);

/* Prints the least IAM policy for what the configuration in `file` switches on; CTL_OFF if it needs
 * none. */
int policy_print(const struct ctl *ctl, const char *file);

/* Prints the list of keys, with `roff` as agent.conf(5) shows it. */
int ctl_config_keys(const struct ctl *ctl, bool roff);

/*
 * Run by web-node-agent.service at its start, and with `apply` at `systemctl reload`. Reads
 * `file`, tells all problems, and writes the snapshot (snapshot.h) into the run directory. Bad
 * files leave the snapshot as it is; if there is none, a snapshot of the defaults with the
 * reason is written, and the agent answers 503. A problem of the machine alone (for example
 * a secret file) refuses a reload, but not the first load: the process concerned looks
 * again by itself.
 *
 * `apply`: then has systemd reload, or start, the services that this configuration
 * concerns, without waiting for them.
 */
int ctl_load(const struct ctl *ctl, const char *file, bool apply);

/* Between ctl_conf.c and ctl_load.c: writes all problems and remarks to err ... */
void ctl_tell_problems(const struct ctl *ctl, const struct conf_draft *draft);

/* ... and says what is wrong with a file of certificates (conf_check_machine). */
const char *ctl_certs_fault(const char *path, const char **ret_remark);

#endif
