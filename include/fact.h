/*
 * The facts: the finders find them, and the core decides by them. One table has the name of
 * each fact, the role that owns it and its number of instances.
 *
 * A fact is integers, a text and a reason, with two times: when it was found, and since when
 * its value has been the same. A fact that is older than its maximum age is unknown; there is
 * no other way to say unknown. A finder sends only facts that it has found since its own start.
 * It sends a fact when it has changed, one that can grow old (fact_info) also once per period of
 * its job, and all of them whenever it connects (hub.h).
 */
#ifndef WNA_FACT_H
#define WNA_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "hub.h"
#include "limits.h"
#include "role.h"

enum fact_id {
	FACT_NONE,

	/* cloud: the identity. Of a text: value 1 = present, 0 = absent (a 404) */
	FACT_IMDS, /* value: enum imds_state; more: enum retry_more; why */
	FACT_INSTANCE_ID,
	FACT_INSTANCE_TYPE,
	FACT_AMI_ID,
	FACT_PRIVATE_IPV4,
	FACT_PUBLIC_IPV4,
	FACT_AZ,    /* "ap-northeast-2a" */
	FACT_AZ_ID, /* "apne2-az1" */
	FACT_REGION,
	FACT_PARTITION, /* "aws" */
	FACT_DOMAIN,    /* "amazonaws.com" */
	FACT_VPC_ID,
	FACT_SUBNET_ID,
	FACT_ASG,                 /* tag aws:autoscaling:groupName, or configured */
	FACT_INSTANCE_LIFE_CYCLE, /* "on-demand", "spot" */
	FACT_TARGET_STATE,        /* autoscaling/target-lifecycle-state: "InService" ... */
	/* Notices, asked for on spot instances, the last with a hook (conf_life). Absent: none. */
	FACT_SPOT_ACTION, /* spot/instance-action: "terminate at 2026-11-30T08:22:00Z" */
	FACT_REBALANCE,   /* events/recommendations/rebalance: "noticed at 2026-11-30T08:22:00Z" */
	FACT_SCHEDULED,   /* events/maintenance/scheduled, the first active one: "system-reboot from
	                   * 21 Jan 2027 09:00:43 GMT" */

	FACT_TAGS, /* value: how many; -1 = tags are not in the metadata */

	FACT_LIFECYCLE, /* value: enum life_state; more: enum life_more; text: what comes next;
	                    * why */

	/* cloud: the metric */
	FACT_CREDENTIALS, /* value: enum cred_state; text: where from; why */
	FACT_CPU,         /* value: thousandths of the last sample in which the CPUs were busy */
	FACT_CPU_HOUR,    /* the trend (below) of FACT_CPU: means, in thousandths */
	FACT_PUSH, /* value: enum push_state; more: enum retry_more; text: series pushed; why */
	FACT_PUSH_SENT,   /* value: data accepted by CloudWatch since start */
	FACT_PUSH_QUEUED, /* value: data not accepted yet; why: the disk cannot be used, and they
	                   * wait in memory */
	FACT_PUSH_LOST,   /* value: data dropped since start; why: the last reason */
	FACT_PUSH_AT,     /* value: Unix ms of the last accepted push, 0 = never */
	FACT_SKEW,        /* value: ms that AWS's clock is ahead of ours; why if corrected */

	/* rds */
	FACT_RDS,     /* value: enum rds_state; more: enum retry_more; text: peer address; why */
	FACT_RDS_DNS, /* value: TTL in s, -1 = not resolved; text: addresses, comma-separated; why */
	FACT_RDS_RTT,     /* value: round trip of the last query in us, -1 unknown */
	FACT_RDS_HOUR,    /* the trend of FACT_RDS_RTT: the longest of each minute, in us */
	FACT_RDS_VERSION, /* text: the server's version */
	FACT_RDS_HOST,    /* why: the endpoint's name as RDS has given it, for the login token */
	FACT_RDS_CHANGE,  /* an event. value: number of the last change of the writer, 0 = none yet;
	                  * a restarted wna-rds goes on counting;
	                  * text: "10.16.6.137 -> 10.16.5.149"; why: the outage as an interval;
	                  * more: enum rds_change_more */
	FACT_RDS_STALE,   /* an event, found when it happened. value: its number, as of
	                  * FACT_RDS_CHANGE; text: an address whose connections are of no use,
	                  * and, after a comma, the same server's address of the other family,
	                  * if it has one; more[0]: enum rds_stale */
	FACT_RDS_DOWN,    /* an event, numbered likewise: the writer does not answer. The session
	                  * was lost and a new login got no answer either. text: its address */
	FACT_RDS_UP,      /* an event, numbered likewise: writes are possible again after a down, a
	                  * read-only answer, or an outage with a change of the writer.
	                  * text: the writer's address; why: the times in words;
	                  * more: enum rds_up_more */

