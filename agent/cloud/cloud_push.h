/*
 * The way of the metric: windows wait in the queue and are pushed to CloudWatch.
 */
#ifndef CLOUD_PUSH_H
#define CLOUD_PUSH_H

#include "cloud_aws.h"
#include "cloud_metric.h"
#include "once.h"

/*
 * cloud_push_request.c: PutMetricData over AWS JSON 1.0 (API_PutMetricData, API_MetricDatum; on the wire
 * as botocore's model of cloudwatch/2010-08-01 and Smithy's awsJson1_0 have it).
 */
#define CWATCH_TARGET "GraniteServiceVersion20100801.PutMetricData"
#define CWATCH_TYPE   "application/x-amz-json-1.0"

enum {
	CWATCH_NAME = 256,            /* names and namespaces, with the NUL */
	CWATCH_BODY_MAX = 900 * 1000, /* bytes; the limit is 1 MB */
	/* One datum: two names of 255 bytes, each byte escaped into six at most, and the
	 * pairs of numbers. */
	CWATCH_DATUM_MAX = 2 * 6 * CWATCH_NAME + DATUM_VALUES_MAX * 14 + 512,
};

/* "AutoScalingGroupName", "InstanceId": CloudWatch's names. */
const char *cwatch_dimension_name(enum dimension dimension);

/* A datum as JSON, without its timestamp, which may still change. It has one dimension, `value`,
 * as a scaling policy reads it. */
void cwatch_datum(const struct conf_metrics *conf, enum dimension dimension, const char *value,
                  const struct datum *datum, char ret[CWATCH_DATUM_MAX]);

/* The same for one duration, of the metric `name`. */
void cwatch_duration(const struct conf_metrics *conf, enum dimension dimension, const char *value,
                     const char *name, int64_t ms, char ret[CWATCH_DATUM_MAX]);

/* A request's body being built. */
struct cwatch_body {
	struct sb sb; /* over CWATCH_BODY_MAX bytes of the caller's */
	char space[CWATCH_NAME];
};

/* Appends one datum. 0; -EFBIG if the request is full; -EXDEV if it is of another namespace
 * (one request has one). Otherwise nothing changes. */
int cwatch_body_add(struct cwatch_body *body, const char *space, int64_t at_ms, const char *datum);

/* Closes the JSON text. The body has at least one datum. */
void cwatch_body_end(struct cwatch_body *body);

/*
 * cloud_login.c: the login token of wna-rds, while database.auth is iam. The file LOGIN_FILE in
 * `dir` is always less than LOGIN_PERIOD_MS old, if there are credentials, a region and the database's
 * own name. Keeps all pointers. NULL when out of memory.
 */
struct login;

enum { LOGIN_PERIOD_MS = 10 * 60 * 1000 };

struct login *login_new(const struct worker *worker, const struct creds_store *creds,
                        const struct identity *identity, const char *dir);
void login_free(struct login *login);

/* Takes a FACT_RDS_HOST. RDS accepts a token for the name that it has given, not for an alias. */
void login_host(struct login *login, const char *name);

/* Signs if it is due. `aws_ms` is AWS's clock. Returns when it is needed again. */
int64_t login_turn(struct login *login, int64_t now_ms, int64_t aws_ms);

/*
 * cloud_queue.c: what CloudWatch has not accepted yet, on disk with its original timestamps.
 * Delivery is at least once: a datum is removed only after a 2xx, and is sent again if that
 * answer was lost, or if this process ended before the disk recorded the removal.
 *
 * While the disk cannot be used (full, read-only, missing, damaged) new data waits in memory,
 * bounded, and moves to the disk when that works again. A damaged file is renamed to
 * queue-1.db.corrupt, replacing an earlier one, and a new file is begun. The number in the name
 * is the version of the format: an agent of another version has a file of its own.
 */
#define QUEUE_FILE "queue-1.db"

enum {
	QUEUE_MEMORY_MAX = 1000,   /* data kept while there is no disk */
	QUEUE_RETRY_MS = 30 * 1000 /* between two tries of a disk in trouble */
};

struct queue_entry {
	int64_t id;        /* given by the queue; below 0 in memory */
	int64_t clock_ms;  /* skew.clock_ms, if stamped while the skew was unknown; else 0 */
	int64_t at_ms;     /* the datum's timestamp */
	const char *space; /* namespace */
	const char *datum; /* cwatch_datum's text */
};

/* The entry's texts are valid during the visit. False ends it. */
typedef bool queue_visit(void *arg, const struct queue_entry *entry);

/* `max` bounds the data on disk: the oldest is dropped beyond it. NULL only when out of
 * memory. */
struct queue *queue_open(const char *dir, int64_t max, int64_t now_ms);
void queue_close(struct queue *queue);

