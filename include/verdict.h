/*
 * The words in which the agent judges, and the shape of /status. Shared by the
 * core, which says it, by wnad, which composes STATUS= from it, and by wnactl,
 * which shows it.
 *
 * Control socket (CONTROL_SOCKET, SOCK_STREAM, 0660): the client sends one line
 * and reads until the end.
 *	"status\n"  one JSON object, the body of GET /status
 *	"reload\n"  root only: {"ok":true,"loads":N} (N = loads before this one), or
 *	            {"ok":false,"error":"..."}
 *
 * {
 *   "version": "0.1.0", "started": ISO8601, "now": ISO8601,
 *   "config": {"loads": 2, "error": ""},
 *   "healthz": {"code": 200, "level": "ok", "since": ISO8601, "why": ""},
 *   "readyz":  {"code": 503, "level": "fail", "since": ISO8601, "why": "database: ..."},
 *   "jobs": [{"name": "identity", "level": "ok", "since": ISO8601,
 *             "what": "i-0abc in ap-northeast-2a, group web",   one line of substance
 *             "why": "", "next": "asks again in 40 s"}, ...],   always the five, in order:
 *                             identity mount checks database metrics
 *   "checks": [{"name": "web", "type": "http", "scope": "local", "level": "ok",
 *               "since": ISO8601, "last_us": 812, "why": ""}],
 *   "processes": [{"role": "cloud", "state": "running", "what": "pid 812, 0 restarts",
 *                  "since": ISO8601, "why": ""}],
 *   "facts": {"instance-id": {"value": 1, "text": "i-0abc", "why": "", "age_ms": 1200}, ...},
 *                             names of fact_info(); with more slots: "check.0", "child.core"
 *   "timeline": [{"at": ISO8601, "what": "database: 10.16.6.137 -> 10.16.5.149, ..."}],
 *                             oldest first
 *   "counters": {"requests": 1, "evicted": 0, "refused_facts": 0, "log_dropped": 0, ...}
 * }
 */
#ifndef WNA_VERDICT_H
#define WNA_VERDICT_H

#include <stdint.h>

#include "conf.h"

#define CONTROL_SOCKET CONF_RUN_DIR "/control.sock"

enum verdict_level {
	LEVEL_OFF,     /* not configured */
	LEVEL_WAITING, /* not known yet since start; counts as a failure of readiness,
	                 * and of health where the cause would be local */
	LEVEL_OK,
	LEVEL_DEGRADED, /* a shared failure, or one that must not turn the ALB's answer */
	LEVEL_FAIL,     /* a local failure */
	LEVEL_MAX
};

/* "off" "waiting" "ok" "degraded" "fail" */
const char *verdict_level_name(int64_t level);

#endif
