/*
 * The core without its sockets: facts go in, the verdict, its history and the pages come
 * out. Nothing here reads a clock, allocates or waits; the simulator runs it on a virtual
 * clock. core_serve.h is the other half, the sockets.
 *
 *	core.c                the facts, and what each of them moves
 *	core_judge.c          the verdict: what follows from the five jobs
 *	core_judge_checks.c   ... the checks
 *	core_judge_jobs.c     ... identity, database, metrics
 *	core_judge_mount.c    ... the shared file system
 *	core_history.c        changes: the timeline, and entries of the journal
 *	core_page.c           the answers to health checks, rendered when the verdict changes
 *	core_status.c         the JSON of /status, rendered when it is asked for, as are
 *	core_html.c           the page, for a browser
 *	core_html_chart.c     ... its charts
 *	core_html_text.c      ... its style and its script
 *	core_metrics.c        the metrics, for Prometheus
 *	core_metrics_facts.c  ... those that are a fact
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "fact.h"
#include "hub.h"
#include "limits.h"
#include "role.h"
#include "snapshot.h"
#include "str.h"
#include "verdict.h"

/* -- The facts: core.c -- */

struct fact {
	int64_t value, more[HUB_MORE];
	char text[LIMIT_FACT_TEXT]; /* valid UTF-8 without control characters */
	char why[LIMIT_FACT_WHY];   /* same */
	int64_t at_ms;              /* monotonic, when it was found: at the latest on arrival */
	int64_t since_ms;           /* monotonic, from when on value has been this */
	int64_t since_wall_ms;      /* the same instant as Unix time, for people */
	bool seen;
};

struct facts {
	struct fact single[FACT_MAX];    /* all that have one instance */
	struct fact check[LIMIT_CHECKS]; /* as in the configuration's list */
	uint64_t taken, refused;
};

/*
 * Takes one fact from a peer of `role`. 0 and *ret_slot, its instance; refused
 * and counted: -EPERM another role owns it, -EINVAL no such fact, slot, name
 * or value (a state outside its enum, a check that is not configured).
 */
int facts_take(struct facts *facts, const struct conf *conf, enum role role, const struct msg *msg,
               int64_t now_ms, int64_t wall_ms, unsigned *ret_slot);

/* The last report, or one with seen == false. The slot must be in the fact's range. */
const struct fact *facts_get(const struct facts *facts, enum fact_id id, unsigned slot);

/* The first instant at which a fresh fact is unknown by age alone; INT64_MAX if never: it
 * has not been seen, or the verdict does not depend on its age. */
int64_t facts_expiry_ms(const struct facts *facts, const struct conf *conf, enum fact_id id,
                        unsigned slot);

/* A finder's connection to the hub, as the page shows it. */
struct link {
	bool up;
	bool other_conf;       /* it runs with another configuration than the core */
	int pid;               /* of the last connection; 0: none yet */
	int64_t since_wall_ms; /* of `up` */
};

/* All that the verdict may look at beside the clock. */
struct state {
	const struct conf *conf;
	const char *conf_why; /* not empty: there is no valid configuration */
	int64_t loaded_ms;    /* Unix time, when the configuration was loaded */
	struct facts facts;
	struct link link[ROLE_MAX];
	int64_t start_ms; /* monotonic, when this core started */
};

/* -- The verdict: core_judge.c -- */

/*
 * Every finding is local (only this node can have it) or shared (all nodes have it at
 * once). Only local ones turn /healthz, because an Auto Scaling group replaces a node
 * that answers 503, and a shared failure would replace the fleet (AWS Builders' Library,
 * "Implementing health checks").
 */
enum { JUDGE_TEXT = 256 };

struct finding {
	enum verdict_level level;
	enum reason reason;    /* the kind of `why` */
	bool turns_health;     /* makes /healthz 503 */
	bool turns_ready;      /* makes /readyz 503; always with turns_health */
	bool assumed;          /* OK without a result: initial = good */
	char what[JUDGE_TEXT]; /* the job's facts in one line; changes with every fact */
	char why[JUDGE_TEXT];  /* what is wrong; empty if nothing is */
	char next[JUDGE_TEXT]; /* what the agent does next; changes with the clock */
};

