/*
 * The facts: what the workers find out and the core decides on. One table
 * says for each fact its name, whose it is and how many instances it has.
 *
 * A fact is an integer, a text and a reason. The core stamps its arrival with
 * its own monotonic clock, or believes the worker that it is older than that;
 * past its maximum age a fact is unknown, whatever it said. Every worker sends
 * each of its facts again at least once per period of its job, and all of them
 * on MSG_REFRESH.
 */
#ifndef WNA_FACT_H
#define WNA_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "msg.h"
#include "role.h"

enum fact_id {
	FACT_NONE,

	/* wnad */
	FACT_CONF,  /* value: times loaded; text: the file; why: what was wrong with the
	             * last attempt, empty if it was taken */
	FACT_CHILD, /* slot: enum role; value: enum child_state; text: "pid 812, 3 restarts";
	             * why: last obituary ("killed by signal 9 after 60 s") */
	FACT_TRIES, /* value: attempts to load the configuration, good or bad; sent after
	             * the outcome (FACT_CONF), so that who sees it grow may read that */

	/* cloud: who am I. For the texts: value 1 = present, 0 = absent (a 404) */
	FACT_IMDS, /* value: enum imds_state; why */
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
	FACT_ASG,          /* tag aws:autoscaling:groupName, or configured */
	FACT_LIFE_CYCLE,   /* "on-demand", "spot" */
	FACT_TARGET_STATE, /* autoscaling/target-lifecycle-state: "InService" ... */
	FACT_TAGS,         /* value: how many; -1 = tags are not in the metadata */

	/* cloud: the metric */
	FACT_CREDENTIALS, /* value: enum cred_state; text: where from; why */
	FACT_CPU,         /* value: busy in thousandths over the last sample */
	FACT_PUSH,        /* value: enum push_state; text: series pushed; why */
	FACT_PUSH_SENT,   /* value: data accepted by CloudWatch since start */
	FACT_PUSH_QUEUED, /* value: data waiting on disk */
	FACT_PUSH_LOST,   /* value: data dropped since start; why: the last reason */
	FACT_PUSH_AT,     /* value: Unix ms of the last accepted push, 0 = never */
	FACT_SKEW,        /* value: ms that AWS's clock is ahead of ours; why if corrected */

	/* rds */
	FACT_RDS,     /* value: enum rds_state; text: peer address; why */
	FACT_RDS_DNS, /* value: TTL in s, -1 = not resolved; text: addresses, comma-separated; why */
	FACT_RDS_RTT,     /* value: round trip of the last query in us, -1 unknown */
	FACT_RDS_VERSION, /* text: the server's version */
	FACT_RDS_CHANGE,  /* value: how often the address changed since start;
	                   * text: "10.16.6.137 -> 10.16.5.149"; why: the outage as an interval */

	/* mount */
	FACT_MOUNT,       /* value: enum mount_state; text: what is mounted; why */
	FACT_MOUNT_ID,    /* value: mount id (mountinfo field 1) of the right mount, else 0;
	                   * text: its mark (mountinfo_mark), for ids are given anew at once */
	FACT_MOUNT_GUARD, /* value: 1 bare directory immutable, 0 not (why) */

	/* probe */
	FACT_PROBE,    /* value: us the file system took to answer, or -errno; why */
	FACT_PROBE_ID, /* value: mount id now topmost on the path, 0 = nothing, -1 = something
	                * that cannot be read; text: its mark, as in FACT_MOUNT_ID */

	/* check: slot = index of the [check] section */
	FACT_CHECK, /* value: us it took, or -errno; why */

	/* hook */
	FACT_HOOK, /* value: exit status of the first script that failed, 0 = all well;
	                   * text: event and script; why */
	FACT_MAX
};

enum imds_state {
	IMDS_STARTING, /* nothing asked yet */
	IMDS_OK,
	IMDS_DISABLED, /* 403: switched off for this instance, or by environment */
	IMDS_SILENT,   /* no answer: hop limit, or no route */
	IMDS_BUSY,     /* 429 or 503: backing off */
	IMDS_BAD,      /* answers that are not metadata (status or shape) */
	IMDS_STATE_MAX
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

enum mount_state {
	MOUNT_STARTING,   /* not looked yet */
	MOUNT_RIGHT,      /* what is configured is the topmost mount on the path; why: what
	                   * it covers there, "mounted twice: ..." */
	MOUNT_MISSING,    /* nothing mounted, the last attempt failed: why */
	MOUNT_WRONG,      /* something else is mounted there; never covered: why */
	MOUNT_UNVERIFIED, /* something plausible is mounted, but it could not be proved
	                   * (the target's name did not resolve): why */
	MOUNT_ABSENT,     /* looked, nothing mounted, an attempt begins: no news to a core that
	                   * knows more: MISSING and why, or WRONG */
	MOUNT_STATE_MAX
};

/* Lower-case names for logs, pages and files: "ok", "disabled" ...; "?" outside. */
const char *imds_state_name(int64_t state);
const char *cred_state_name(int64_t state);
const char *push_state_name(int64_t state);
const char *rds_state_name(int64_t state);
const char *mount_state_name(int64_t state);

struct fact_info {
	const char *name; /* "instance-id": in logs and in /status */
	enum role owner;  /* the only role it is taken from */
	uint16_t slots;   /* instances: 1, ROLE_MAX or LIMIT_CHECKS */
};

/* NULL for FACT_NONE and outside the range. */
const struct fact_info *fact_info(uint16_t id);

#endif
