/*
 * The levels of the verdict, and the format of /status, which the core writes and wnactl shows.
 *
 * This object is the answer of the hub (hub.h) to ASK_STATUS, and the body of GET /status:
 *
 * {
 *   "version": "0.1.0", "started": ISO8601, "now": ISO8601,
 *   "config": {"loaded": ISO8601, "error": ""},
 *   "healthz": {"code": 200, "level": "ok", "since": ISO8601, "why": ""},
 *   "readyz":  {"code": 503, "level": "fail", "since": ISO8601, "why": "database: ..."},
 *   "lifecycle": {"state": "draining", "since": ISO8601,
 *                 "why": "ordered by wnactl drain", "next": "..."}, absent until it is known
 *   "jobs": [{"name": "identity", "level": "ok", "since": ISO8601,
 *             "what": "i-0abc in ap-northeast-2a, group web",   the job's facts in one line
 *             "why": "", "next": "asks again in 40 s"}, ...],   always the five, in order:
 *                             identity mount checks database metrics
 *   "checks": [{"name": "web", "type": "http", "scope": "local", "level": "ok",
 *               "since": ISO8601, "last_us": 812, "why": ""}],
 *   "processes": [{"role": "cloud", "state": "running", "what": "pid 812",
 *                  "since": ISO8601, "why": ""}],
 *   "facts": {"instance-id": {"value": 1, "more": [0,0,0,0], "text": "i-0abc", "why": "",
 *                             "age_ms": 1200}, ...},
 *                             names of fact_info(); with instances: "check.web"
 *   "timeline": [{"at": ISO8601, "what": "database: 10.16.6.137 -> 10.16.5.149, ..."}],
 *                             oldest first
 *   "counters": {"requests": 1, "evicted": 0, "refused_facts": 0, "log_dropped": 0, ...}
 * }
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

#endif
