/*
 * The levels of the verdict, and the format of /status, which the core writes and wnactl shows.
 *
 * This object is the answer of the hub (hub.h) to ASK_STATUS, and the body of GET /status. Its
 * JSON Schema is packaging/doc/status.schema.json. "schema" is the version of the format: members
 * may be added to a version; a member that changes its meaning or goes makes the next one.
 *
 * {
 *   "schema": 1, "version": "0.1.0", "started": ISO8601, "now": ISO8601,
 *   "config": {"loaded": ISO8601, "error": ""},
 *   "healthz": {"code": 200, "level": "ok", "since": ISO8601, "why": "", "reason": "", "do": ""},
 *   "readyz":  {"code": 503, "level": "fail", "since": ISO8601, "why": "database: ...",
 *               "reason": "login-refused", "do": "Write ..."},
 *   "lifecycle": {"state": "draining", "since": ISO8601,
 *                 "why": "ordered by wnactl drain", "next": "..."}, absent until it is known
 *   "jobs": [{"name": "identity", "level": "ok", "since": ISO8601,
 *             "what": "i-0abc in ap-northeast-2a, group web",   the job's facts in one line
 *             "next": "asks again in 40 s", "why": "", "reason": "", "do": ""}, ...],   always the five, in order:
 *                             identity mount checks database metrics
 *   "checks": [{"name": "web", "type": "http", "scope": "local", "level": "ok",
 *               "since": ISO8601, "what": "GET http://127.0.0.1/health.html",
 *               "last_us": 812,                                   -1: the last result was bad
 *               "next": "runs at least every 5.0 s", "why": "", "reason": "", "do": ""}],
 *   "processes": [{"role": "cloud", "state": "running", "what": "pid 812",
 *                  "since": ISO8601, "why": "", "reason": "", "do": ""}],
 *   "facts": {"instance-id": {"value": 1, "more": [0,0,0,0], "text": "i-0abc", "why": "",
 *                             "age_ms": 1200}, ...},
 *                             names of fact_info(); with instances: "check.web"
 *   "timeline": [{"at": ISO8601, "what": "database: 10.16.6.137 -> 10.16.5.149, ..."}],
 *                             oldest first
 *   "counters": {"requests": 1, "evicted": 0, "refused_facts": 0, "log_dropped": 0, ...}
 * }
 *
 * "reason" is reason_info()'s name of what "why" says; "do" is what a person should do about it,
 * empty while the level is "ok" or "off".
 */
#ifndef WNA_VERDICT_H
#define WNA_VERDICT_H

#include <stdint.h>

#include "conf.h"
#include "hub.h"

enum verdict_level {
	LEVEL_OFF,     /* not configured */
	LEVEL_WAITING, /* not known yet after the start: a failure of readiness, and of health if
	                * the cause would be local */
	LEVEL_OK,
	LEVEL_DEGRADED, /* a shared failure, or one that must not change the answer to the ALB */
	LEVEL_FAIL,     /* a local failure */
	LEVEL_DRAINING, /* of the endpoints alone: 503 on purpose, while the web server serves on */
	LEVEL_MAX
};

/* "off" "waiting" "ok" "degraded" "fail" "draining" */
const char *verdict_level_name(int64_t value);

/* What the verdict is made of. */
enum job { JOB_IDENTITY, JOB_MOUNT, JOB_CHECKS, JOB_DATABASE, JOB_METRICS, JOB_MAX };

/* "identity" "mount" "checks" "database" "metrics"; "?" outside. */
const char *job_name(int64_t value);

/* Why a job, a check, a process or the node is as it is: the kinds of "why". */
enum reason {
	REASON_NONE,
	/* the node */
	REASON_CONFIGURATION,
	REASON_DRAIN,
	REASON_SPOT,
	/* processes */
	REASON_STARTING,
	REASON_PROCESS_DOWN,
	REASON_PROCESS_SILENT,
	REASON_PROCESS_OLD,
	REASON_SOCKETS,
	/* identity */
	REASON_IMDS_DISABLED,
	REASON_IMDS_SILENT,
	REASON_IMDS_BUSY,
	REASON_IMDS_BAD,
	/* mount */
	REASON_MOUNT_STARTING,
	REASON_MOUNT_NEW,
	REASON_MOUNT_FAILED,
	REASON_MOUNT_STUCK,
	REASON_MOUNT_WRONG,
	REASON_MOUNT_UNVERIFIED,
	REASON_MOUNT_SILENT,
	REASON_MOUNT_PROXY,
	/* checks */
	REASON_CHECK_STARTING,
	REASON_CHECK_UNKNOWN,
	REASON_CHECK_RISING,
	REASON_HTTP_REFUSED,
	REASON_HTTP_SILENT,
	REASON_HTTP_ANSWER,
	REASON_TCP,
	REASON_FILE,
	REASON_PROCESS,
	REASON_DISK,
	/* database: FACT_RDS's states, and of RDS_DOWN enum rds_trouble in its order */
	REASON_DB_NAME,
	REASON_DB_READ_ONLY,
	REASON_DB_DOWN,
	REASON_DB_NETWORK,
	REASON_DB_STALLED,
	REASON_DB_LOST,
	REASON_DB_LOGIN,
	REASON_DB_SECRET,
	REASON_DB_FULL,
	REASON_DB_CLOSED,
	REASON_DB_BLOCKED,
	REASON_DB_HOST,
	REASON_DB_TLS,
	REASON_DB_CONFIG,
	REASON_DB_OTHER,
	/* metrics */
	REASON_PUSH_STARTING,
	REASON_PUSH_HELD,
	REASON_PUSH_GROUP,
	REASON_PUSH_CREDENTIALS,
	REASON_PUSH_RETRYING,
	REASON_PUSH_DENIED,
	REASON_PUSH_DISK,
	REASON_MAX
};

struct reason_info {
	const char *name;    /* "login-refused": in /status, on the screen, in operations.md */
	const char *meaning; /* Markdown: for operations.md */
	const char *todo;    /* sentences for the screen: at most two lines of 80 columns */
};

/* Empty texts for REASON_NONE and outside. */
const struct reason_info *reason_info(int64_t reason);

#endif
