/*
 * wnactl: what people and scripts ask web-node-agent, and the check and load of its
 * configuration.
 *
 *	ctl_main.c       the command line
 *	ctl.c            terminal, exit codes, words for what went wrong
 *	ctl_view.c       the status as a struct
 *	ctl_text.c       text from outside, made safe for a terminal
 *	ctl_page.c       columns, paragraphs and colours
 *	ctl_screen.c     the screen of wnactl status
 *	ctl_status.c     one question to the hub and its answer; wnactl status
 *	ctl_watch.c      wnactl status --watch
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
#include "fact.h"
#include "hub.h"
#include "limits.h"
#include "verdict.h"

/* Documented in wnactl(1). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1, /* a negative answer: not ready, absent, refused */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3, /* the agent does not run or does not answer */
	CTL_TIMEOUT = 4,
	CTL_DENIED = 5, /* this user may not ask the agent */
	CTL_BAD = 6,    /* the answer is not from this agent */
	CTL_OFF = 7,    /* the job waited for is switched off */
};

struct ctl {
	const char *socket;  /* path of the hub */
	const char *run_dir; /* where facts.json and facts.env are */
	FILE *out;           /* answers */
	FILE *err;           /* progress and complaints */
	bool out_tty, err_tty;
	bool colour;       /* on out */
	bool utf8;         /* the terminal's character set */
	int width;         /* columns, when it cannot be asked for */
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
/* Its rows, or 0 if it has none. */
int ctl_rows(FILE *file);

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

/* -- /status (verdict.h) as wnactl understands it: ctl_view.c -- */

enum {
	VIEW_JOBS = 8,
	VIEW_PROCESSES = 16,
	VIEW_COUNTERS = 32,
	VIEW_TEXT = 512,
};

/* Times are Unix ms, 0 = not known. */
struct view_page {
	int code;
	enum verdict_level level;
	int64_t since_ms;
	char why[VIEW_TEXT];
};

struct view_job {
	char name[LIMIT_NAME];
	enum verdict_level level;
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT], next[VIEW_TEXT];
};

struct view_check {
	char name[LIMIT_NAME], type[16], scope[16];
	enum verdict_level level;
	int64_t since_ms;
	int64_t last_us; /* -1 = not known */
	char why[VIEW_TEXT];
};

struct view_process {
	char role[LIMIT_NAME], state[24];
	int64_t since_ms;
	char what[VIEW_TEXT], why[VIEW_TEXT];
};

struct view_event {
	int64_t at_ms;
	char what[VIEW_TEXT];
};

struct view_counter {
	char name[LIMIT_NAME];
	int64_t value;
};

/* verdict.h's "lifecycle". */
struct view_life {
	enum life_state state; /* LIFE_STATE_MAX: not known */
	int64_t since_ms;
	char why[VIEW_TEXT], next[VIEW_TEXT];
};

/* The fact mount-service (fact.h). */
struct view_service {
	enum service_state state; /* SERVICE_STATE_MAX: the fact is not there */
	int64_t since_ms, cause, tries, repairs;
	char last[VIEW_TEXT]; /* repair */
	char why[VIEW_TEXT];
};

struct view {
	char version[32];
	int64_t started_ms, now_ms;
	int64_t loaded_ms;     /* of the configuration, Unix time */
	char error[VIEW_TEXT]; /* not empty: no valid one has been loaded since the boot */
	struct view_page healthz, readyz;
	struct view_life life;
	struct view_service service;
	int64_t push_sent; /* fact push-sent: data CloudWatch took; -1 = not known */
	int jobs, checks, processes, events, counters;
	struct view_job job[VIEW_JOBS];
	struct view_check check[LIMIT_CHECKS];
	struct view_process process[VIEW_PROCESSES];
	struct view_event event[LIMIT_TIMELINE]; /* oldest first */
	struct view_counter counter[VIEW_COUNTERS];
};