struct verdict {
	struct finding job[JOB_MAX];
	struct finding check[LIMIT_CHECKS];
	enum verdict_level health, ready; /* never LEVEL_OFF */
	unsigned well;        /* the jobs that are off, or well by results: bits 1 << enum job */
	enum reason reason;   /* of the worst finding, ... */
	char why[JUDGE_TEXT]; /* ... with its job's name */
	int64_t until_ms;     /* age alone can change nothing before this; INT64_MAX: never */
};

/* A pure, total function: the same state and time give the same verdict. */
void judge_verdict(const struct state *state, int64_t now_ms, struct verdict *ret);

/* 200 or 503: what an endpoint of this level answers. */
int judge_code(enum verdict_level level);

/* Between the files of the judge: one verdict in the making. */
struct judge {
	const struct state *state;
	const struct conf *conf;
	const struct facts *facts;
	int64_t now_ms, until_ms;
};

/* How far a finding reaches. */
enum reach {
	REACH_NONE,   /* shown only */
	REACH_READY,  /* shared: /readyz */
	REACH_HEALTH, /* local: /healthz and /readyz */
};

/* Fills level, reach, reason and why (NULL: nothing is wrong). */
__attribute__((format(printf, 5, 6))) void judge_find(struct finding *ret, enum verdict_level level,
                                                      enum reach reach, enum reason reason,
                                                      const char *why, ...);

/* Nothing is wrong. */
void judge_well(struct finding *ret, enum verdict_level level);

/* "in 27 s or at a reload", "now": when a fact's failure is tried again (enum retry_more). Empty, and
 * false, if the fact does not say. */
bool judge_retry(const struct judge *judge, const struct fact *fact, char *ret, size_t size);

/* Whether the fact has been seen and is not older than its maximum age. If so, the verdict may
 * change when the fact expires. */
bool judge_fresh(struct judge *judge, enum fact_id id, unsigned slot);

/* Whether `at_ms` lies ahead; if it does, the verdict may change then. */
bool judge_before(struct judge *judge, int64_t at_ms);

/* Whether `a` has a worse effect than `b`, or the same and is certain. */
bool judge_worse(const struct finding *a, const struct finding *b);

/* The fact's reason; `otherwise` if it gave none. */
const char *judge_why(const struct fact *fact, const char *otherwise);

void judge_mount(struct judge *judge, struct finding *ret);
void judge_checks(struct judge *judge, struct verdict *ret);
void judge_identity(struct judge *judge, struct finding *ret);
void judge_database(struct judge *judge, struct finding *ret);
void judge_metrics(struct judge *judge, struct finding *ret);

/* -- The history: core_history.c -- */

enum { TIMELINE_TEXT = 256 };

struct timeline_entry {
	int64_t wall_ms;
	char what[TIMELINE_TEXT]; /* valid UTF-8, no control characters */
};

/* The last LIMIT_TIMELINE changes. Zeroed, it is empty. */
struct timeline {
	struct timeline_entry item[LIMIT_TIMELINE];
	unsigned count; /* ever added */
};

/* Adds one line; it is cleaned, and cut if too long. The oldest line goes. */
void timeline_add(struct timeline *timeline, int64_t wall_ms, const char *what);

/* The number of entries, and the i-th of them, oldest first. NULL past the end. */
unsigned timeline_kept(const struct timeline *timeline);
const struct timeline_entry *timeline_get(const struct timeline *timeline, unsigned i);

struct core_since {
	enum verdict_level level;
	int64_t at_ms;   /* monotonic */
	int64_t wall_ms; /* the same instant as Unix time */
};

/* sd_id128: "the verdict on a job, a check or an endpoint changed". */
#define JOURNAL_FLIP_ID "6f3a1c0de4b94f0c9a5b7d2e81c6f417"

/* sd_id128: "the database went down, moved, or is writable again". */
#define JOURNAL_DATABASE_ID "b1d7a0c25e8f4c6bb3c94f1f7a52d860"

struct core;

