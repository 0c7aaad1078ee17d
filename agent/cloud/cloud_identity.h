/*
 * The node's identity: the session with the metadata service, its answers, and the job that asks,
 * reports and writes the files for other programs.
 */
#ifndef CLOUD_IDENTITY_H
#define CLOUD_IDENTITY_H

#include "cloud_http.h"
#include "conf.h"
#include "fact.h"
#include "str.h"
#include "worker.h"

static inline int64_t earlier(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/*
 * cloud_imds_rules.c: the pure half of the session with the metadata service: where to ask, and what
 * an answer means. After "Use the Instance Metadata Service" and "IMDSv2" (EC2 User Guide) and
 * the SDKs' reference guide for the variables' names.
 */
struct imds_settings {
	bool off;               /* AWS_EC2_METADATA_DISABLED: never asked */
	char base[LIMIT_VALUE]; /* "http://169.254.169.254", no slash at the end */
	int64_t timeout_ms;     /* one request */
	int attempts; /* unanswered requests in a row until the service is silent; 1..10 */
	int64_t token_ttl_s;
	char ignored[64]; /* a variable or key whose value is not valid; "" = none */
};

/*
 * Configuration and environment. The configured endpoint wins over
 * AWS_EC2_METADATA_SERVICE_ENDPOINT, and that over the mode, which is IPv6 if either source
 * wants it. AWS_METADATA_SERVICE_TIMEOUT (seconds) and _NUM_ATTEMPTS win over the configuration.
 */
void imds_settings_read(const struct conf_imds *conf, char *(*env)(const char *name),
                        struct imds_settings *ret);

/* What an answer means; `put`: to the token request. IMDS_OK: 200, or 404 to a question. Else the
 * state of the service, with a reason for people. A web page is IMDS_BAD. */
enum imds_state imds_judge(bool put, const struct http_result *result, const char *base,
                           char *ret_why, size_t size);

/*
 * cloud_imds.c: one session with the instance metadata service, version 2 only: a token, which is
 * renewed, and one question at a time. It never gives up.
 */
struct imds;

enum imds_reply {
	IMDS_REPLY_VALUE,  /* 200: body and len, not checked */
	IMDS_REPLY_ABSENT, /* 404 */
	IMDS_REPLY_FAILED, /* the service fails, body = the reason; the asker may ask again at
	                    * once, since the session waits */
	IMDS_REPLY_BAD,    /* this answer alone is bad, body = the reason; the asker waits */
};

struct imds_ask {
	char path[320]; /* "/latest/meta-data/..." */
	/* Called once from http_wait or imds_turn; `body` has a NUL after `len` bytes and is
	 * valid during the call only. May ask again at once. */
	void (*done)(void *arg, enum imds_reply reply, const char *body, size_t len,
	             int64_t now_ms);
	void *arg;
	/* for cloud_imds.c: */
	struct imds_ask *next;
	bool waiting;   /* queued or under way */
	bool renewed;   /* a new token was asked for, for it */
	int unanswered; /* how often it was sent in vain */
};

/* Keeps `http`, copies `settings`. NULL when out of memory. */
struct imds *imds_new(struct http *http, const struct imds_settings *settings);
void imds_free(struct imds *imds); /* asks that wait are forgotten */

/* Queues `ask`, which must outlive the answer; nothing happens if it waits already.
 * imds_withdraw forgets it, before its memory is freed. */
void imds_ask(struct imds *imds, struct imds_ask *ask);
void imds_withdraw(struct imds *imds, struct imds_ask *ask);

/* Starts a request. Needed at imds_deadline and after imds_ask. */
void imds_turn(struct imds *imds, int64_t now_ms);
int64_t imds_deadline(const struct imds *imds); /* INT64_MAX: nothing to do */

/* When a session that fails asks again, for RETRY_AT_MS. */
int64_t imds_retry_ms(const struct imds *imds);

/* Ends a back-off. */
void imds_retry(struct imds *imds);

/* For FACT_IMDS. */
enum imds_state imds_state(const struct imds *imds, const char **ret_why);

/*
 * cloud_facts.c: the answers of the metadata service. Plain memory, no pointers. Shapes after the EC2
 * User Guide's "Instance metadata categories" and the patterns of the services' API
 * references; types and states are not listed, since AWS may add some.
 */
enum {
	/* The text facts of this job, in the order of enum fact_id; then the MAC address,
	 * which is part of two paths, and the tags. */
	FACTS_FIRST = FACT_INSTANCE_ID,
	FACTS_END = FACT_SCHEDULED + 1,
	FACTS_MAC = FACTS_END,
	FACTS_TAGS,
	FACTS_COUNT = FACTS_END - FACTS_FIRST,
	TAGS_MAX = 64, /* EC2 allows 50, and AWS adds its own */
	TAGS_BYTES = 16 * 1024,
	TAG_VALUE_MAX = 1024, /* bytes; EC2 allows 256 characters */
};

enum facts_have { FACTS_UNKNOWN, FACTS_ABSENT, FACTS_PRESENT };

struct facts_item {
	enum facts_have have;
	char text[LIMIT_HOST]; /* "" unless present */
	int64_t due_ms;        /* when it is asked next */
	unsigned failures;     /* in a row */
	unsigned absences;     /* in a row */
	char why[96];          /* of the last failure; "" = none */
};

struct tags {
	int count;
	int left_out;          /* did not fit, or were not valid */
	size_t len;            /* of the members of a JSON object: */
	char json[TAGS_BYTES]; /* "\n    \"Name\": \"web\",\n    ..." */
};

struct facts {
	struct facts_item item[FACTS_COUNT + 2];
	struct tags tags;
};

#define FACTS_AT(facts, id) (&(facts)->item[(id)-FACTS_FIRST])

/* Below /latest/meta-data/; '*' stands for the MAC address. */
const char *facts_path(int id);

/* Whether `text` has the shape of the fact `id`. */
bool facts_valid(int id, const char *text);

/* Stores an answer: a valid text, or NULL for "absent". True if it changed. */
bool facts_set(struct facts *facts, int id, const char *text);

/* Records a good or a bad answer, and when the item is asked again. An absent item that may come
 * late, as an instance's tags after boot, is asked again soon at first. */
void facts_good(struct facts_item *item, bool absent, bool late, int64_t period_ms, int64_t now_ms);
void facts_bad(struct facts_item *item, const char *why, int64_t period_ms, int64_t now_ms);

/*
 * cloud_notice.c: answers that are JSON (EC2 User Guide, "Spot Instance interruption notices", "EC2
 * instance rebalance recommendations", "View scheduled events") as one text. 1; 0 if the list of
 * events has no active one; -EBADMSG. A spot notice counts even if its action or time is not
 * understood.
 */
bool notice_is(int id);
int notice_read(int id, const char *json, size_t len, char *ret, size_t size);

bool shape_role(const char *text);    /* IAM role name, 1..64 */
bool shape_action(const char *text);  /* of a spot notice, 1..32 */
bool shape_time(const char *text);    /* RFC 3339 */
bool shape_tag_key(const char *text); /* as allowed for tags in the metadata, 1..128 */

/* Makes a body a text, without the line end that may close it. False if it is empty, longer
 * than size - 1 bytes or has a NUL in it. */
bool shape_text(const char *body, size_t len, char *ret, size_t size);

/*
 * cloud_facts.c, too: the instance's tags: the list of keys, then each key's value. A walk that fails
 * leaves the tags as they were and starts anew later: the tags are always of one walk.
 */

/* Adds a tag; `value` has a NUL after `len` bytes. False, and counted in left_out, if the key is
 * not allowed, the value is not UTF-8 without control characters, or there is no room. */
bool tags_add(struct tags *tags, const char *key, const char *value, size_t len);

struct tagwalk {
	char keys[HTTP_BODY_MAX + 1]; /* the listing, a key a line */
	char *key;        /* in `keys`: the key whose value is asked for; NULL: asks for the keys */
	char *rest;       /* in `keys`: the lines behind `key` */
	struct tags tags; /* so far */
};

enum tagwalk_step {
	TAGWALK_ASK, /* the value of walk->key comes next */
	TAGWALK_END, /* walk->tags is complete */
	TAGWALK_BAD, /* the listing is not a list of keys */
};

void tagwalk_begin(struct tagwalk *walk);
/* Adds an answer to the walk; `body` is NULL if the key is absent. */
enum tagwalk_step tagwalk_take(struct tagwalk *walk, const char *body, size_t len);

/*
 * cloud_identity_report.c: two files for other programs on the node.
 *
 *	facts.json  {"instance-id": "i-0abc...", "public-ipv4": null, ...,
 *	            "tags": {"Name": "web"}}; null is absent, a missing key is not known yet;
 *	            "tags" is null where they are not in the metadata
 *	facts.env   WNA_INSTANCE_ID=i-0abc..., present facts whose value is of
 *	            [A-Za-z0-9._:/-] alone, which any shell and systemd read as it is; never a
 *	            tag
 */

/* The longest facts.json. */
enum { FACTS_FILE_MAX = TAGS_BYTES + FACTS_COUNT * (6 * LIMIT_HOST + 32) };

void facts_json(const struct facts *facts, struct sb *sb);
void facts_env(const struct facts *facts, struct sb *sb);

/* cloud_identity.c: asks for one item after the other, each again at its own jittered time. */

/* What the metric needs of it. Texts are NULL until they are known, "" if there is none. */
struct identity {
	/* The instance id is known, and region, target state and group were answered, or asked
	 * for a few times in vain. */
	bool known;
	const char *instance_id, *region, *domain;
	/* Configured, or the tag; a removed tag counts while there is a target state. */
	const char *asg;
	const char *target_state; /* "InService" ... */
	const char *spot_action, *rebalance, *scheduled;
};

struct identity_job {
	const struct worker *worker;
	const struct conf_imds *conf;
	struct imds *imds;
	struct imds_ask ask;
	int asked; /* what `ask` is about */
	struct facts facts;
	struct tagwalk walk;
	bool unsaved;
	bool answered;    /* a question, since the last one that failed */
	bool tried;       /* the files were written once, or could not be */
	bool save_failed; /* logged already */
	int64_t report_ms;
	int64_t sent_state, sent_next_ms; /* of the last FACT_IMDS */
	struct identity identity;
};

/* Keeps all pointers. facts.json and facts.env are in the worker's run_dir. NULL when out of
 * memory. */
struct identity_job *identity_new(const struct worker *worker, struct imds *imds, int64_t now_ms);
void identity_free(struct identity_job *job);

/* Asks what is due and reports what changed; all facts go out again every 10 s. Returns when it is
 * needed again. */
int64_t identity_turn(struct identity_job *job, int64_t now_ms);

/* All items are due. */
void identity_retry(struct identity_job *job, int64_t now_ms);

/* Always current; valid for the job's life. */
const struct identity *identity_get(const struct identity_job *job);

/* Sends all facts of this job again. */
void identity_refresh(struct identity_job *job);

/* cloud_identity_report.c, too: each sends facts, unless they are unknown. For the core the node is
 * identified when it has the instance id, which is sent after facts.env has been written: a script
 * that waited for the identity reads this file next. */
void identity_send_text(const struct identity_job *job, enum fact_id id);
void identity_send_tags(const struct identity_job *job);
void identity_send_state(struct identity_job *job, bool again); /* else only if it changed */

/* Writes both files, each replaced atomically; a problem is logged once. After the first attempt it
 * sends the instance id. */
void identity_save(struct identity_job *job);

#endif