/*
 * 0, or -EBADMSG with the reason in why[why_size] ("jobs[1].level: ..."). Members that are
 * not known are passed over, hence a newer agent can be asked; those that are must be of the
 * right type. Texts lose their control characters here, and text_write does the rest.
 */
int view_parse(const char *text, size_t len, struct view *ret, char *why, size_t why_size);

/* NULL if there is no job of this name. */
const struct view_job *view_job(const struct view *view, const char *name);

/* -- Text from outside on its way to a terminal: ctl_text.c -- */

/*
 * Takes one character (UTF-8) off `text`, which ends with NUL. Returns its
 * length in bytes, 0 at the end. *ret_cells is its width (0, 1 or 2), or -1
 * if it must not be shown: not UTF-8, control characters (C0, DEL, C1), those
 * that change the direction of writing or are invisible; outside ASCII also
 * if `utf8` is false. The process's LC_CTYPE must be UTF-8 if `utf8` is true.
 */
size_t text_next(const char *text, bool utf8, int *ret_cells);

/* Columns that `text` has when shown by text_write. */
int text_cells(const char *text, bool utf8);

/* Writes `len` bytes (no NUL among them) with '?' for what must not be shown;
 * newlines and tabs pass. */
void text_write(FILE *to, const char *text, size_t len, bool utf8);

/* -- A page for a terminal: ctl_page.c -- */

enum page_style { PAGE_PLAIN, PAGE_BOLD, PAGE_DIM, PAGE_GOOD, PAGE_WARN, PAGE_BAD, PAGE_STYLE_MAX };

/* No line is ever wider than the page, and no control character in it is from outside. */
struct page {
	FILE *to;
	int width;
	bool colour, utf8;
	int column; /* where the next character goes; `width` is past the end */
};

void page_init(struct page *ret, FILE *to, int width, bool colour, bool utf8);

enum page_style page_level_style(enum verdict_level level);

/* Text on the current line; what does not fit is cut and marked. */
void page_put(struct page *page, enum page_style style, const char *text);
__attribute__((format(printf, 3, 4))) void page_printf(struct page *page, enum page_style style,
                                                       const char *format, ...);

/* Blanks up to `column`; one blank if it has been passed, none at the line's start. */
void page_to(struct page *page, int column);

/* A paragraph from the current column on, broken between words, its further
 * lines from `indent` on; ends its last line. */
void page_wrap(struct page *page, int indent, enum page_style style, const char *text);

/* Ends the line. */
void page_end(struct page *page);

/* -- The screen: ctl_screen.c -- */

enum screen_detail {
	SCREEN_SHORT, /* each good job on one line, cut if it is too long: for a low terminal */
	SCREEN_NORMAL,
	SCREEN_VERBOSE, /* and all processes, all remembered changes, the counters */
};

/*
 * What the agent answers, each job with its reason and what happens next, the checks,
 * processes if something is wrong with them, the last changes. Times are reckoned from
 * view->now_ms, the agent's own clock when it answered.
 */
void screen_show(struct page *page, const struct view *view, enum screen_detail detail);

/* A number that is the same for two views between which nothing has changed
 * but time. */
uint64_t screen_shape(const struct view *view);

/* -- The commands -- */

/*
 * Asks for the status and understands it. 0; otherwise -errno of talk or
 * view_parse, with the reason of the latter in why[why_size]. With ret_text
 * the JSON as it came, malloc'd, also when it could not be understood.
 */
int status_ask(const struct ctl *ctl, struct view *ret, char *why, size_t why_size,
               char **ret_text);

/* Shows it once, as a screen or as the agent's JSON. CTL_OK if the node is
 * ready, CTL_NO if it is not. */
enum ctl_exit status_once(const struct ctl *ctl, bool json, bool verbose);

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

/* Shows it again every second until a signal ends it; CTL_OK then. */
enum ctl_exit status_watch(const struct ctl *ctl, bool verbose);

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