/*
 * Compares the verdict with the levels before it. Each that changed gives a line of the
 * timeline and, at every log level, an entry of the journal with fields of its own
 * (systemd.journal-fields(7)): MESSAGE_ID=JOURNAL_FLIP_ID, WNA_JOB, WNA_FROM, WNA_TO,
 * WNA_WHY, and a priority by consequence: to fail err, to degraded warning, to ok notice,
 * else info. Where there is no journal these are log lines. True if /healthz or /readyz
 * changed.
 */
bool history_verdict(struct core *core, int64_t now_ms, int64_t wall_ms);

/*
 * Compares a fact with the same fact before it: some changes belong on the timeline although
 * no level changes. The database's events are entries of the journal as well:
 * MESSAGE_ID=JOURNAL_DATABASE_ID, WNA_EVENT ("database-down", "database-moved", "database-up"),
 * WNA_NUMBER, WNA_ADDRESS and, of database-up, the times that are known of enum rds_up_more.
 */
void history_fact(struct timeline *timeline, enum fact_id id, const struct fact *before,
                  const struct fact *after, int64_t wall_ms);

/* -- The pages: core_page.c -- */

enum page_id {
	PAGE_LIVEZ,     /* 200: the loop runs */
	PAGE_HEALTHZ,   /* 200 or 503: for the load balancer */
	PAGE_READYZ,    /* 200 or 503: all five jobs */
	PAGE_FORBIDDEN, /* 403: a rendered answer for another network, or through a proxy */
	PAGE_NOT_FOUND, /* 404 */
	PAGE_METHOD,    /* 405 */
	PAGE_BAD,       /* 400 */
	PAGE_URI,       /* 414 */
	PAGE_HEADERS,   /* 431 */
	PAGE_VERSION,   /* 505 */
	PAGE_MAX
};

enum { PAGE_BYTES = 320 };

struct page {
	uint16_t head_len; /* the answer to HEAD */
	uint16_t len;      /* the answer to GET: head and body */
	uint16_t date_at;  /* where the Date value is */
	char text[PAGE_BYTES];
};

struct pages {
	struct page item[PAGE_MAX][2]; /* [1]: the connection ends with it */
};

/* Renders all. The bodies are one word: they tell a stranger nothing. */
void page_render(struct pages *pages, enum verdict_level health, enum verdict_level ready,
                 int64_t wall_ms);

/* Writes a new Date (RFC 9110, 6.6.1) into all. */
void page_date(struct pages *pages, int64_t wall_ms);

/* The head of an answer with `body_len` bytes; `code`: 200 or 503; `fields`: header lines about
 * the body, each with its line end. Length written, or 0 if it does not fit. */
size_t page_head(char *ret, size_t size, int code, const char *fields, size_t body_len, bool close,
                 int64_t wall_ms);

/* -- All of it: core.c -- */

/* What the sockets count (core_serve.h). */
struct core_counters {
	uint64_t requests, accepted, evicted, timed_out, bad_requests, refused_status;
	uint64_t control, bad_messages;
};

struct core {
	struct state state;
	struct verdict verdict;
	struct timeline timeline;
	struct core_since health, ready, job[JOB_MAX], check[LIMIT_CHECKS];
	struct pages pages;
	struct core_counters counters;
	/* What core_verdict tells has changed, or the core accepts. May be NULL. */
	void (*changed)(void);
	int64_t started_wall_ms;
	unsigned silent;  /* bits of the roles whose job is on and that have not spoken yet */
	bool accepting;   /* requests are answered: `silent` is 0, or the wait for the
	                   * finders is over */
	bool was_healthy; /* /healthz has been 200 since this core started */
};

/*
 * How long a core that starts waits for its finders at most; connects wait in the
 * listener meanwhile. The local jobs alone (mount, checks) turn /healthz, and their
 * processes never block, hence they get the time in which a busy machine starts all
 * services anew: a hasty 503 would take a good node out of service. A process of another
 * job may be in a call that lasts longer; the core does not wait for it.
 */
enum { CORE_ACCEPT_MS = 600, CORE_ACCEPT_LOCAL_MS = 2000 };

/* Call core_step next. */
void core_init(struct core *core, const struct snapshot *snapshot, void (*changed)(void),
               int64_t now_ms, int64_t wall_ms);