	/* mount: presence and sign of life are one report */
	FACT_MOUNT,       /* value: enum mount_state; more: enum mount_more; text: what is mounted;
	                   * why: what is wrong, or what a right mount covers */
	FACT_MOUNT_HOUR,  /* the trend of MOUNT_SIGN: the longest of each minute, in us */
	FACT_MOUNT_GUARD, /* value: 1 bare directory immutable, 0 not (why) */
	FACT_MOUNT_SERVICE, /* whether the mount answers. value: enum service_state; more: enum
	                     * service_more; text: the last repair and its outcome; why: what was
	                     * seen */

	/* check: one for each [check NAME] */
	FACT_CHECK, /* text: NAME; value: enum check_state; more: enum check_more; why: of the
	             * last result that was bad */

	/* hooks */
	FACT_HOOK, /* an event. value: exit status of the first script that failed, 0 = none did;
	            * more[0]: number of the FACT_RDS_CHANGE; text: event and script; why */

	/* sockets */
	FACT_SOCKETS, /* value: connections ended since the start of wna-sockets; more: enum
	               * sockets_more; text: what was ended last; why: not empty if no
	               * connection can be ended */
	FACT_MAX
};

/*
 * A trend is a quantity over the last hour: a point for each of TREND_POINTS whole minutes of the
 * monotonic clock. value: the last of these minutes (monotonic ms / 60000); why: the points, the
 * oldest first, of two base-64 digits each (RFC 4648, the first one counts 64 times). 0: no value
 * in that minute, for example since nothing answered. Otherwise c - 1 is the value up to 255,
 * and above that m * 2^s, with s = (c - 1) / 128 - 1 and m = c - 1 - 128 * s: up to 2^37, at most
 * 1 % too low. (base/trend.h)
 */
enum { TREND_POINTS = 60 };
/* Places in the more[] of FACT_IMDS, FACT_PUSH and FACT_RDS. */
enum retry_more {
	RETRY_AT_MS,   /* monotonic: when a failure is tried again; 0: at the usual interval, or
	                * now; RETRY_NEVER */
	RETRY_TROUBLE, /* FACT_RDS: enum rds_trouble, of RDS_DOWN */
};

enum { RETRY_NEVER = -1 };

enum imds_state {
	IMDS_STARTING, /* nothing asked yet */
	IMDS_OK,
	IMDS_DISABLED, /* 403: switched off for this instance, or by environment */
	IMDS_SILENT,   /* no answer: hop limit, or no route */
	IMDS_BUSY,     /* 429 or 503: backing off */
	IMDS_BAD,      /* answers that are not metadata (status or shape) */
	IMDS_STATE_MAX
};

enum life_state {
	LIFE_STARTING,   /* the core has not told its verdict yet */
	LIFE_WARMING,    /* not in service yet: a job is not well, or the node is in a warm pool */
	LIFE_IN_SERVICE, /* also in no group */
	LIFE_DRAINING,   /* waits for the end of the clients' connections */
	LIFE_DRAINED,
	LIFE_GONE, /* the group terminates the instance */
	LIFE_STATE_MAX
};

/* Places in FACT_LIFECYCLE's more[]. */
enum life_more {
	LIFE_CAUSE,       /* enum life_cause */
	LIFE_CONNECTIONS, /* clients' connections while the node drains; -1 not known */
};