int64_t queue_count(const struct queue *queue);

/* Why data waits in memory; empty if the disk is well. */
const char *queue_trouble(const struct queue *queue);

/* Data dropped so far; *ret_why is the last reason and lives as long as the queue. */
int64_t queue_lost(const struct queue *queue, const char **ret_why);

/* Takes data in one transaction, all of it or nothing. */
void queue_add(struct queue *queue, const struct queue_entry *entries, size_t count);

/* Visits up to `limit` data, the newest first. The queue must not be changed from within. */
void queue_newest(struct queue *queue, size_t limit, queue_visit *visit, void *arg);

/* CloudWatch has accepted them, the data of one request (at most PUSH_BATCH_MAX). If the disk does
 * not record it, the ids wait in memory and nothing is read from the disk until it does. */
void queue_remove(struct queue *queue, const int64_t *ids, size_t count);

/* CloudWatch refuses it: removes it and counts it as lost for this reason. */
void queue_drop(struct queue *queue, int64_t id, const char *why);

/* Drops and counts data that CloudWatch would not accept: before oldest, after newest. */
void queue_expire(struct queue *queue, int64_t oldest_ms, int64_t newest_ms);

/* Moves by `by_ms` the timestamps of data stamped by the clock `clock_ms` (SKEW_STEP_MS more or
 * less), also by a former process of this boot, and gives it the clock `to_ms`; 0: the timestamps
 * are right. Data of another clock stays: what was wrong then is not known. */
void queue_shift(struct queue *queue, int64_t clock_ms, int64_t by_ms, int64_t to_ms);

/* Drops and counts the data of another instance: an image made from a running node must not
 * make every clone send that node's backlog. Data without an id is taken for this
 * instance's. */
void queue_claim(struct queue *queue, const char *instance_id);

/* Tries a disk in trouble again. Data that moves from memory to the disk gets other ids: do
 * not call it between queue_newest and queue_remove. */
void queue_turn(struct queue *queue, int64_t now_ms);

/*
 * cloud_store.c: the queue's SQLite database, for cloud_queue.c alone. A write-ahead log with
 * synchronous = NORMAL: a commit is then one append without an fsync. A power cut may lose the last
 * windows but never damages the file, and a slow disk delays the samples least. The lock is
 * exclusive, which keeps the log's index in memory too (no -shm file). Pages are small and
 * few are cached: a commit writes a handful.
 *
 * All return 0 or: -EBADMSG the file is damaged or not ours; -EBUSY another process has it;
 * -ENOSPC, -EROFS, -EACCES, -ENOMEM, -EIO.
 */
struct store;

int store_open(const char *path, struct store **ret);
void store_close(struct store *store);
int64_t store_count(const struct store *store);

/* One transaction: all or nothing. `owner`: the instance's id; "" = not known yet. */
int store_add(struct store *store, const char *owner, const struct queue_entry *entries,
              size_t count);
int store_remove(struct store *store, const int64_t *ids, size_t count);

/* Like queue_newest. Ends at a row that is not sound, which is removed and added to *lost. */
int store_newest(struct store *store, size_t limit, queue_visit *visit, void *arg, int64_t *lost);

/* These remove rows and add their number to *lost: before `oldest_ms` or after `newest_ms`; the
 * oldest beyond `max`; another owner's, while rows without an owner become this one's. */
int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost);
int store_trim(struct store *store, int64_t max, int64_t *lost);
int store_claim(struct store *store, const char *owner, int64_t *lost);

int store_shift(struct store *store, int64_t clock_ms, int64_t by_ms, int64_t to_ms);

/* Whether the store can be written: writes what is there already. */
int store_probe(struct store *store);

/* cloud_push.c: samples, windows and the gate, driven by the loop. */
struct push;

/* The jobs around push. Its files are in the worker's run_dir and state_dir. `identity` is always
 * current. */
struct push_deps {
	const struct worker *worker;
	const char *proc_stat; /* "/proc/stat" */
	struct http *http;
	struct creds_store *creds;
	const struct identity *identity;
};

/* NULL only when out of memory: without a disk, data waits in memory. Copies `deps`. */
struct push *push_new(const struct push_deps *deps, int64_t now_ms, int64_t wall_ms);

/* Does what is due: sample, close a window, start or retry a push. Returns when it is needed
 * again. */
int64_t push_turn(struct push *push, int64_t now_ms, int64_t wall_ms);

/* AWS's clock, as far as it is known. */
int64_t push_aws_ms(const struct push *push, int64_t wall_ms);

/* An answer of another service of AWS has told the time; the wall clock was not set meanwhile. */
void push_hear_time(struct push *push, const struct cwatch_answer *answer);