/* Takes one fact from a peer of `role`, and acts on it. As facts_take. */
int core_take(struct core *core, enum role role, const struct msg *msg, int64_t now_ms,
              int64_t wall_ms, unsigned *ret_slot);

/* A finder has said all that it knows. */
void core_spoken(struct core *core, enum role role, int64_t now_ms, int64_t wall_ms);

/* A finder has connected, or its connection has ended. */
void core_link(struct core *core, enum role role, bool up, bool other_conf, int pid,
               int64_t wall_ms);

/* Does what is due: the verdict, its history and its pages. At core_next_ms, or earlier. */
void core_step(struct core *core, int64_t now_ms, int64_t wall_ms);

/* When core_step has something to do even if nothing arrives. */
int64_t core_next_ms(const struct core *core);

/* The message that tells a listener the verdict. */
void core_verdict(const struct core *core, struct msg *ret);

/* The message that tells a fact; false if it has not been seen. */
bool core_fact(const struct core *core, enum fact_id id, unsigned slot, struct msg *ret);

/* The verdict of now, whose countdowns move with the clock, after core_step if that is due:
 * all that is rendered tells one story. It stays until the next call. */
const struct verdict *core_view(struct core *core, int64_t now_ms, int64_t wall_ms);

/* -- /status: core_status.c -- */

/* Of any rendered answer: the worst tables fit (tests/unit/core/test_status.c, test_html.c and
 * test_metrics.c). */
enum { STATUS_BYTES = 128 * 1024 };
#define STATUS_FIELDS "Content-Type: application/json\r\n"

/*
 * Renders the body of /status and of the answer to ASK_STATUS (include/verdict.h) into
 * `ret`. Length, or 0 if the buffer is too small (never with STATUS_BYTES).
 */
size_t status_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size);

/* "http" "tcp" "file" "process" "disk" */
const char *check_type_name(int32_t type);

/* -- The page: core_html*.c -- */

/* As status_render: one HTML document, which needs nothing from elsewhere. Its answer has the code
 * of /healthz: a load balancer that may read it, and whose health check was left at the path "/",
 * is not told that a broken node is well. */
size_t html_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size);

/* The only style and script that a browser takes, by their SHA-256 (CSP Level 3). */
extern const char html_style[], html_script[];
#define HTML_STYLE_HASH  "r/FRBQZKsHbZxmi3XI7t8O0yfOvflkHBbcm4Q/+KJR0="
#define HTML_SCRIPT_HASH "hvIhVb5v+pfpOaLP1q/AhfbsNs+7ekessg308265I7s="
#define HTML_FIELDS                                                                                \
	"Content-Type: text/html; charset=utf-8\r\n"                                               \
	"Content-Security-Policy: default-src 'none'; style-src 'sha256-" HTML_STYLE_HASH          \
	"'; script-src 'sha256-" HTML_SCRIPT_HASH "'; img-src data:; connect-src 'self'; "         \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"                          \
	"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"

/* What a chart shows: `scale` is how many of its units of the fact make one of `unit`. */
struct html_chart {
	const char *title, *unit;
	enum fact_id hour; /* a trend */
	double scale;
	double top; /* 0: the largest value of the hour */
	double now; /* of the last value, in units of the fact; negative: not known */
};

void html_chart(struct sb *sb, const struct html_chart *chart, const struct facts *facts,
                int64_t now_ms);

/* -- The metrics: core_metrics*.c -- */

/* As status_render: Prometheus' text format, version 0.0.4. */
size_t metrics_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size);
#define METRICS_FIELDS "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"

/* Between its files: the lines HELP and TYPE; a sample's label, the first one after "{"; one
 * sample for each of `max` states, of which the present one is 1. */
void metrics_head(struct sb *sb, const char *name, const char *type, const char *help);
void metrics_label(struct sb *sb, const char *name, const char *value);
void metrics_states(struct sb *sb, const char *name, const char *label, const char *value,
                    const char *(*name_of)(int64_t), int64_t max, int64_t state);

/* All that are a fact. */
void metrics_facts(struct sb *sb, const struct core *core, int64_t now_ms, int64_t wall_ms);

#endif
