/* Every process; the tables behind role.h, fact.h and verdict.h. */
#include <stddef.h>

#include "fact.h"
#include "role.h"
#include "verdict.h"

const struct role_name *role_of(int64_t role)
{
	static const struct role_name unknown = { "?", "?", "?" };
	static const struct role_name roles[ROLE_MAX] = {
		[ROLE_CORE] = { "core", "wna-core", "wna" },
		[ROLE_MOUNT] = { "mount", "wna-mount", NULL },
		[ROLE_CHECK] = { "check", "wna-check", "wna-check" },
		[ROLE_RDS] = { "rds", "wna-rds", "wna-rds" },
		[ROLE_CLOUD] = { "cloud", "wna-cloud", "wna-cloud" },
		[ROLE_HOOKS] = { "hooks", "wna-hooks", "" },
		[ROLE_SOCKETS] = { "sockets", "wna-sockets", "wna-sockets" },
		[ROLE_CTL] = { "ctl", "wnactl", "" },
	};

	return role >= 0 && role < ROLE_MAX ? &roles[role] : &unknown;
}

const char *role_name(int64_t role)
{
	return role_of(role)->name;
}

/* The function that names the values of an enum, in its order; "?" outside. */
#define NAMES(function, max, ...)                                                                  \
	const char *function(int64_t value)                                                        \
	{                                                                                          \
		static const char *const names[max] = { __VA_ARGS__ };                             \
		return value >= 0 && value < (max) ? names[value] : "?";                           \
	}

NAMES(imds_state_name, IMDS_STATE_MAX, "starting", "ok", "disabled", "silent", "busy", "bad")
NAMES(life_state_name, LIFE_STATE_MAX, "starting", "warming", "in service", "draining", "drained",
      "gone")
NAMES(cred_state_name, CRED_STATE_MAX, "none", "ok", "stale", "refused")
NAMES(push_state_name, PUSH_STATE_MAX, "off", "starting", "held", "ok", "retrying", "denied")
NAMES(rds_state_name, RDS_STATE_MAX, "starting", "writable", "read-only", "down", "no-name")
NAMES(mount_state_name, MOUNT_STATE_MAX, "absent", "right", "wrong", "unverified")
NAMES(service_state_name, SERVICE_STATE_MAX, "absent", "mounting", "serving", "slow", "hung",
      "repairing")
NAMES(service_cause_name, CAUSE_MAX, "", "dead proxy", "stuck connection", "frozen proxy",
      "stalled server", "silent mount target", "unknown cause", "asked for")
NAMES(mount_doing_name, MOUNT_DOING_MAX, "idle", "mounting", "waiting", "probing", "helper stuck",
      "probe stuck")
NAMES(life_cause_name, LIFE_CAUSE_MAX, "", "ordered", "spot")
NAMES(verdict_level_name, LEVEL_MAX, "off", "waiting", "ok", "degraded", "fail", "draining")
NAMES(job_name, JOB_MAX, "identity", "mount", "checks", "database", "metrics")

const struct fact_info *fact_info(uint16_t id)
{
	static const struct fact_info table[FACT_MAX] = {
		[FACT_IMDS] = { "imds", ROLE_CLOUD, 1, true },
		[FACT_INSTANCE_ID] = { "instance-id", ROLE_CLOUD, 1, true },
		[FACT_INSTANCE_TYPE] = { "instance-type", ROLE_CLOUD, 1 },
		[FACT_AMI_ID] = { "ami-id", ROLE_CLOUD, 1 },
		[FACT_PRIVATE_IPV4] = { "private-ipv4", ROLE_CLOUD, 1 },
		[FACT_PUBLIC_IPV4] = { "public-ipv4", ROLE_CLOUD, 1 },
		[FACT_AZ] = { "az", ROLE_CLOUD, 1 },
		[FACT_AZ_ID] = { "az-id", ROLE_CLOUD, 1 },
		[FACT_REGION] = { "region", ROLE_CLOUD, 1 },
		[FACT_PARTITION] = { "partition", ROLE_CLOUD, 1 },
		[FACT_DOMAIN] = { "domain", ROLE_CLOUD, 1 },
		[FACT_VPC_ID] = { "vpc-id", ROLE_CLOUD, 1 },
		[FACT_SUBNET_ID] = { "subnet-id", ROLE_CLOUD, 1 },
		[FACT_ASG] = { "asg", ROLE_CLOUD, 1 },
		[FACT_INSTANCE_LIFE_CYCLE] = { "life-cycle", ROLE_CLOUD, 1 },
		[FACT_TARGET_STATE] = { "target-state", ROLE_CLOUD, 1 },
		[FACT_SPOT_ACTION] = { "spot-action", ROLE_CLOUD, 1 },
		[FACT_REBALANCE] = { "rebalance", ROLE_CLOUD, 1 },
		[FACT_SCHEDULED] = { "scheduled-event", ROLE_CLOUD, 1 },
		[FACT_TAGS] = { "tags", ROLE_CLOUD, 1 },
		[FACT_LIFECYCLE] = { "lifecycle", ROLE_CLOUD, 1 },
		[FACT_CREDENTIALS] = { "credentials", ROLE_CLOUD, 1 },
		[FACT_CPU] = { "cpu", ROLE_CLOUD, 1 },
		[FACT_CPU_HOUR] = { "cpu-hour", ROLE_CLOUD, 1 },
		[FACT_PUSH] = { "push", ROLE_CLOUD, 1, true },
		[FACT_PUSH_SENT] = { "push-sent", ROLE_CLOUD, 1 },
		[FACT_PUSH_QUEUED] = { "push-queued", ROLE_CLOUD, 1 },
		[FACT_PUSH_LOST] = { "push-lost", ROLE_CLOUD, 1 },
		[FACT_PUSH_AT] = { "push-at", ROLE_CLOUD, 1 },
		[FACT_SKEW] = { "skew", ROLE_CLOUD, 1 },
		[FACT_RDS] = { "rds", ROLE_RDS, 1, true },
		[FACT_RDS_DNS] = { "rds-dns", ROLE_RDS, 1 },
		[FACT_RDS_RTT] = { "rds-rtt", ROLE_RDS, 1 },
		[FACT_RDS_HOUR] = { "rds-hour", ROLE_RDS, 1 },
		[FACT_RDS_VERSION] = { "rds-version", ROLE_RDS, 1 },
		[FACT_RDS_HOST] = { "rds-host", ROLE_RDS, 1 },
		[FACT_RDS_CHANGE] = { "rds-change", ROLE_RDS, 1 },
		[FACT_RDS_STALE] = { "rds-stale", ROLE_RDS, 1 },
		[FACT_RDS_DOWN] = { "rds-down", ROLE_RDS, 1 },
		[FACT_RDS_UP] = { "rds-up", ROLE_RDS, 1 },
		[FACT_MOUNT] = { "mount", ROLE_MOUNT, 1, true },
		[FACT_MOUNT_HOUR] = { "mount-hour", ROLE_MOUNT, 1 },
		[FACT_MOUNT_GUARD] = { "mount-guard", ROLE_MOUNT, 1 },
		[FACT_MOUNT_SERVICE] = { "mount-service", ROLE_MOUNT, 1 },
		[FACT_CHECK] = { "check", ROLE_CHECK, LIMIT_CHECKS, true },
		[FACT_HOOK] = { "hook", ROLE_HOOKS, 1 },
		[FACT_SOCKETS] = { "sockets", ROLE_SOCKETS, 1 },
	};

	return id > FACT_NONE && id < FACT_MAX ? &table[id] : NULL;
}