/* Data that CloudWatch has not accepted yet; 0 if metrics are off. */
int64_t push_unsent(const struct push *push);

/* /healthz has been 200 once since this boot (HUB_VERDICT). */
void push_healthy(struct push *push);

/* Takes a FACT_RDS_UP. Each outage whose beginning is known is pushed once, as the metrics
 * DatabaseDetectSeconds and DatabaseOutageSeconds, unless the node is held back. */
void push_outage(struct push *push, const struct msg *up, int64_t now_ms);

/* Ends a back-off: what is queued is pushed now. */
void push_retry(struct push *push, int64_t now_ms);

/* Queues the open window, cancels a request under way, frees. */
void push_free(struct push *push, int64_t now_ms);

/*
 * cloud_loop.c: wna-cloud's loop, apart from main() for a test that runs it whole. It runs until
 * SIGTERM or SIGINT, or until a reload needs a new process. Returns the process' exit code: 0,
 * or 1 without enough memory.
 */
int loop_run(const struct worker *worker, int signal_fd);

/* Blocks SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGRTMIN. Their signalfd, or -1; call it before worker_init and
 * before any thread is made: threads inherit the mask. */
int loop_signals(void);

/* From here on: the inside, for cloud_push.c, cloud_push_send.c and cloud_push_request.c. */
enum {
	/* Data in one request: starts small, doubles with each success and falls back with
	 * each failure: a backlog never delays the current window for long. */
	PUSH_BATCH_FIRST = 20,
	PUSH_BATCH_MAX = 200,
	PUSH_PACE_MS = 1000,        /* between two requests of a backlog, about */
	PUSH_BACKOFF_MS = 1000,     /* first wait after a failure */
	PUSH_DROPS_MAX = 3,         /* data dropped in a row; then the cause is elsewhere */
	PUSH_DENIED_MS = 60 * 1000, /* first wait after a refusal that an operator has to end */
	PUSH_DENIED_MAX_MS = 10 * 60 * 1000,
	PUSH_FACTS_MS = 5000,             /* all facts again */
	PUSH_FUTURE_MS = 2 * 3600 * 1000, /* CloudWatch accepts data this far ahead */
};

_Static_assert((int)PUSH_BATCH_MAX <= 1000, "CloudWatch's limit of data in a request");

#define PUSH_NEVER INT64_MAX

/* The sending half. */
struct push_send {
	struct http_call *call;
	bool answered; /* `answer` is new */
	struct cwatch_answer answer;
	int64_t ids[PUSH_BATCH_MAX];
	size_t count;          /* data in the request under way */
	bool clock_was_set;    /* during that request */
	size_t limit;          /* of the next request's data */
	int64_t due_ms;        /* monotonic; PUSH_NEVER: nothing to do */
	unsigned attempt;      /* failures in a row */
	unsigned drops;        /* data dropped since something was accepted */
	bool clock_tried;      /* one retry at once for a corrected clock */
	char refused_key[129]; /* access key id that AWS refused; others are tried at once */
	enum push_state state;
	char why[LIMIT_FACT_WHY];
	int64_t accepted;       /* data, since start */
	int64_t accepted_at_ms; /* wall clock; 0 = never */
};

struct push {
	struct push_deps deps;
	const struct conf_metrics *conf;
	struct cpu cpu;
	int cpu_error;        /* -errno of the last reading */
	int64_t cpu_permille; /* of the last sample; -1 = none yet */
	struct trend cpu_hour;
	struct series series;
	struct skew skew;
	int64_t clock_ms; /* as in queue_entry, of the open window */
	struct gate gate;
	bool healthy;        /* /healthz has been 200 since boot */
	struct once outage;  /* the last outage of the database that was pushed */
	struct queue *queue; /* NULL: metrics are off */
	bool early;          /* a series has just begun: do not wait for its window's end */
	struct push_send send;
	bool facts_dirty;
	int64_t facts_ms; /* when all facts were last sent */
};

/* cloud_push.c: an answer told AWS's time and changed the skew by `by_ms`. */
void push_told_time(struct push *push, int64_t by_ms);

/* cloud_push_send.c */
void send_init(struct push_send *send);
/* New data is queued: push it within `delay_ms`, unless a back-off is running. */
void send_kick(struct push *push, int64_t now_ms, int64_t delay_ms);
/* A request is under way, or its answer has not been acted on. */
bool send_busy(const struct push *push);
int64_t send_turn(struct push *push, int64_t now_ms, int64_t wall_ms);

/* cloud_push_request.c: builds, signs and starts one request of the newest data. 0, with
 * send->call, ids and count set; -ENODATA if nothing could be put in; -errno. */
int request_start(struct push *push, const struct endpoint *endpoint, const struct creds *creds,
                  int64_t wall_ms);

#endif