/* Why /healthz and /readyz answer 503 though the node may serve. */
enum life_cause {
	LIFE_SERVES,  /* they do not */
	LIFE_ORDERED, /* wnactl drain */
	LIFE_SPOT,    /* a spot instance's notice: two minutes are left */
	LIFE_CAUSE_MAX
};

enum cred_state {
	CRED_NONE, /* no source has any yet */
	CRED_OK,
	CRED_STALE,   /* expired, still used while renewal fails */
	CRED_REFUSED, /* AWS does not accept them */
	CRED_STATE_MAX
};

enum push_state {
	PUSH_OFF,      /* not configured */
	PUSH_STARTING, /* configured, nothing to push yet (identity or window not complete) */
	PUSH_HELD,     /* deliberately not pushing (not in service, never healthy): why */
	PUSH_OK,       /* last push was accepted */
	PUSH_RETRYING, /* queued, will be tried again: why */
	PUSH_DENIED,   /* AWS says no (AccessDenied, bad endpoint): why */
	PUSH_STATE_MAX
};

enum rds_state {
	RDS_STARTING,
	RDS_WRITABLE,
	RDS_READ_ONLY, /* answers, but is not the writer */
	RDS_DOWN,      /* does not answer, or refuses: why */
	RDS_NO_NAME,   /* the endpoint's name does not resolve */
	RDS_STATE_MAX
};

/* Why the database is RDS_DOWN. */
enum rds_trouble {
	TROUBLE_NONE,
	TROUBLE_NETWORK,   /* no TCP connection */
	TROUBLE_STALLED,   /* connected, but the server is silent, or does not speak MySQL */
	TROUBLE_LOST,      /* the session broke, or the server is shutting down */
	TROUBLE_DENIED,    /* user or password */
	TROUBLE_SECRET,    /* no password could be read */
	TROUBLE_FULL,      /* no connection, thread or memory left for a session */
	TROUBLE_CLOSED,    /* the server is in offline or read-only mode */
	TROUBLE_BLOCKED,   /* this host is blocked after too many broken handshakes */
	TROUBLE_FORBIDDEN, /* this host may not connect */
	TROUBLE_TLS,       /* no TLS, or a certificate that is not the endpoint's */
	TROUBLE_CONFIG,    /* schema, login method or TLS does not fit the configuration */
	TROUBLE_OTHER,
	TROUBLE_MAX
};

/* Places in FACT_RDS_CHANGE's more[]. */
enum rds_change_more {
	RDS_CHANGE_MIN_MS, /* how long writes were out, at least */
	RDS_CHANGE_MAX_MS, /* and at most; -1 unknown */
};

/* Why connections to an address are of no use. */
enum rds_stale {
	RDS_STALE_FORMER, /* another server is the writer, and has said that it is writable */
	RDS_STALE_SILENT, /* the server answers neither a session nor a new login */
	RDS_STALE_MAX
};

/* Places in FACT_RDS_UP's more[]: Unix ms, -1 unknown. */
enum rds_up_more {
	RDS_UP_IMPACT_MS,   /* the last good answer before the outage: its earliest start */
	RDS_UP_DETECTED_MS, /* the first bad one */
	RDS_UP_NAMED_MS,    /* DNS no longer has the former writer */
	RDS_UP_WRITABLE_MS, /* the first good answer */
};

enum mount_state {
	MOUNT_ABSENT,     /* nothing is mounted on the path. why: why the last attempt failed, or
	                   * that a mount was lost; empty: the first attempt is under way */
	MOUNT_RIGHT,      /* what is configured is the topmost mount on the path */
	MOUNT_WRONG,      /* something else is mounted there; it is never covered: why */
	MOUNT_UNVERIFIED, /* something plausible is mounted, but it could not be proved
	                   * (the target's name did not resolve): why */
	MOUNT_STATE_MAX
};

/* Places in FACT_MOUNT's more[]. */
enum mount_more {
	MOUNT_SIGN,    /* the last probe of the present mount: us that it took, -errno (-ENODEV: the
	                * path leads to another mount), or one of the two values below */
	MOUNT_SIGN_MS, /* monotonic: when this mount last answered; 0: not yet */
	MOUNT_DOING,   /* enum mount_doing */
	MOUNT_DUE_MS,  /* monotonic: when the next attempt or probe is due, 0: not known; if a child
	                * is stuck: since when */
};
#define MOUNT_NOT_PROBED INT64_MIN       /* no probe has ended yet */
#define MOUNT_CAME_BACK  (INT64_MIN + 1) /* the same, and the mount before this was lost */

