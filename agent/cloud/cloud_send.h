/*
 * The way to CloudWatch: where it is, a request's body and signature, what an answer
 * means, and the queue of what is not accepted yet.
 */
#ifndef CLOUD_SEND_H
#define CLOUD_SEND_H

#include "cloud_http.h"
#include "cloud_identity.h"
#include "cloud_metric.h"
#include "conf.h"
#include "str.h"

/*
 * cloud_endpoint.c: configured, from the SDKs' environment variables, or the region's own (AWS
 * General Reference, "Amazon CloudWatch endpoints and quotas"; the partitions are those of
 * botocore's partitions.json).
 */

struct endpoint {
	char url[LIMIT_VALUE];     /* "https://monitoring.eu-west-1.amazonaws.com/" */
	char host[LIMIT_HOST + 8]; /* lower case, with the port unless it is the scheme's own */
	char region[LIMIT_FACT_TEXT];
};

/*
 * `env` is getenv: the SDKs' variables for the region, the endpoint's URL, FIPS and dual-stack.
 * 0; -EAGAIN if the region is not known yet; -EINVAL if what is configured cannot be used.
 * Then `why` says it. A URL is http:// or https://, a host name or an address, perhaps a
 * port, and nothing more; http:// only leads to loopback unless metrics.allow_http. FIPS and
 * dual-stack, by configuration or environment, contradict a given URL, as in the SDKs.
 */
int endpoint_find(const struct conf_metrics *conf, char *(*env)(const char *name),
                  const struct identity *identity, struct endpoint *ret, char *why,
                  size_t why_size);

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

/* A datum as JSON has it, but for its timestamp, which may still be moved. Its only
 * dimension makes its series the one that a scaling policy reads. */
void cwatch_datum(const struct conf_metrics *conf, enum dimension dimension, const char *who,
                  const struct datum *datum, char ret[CWATCH_DATUM_MAX]);

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

/* cloud_cwatch_answer.c: what to do about an answer. The table of error codes is there. */
enum cwatch_verdict {
	CWATCH_ACCEPTED,
	CWATCH_RETRY,     /* throttled, their failure, no answer: back off */
	CWATCH_CLOCK,     /* the signature or its time is not believed */
	CWATCH_REFUSED,   /* the credentials are not accepted: get others */
	CWATCH_DENIED,    /* the credentials may not, or the service is not offered */
	CWATCH_BAD_DATUM, /* something in the request is not valid, or it is too large */
	CWATCH_UNKNOWN,   /* an error that is not in the table */
	CWATCH_FOREIGN,   /* no answer of CloudWatch at all: HTML, a redirect, garbage */
};

struct cwatch_answer {
	enum cwatch_verdict verdict;
	char code[64];            /* "Throttling"; empty if there is none */
	char why[LIMIT_FACT_WHY]; /* for people; never a signature's or a token's text */
	int64_t date_ms;          /* AWS's clock; 0 = not told, or not told by AWS */
	int64_t sent_ms, took_ms; /* as in http_result */
};

/* Pure and total: decides by the error code, and by the status only without one. */
void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret);

/*
 * cloud_sigv4.c: AWS Signature Version 4, for the one form of request that is sent: POST, the path
 * "/", no query ("Create a signed AWS API request" of the IAM User Guide,
 * reference_sigv-create-signed-request). Time is an argument: AWS's, not the machine's.
 */
enum {
	SIGV4_DATE = 17, /* "20260102T030405Z" and NUL */
	SIGV4_AUTHORIZATION = 768,
};

struct sigv4_request {
	/* As they are sent. Sorted by name, each once, names in lower case, values without
	 * blanks at their ends or two in a row; among them host (with the port as it is
	 * sent), x-amz-date and, with a session token, x-amz-security-token. */
	const struct http_header *headers;
	size_t header_count;
	const void *body;
	size_t body_len;
	const char *date; /* of sigv4_date, and the value of x-amz-date */
	const char *region, *service;
	const char *access_key, *secret_key;
};

/* Unix ms into the value of x-amz-date. False outside of the years 1970 to 9999. */
bool sigv4_date(int64_t wall_ms, char ret[SIGV4_DATE]);

/* Writes the value of the header Authorization: a secret for the five minutes in which AWS
 * accepts it. 0; -E2BIG if a text does not fit; -EIO if libcrypto fails. */
int sigv4_sign(const struct sigv4_request *request, char ret[SIGV4_AUTHORIZATION]);

/*
 * cloud_queue.c: what CloudWatch has not accepted yet, on disk with its original timestamps.
 * Delivery is at least once: a datum is removed only after a 2xx, and is sent again if that
 * answer was lost or the disk did not record the removal.
 *
 * While the disk cannot be used (full, read-only, missing, damaged) new data waits in memory,
 * bounded, and moves to the disk when that works again. A damaged file is renamed to
 * queue-1.db.corrupt, replacing an earlier one, and a new file is begun. The number in the name
 * is the version of the format: an agent of another version has a file of its own.
 */
#define QUEUE_FILE "queue-1.db"

enum {
	QUEUE_MEMORY_MAX = 1000,   /* data kept while there is no disk */
	QUEUE_RETRY_MS = 30 * 1000 /* between two looks at a disk in trouble */
};

struct queue_entry {
	int64_t id;        /* given by the queue; below 0 in memory */
	int64_t era;       /* of the clock that stamped it: struct skew */
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

/* Data dropped so far, by the queue itself or by queue_drop; *ret_why is the last reason
 * and lives as long as the queue. */
int64_t queue_lost(const struct queue *queue, const char **ret_why);

/* Takes data in one transaction, all of it or nothing. */
void queue_add(struct queue *queue, const struct queue_entry *entries, size_t count);

/* Visits up to `limit` data, the newest first. The queue must not be changed from within. */
void queue_newest(struct queue *queue, size_t limit, queue_visit *visit, void *arg);

/* Accepted by CloudWatch: gone from here. */
void queue_remove(struct queue *queue, const int64_t *ids, size_t count);

/* Refused by CloudWatch for good: gone, and counted as lost for this reason. */
void queue_drop(struct queue *queue, int64_t id, const char *why);

/* Drops and counts what CloudWatch would not take: before oldest, after newest. */
void queue_expire(struct queue *queue, int64_t oldest_ms, int64_t newest_ms);

/* Moves the timestamps of the data of era `from` by `by_ms`; they are of the era `to` then,
 * which may be the same. */
void queue_shift(struct queue *queue, int64_t from, int64_t to, int64_t by_ms);

/* Drops and counts the data of another instance: an image made from a running node must not
 * make every clone send that node's backlog. */
void queue_claim(struct queue *queue, const char *instance_id);

/* Tries a disk in trouble again. Data that moves from memory to the disk gets other ids, so it
 * must not be called between queue_newest and queue_remove. */
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

/* As queue_newest. Ends at a row that is not sound, which is removed and added to *lost. */
int store_newest(struct store *store, size_t limit, queue_visit *visit, void *arg, int64_t *lost);

/* These remove rows and add to *lost how many: what lies before `oldest_ms` or after
 * `newest_ms`; the oldest beyond `max`; another owner's. */
int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost);
int store_trim(struct store *store, int64_t max, int64_t *lost);
int store_claim(struct store *store, const char *owner, int64_t *lost);

int store_shift(struct store *store, int64_t from, int64_t to, int64_t by_ms);

/* Whether the store can be written: writes what is there already. */
int store_probe(struct store *store);

#endif