enum mount_doing {
	MOUNT_IDLE,         /* waits for the next probe */
	MOUNT_MOUNTING,     /* an attempt runs */
	MOUNT_WAITING,      /* waits for the next attempt */
	MOUNT_PROBING,      /* a probe runs */
	MOUNT_HELPER_STUCK, /* an attempt survived SIGKILL: no second one beside it */
	MOUNT_PROBE_STUCK,  /* the probe survived SIGKILL */
	MOUNT_DOING_MAX
};

enum service_state {
	SERVICE_ABSENT,   /* nothing is mounted, or not what is configured */
	SERVICE_MOUNTING, /* an attempt runs, or the mount has not answered a probe yet */
	SERVICE_SERVING,
	SERVICE_SLOW, /* a probe waits, but other requests are answered */
	SERVICE_HUNG, /* no request is answered */
	SERVICE_REPAIRING,
	SERVICE_STATE_MAX
};

/* Why it is hung. The first three are this node's own, the others are the server's or the
 * network's. */
enum service_cause {
	CAUSE_NONE,
	CAUSE_DEAD_PROXY, /* no process listens on the port of the mount */
	CAUSE_STUCK,      /* the target accepts new connections; the proxy's is not acknowledged */
	CAUSE_FROZEN_PROXY, /* the target accepts new connections; the proxy forwards nothing */
	CAUSE_STALLED,      /* TCP acknowledges all data, but the server answers no request */
	CAUSE_TARGET_DOWN,  /* the target accepts no new connection */
	CAUSE_UNKNOWN,      /* not found out yet */
	CAUSE_ASKED,        /* none: an operator wants the repair */
	CAUSE_MAX
};

/* Places in FACT_MOUNT_SERVICE's more[]. */
enum service_more {
	SERVICE_CAUSE,
	SERVICE_TRIES,   /* repairs that were begun since the mount last answered a probe */
	SERVICE_REPAIRS, /* all since the start of wna-mount */
	SERVICE_DUE_MS,  /* monotonic: when the next repair is due; 0: none is */
};

enum { SERVICE_TRIES_MAX = 3 }; /* then the repair is given up until the mount answers again */

enum check_state {
	CHECK_BAD,
	CHECK_GOOD,
	CHECK_UNDECIDED, /* only bad results since wna-check has started, and too few of them: the
	                  * core keeps the state that it knows */
	CHECK_STATE_MAX
};

/* Places in FACT_CHECK's more[]. */
enum check_more {
	CHECK_LAST, /* the last result: us it took, or -errno */
	CHECK_RUN,  /* how many results in a row are like the last one, at most 32 */
};

/* Names for logs, pages and files: "ok", "disabled" ...; "?" outside of the enum. */
const char *imds_state_name(int64_t value);
const char *life_state_name(int64_t value);
const char *cred_state_name(int64_t value);
const char *push_state_name(int64_t value);
const char *rds_state_name(int64_t value);
const char *mount_state_name(int64_t value);
const char *service_state_name(int64_t value);
const char *service_cause_name(int64_t value); /* "dead proxy"; empty for CAUSE_NONE */
const char *mount_doing_name(int64_t value);
const char *life_cause_name(int64_t value); /* empty for LIFE_SERVES */

/* Places in FACT_SOCKETS's more[]. */
enum sockets_more {
	SOCKETS_EVENT, /* number of the last FACT_RDS_STALE that was acted on */
	SOCKETS_ENDED, /* connections ended for it */
};

struct fact_info {
	const char *name; /* "instance-id": in logs and in /status */
	enum role owner;  /* the only role it is taken from */
	uint16_t slots;   /* instances: 1, or LIMIT_CHECKS (by name) */
	bool ages;        /* counts as unknown after its max_age */
};

/* NULL for FACT_NONE and outside the range. */
const struct fact_info *fact_info(uint16_t id);

#endif
