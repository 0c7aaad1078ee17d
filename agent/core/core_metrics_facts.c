/*
 * wna-core. Never blocks. Owns nothing. The metrics that are a fact: one table. A fact that is
 * older than its maximum age is not known, and has no sample.
 */
#include <stddef.h>

#include "core.h"

enum { VALUE = -1 }; /* a place of more[] otherwise */

enum kind {
	GAUGE,   /* negative: not known */
	SIGNED,  /* a gauge that may be negative */
	COUNTER, /* since the start of its process or, of the database's events, since boot */
	MONO,    /* monotonic ms, for others Unix time; 0: none */
	STATE,
};

static const struct metric {
	enum fact_id id;
	int place;
	enum kind kind;
	int64_t unit;                    /* so many make one of the metric; of STATE: states */
	const char *(*name_of)(int64_t); /* of STATE */
	const char *name, *help;
} table[] = {
	{ FACT_IMDS, VALUE, STATE, IMDS_STATE_MAX, imds_state_name, "wna_imds_state",
	  "The instance metadata service." },
	{ FACT_TAGS, VALUE, GAUGE, 1, NULL, "wna_instance_tags",
	  "Instance tags in the metadata; no sample: the metadata have none." },
	{ FACT_LIFECYCLE, VALUE, STATE, LIFE_STATE_MAX, life_state_name, "wna_lifecycle_state",
	  "Where the node is in its life." },
	{ FACT_LIFECYCLE, LIFE_CAUSE, STATE, LIFE_CAUSE_MAX, life_cause_name,
	  "wna_lifecycle_drain_cause", "Why the node is drained." },
	{ FACT_LIFECYCLE, LIFE_CONNECTIONS, GAUGE, 1, NULL, "wna_lifecycle_client_connections",
	  "Connections of clients while the node drains." },
	{ FACT_CREDENTIALS, VALUE, STATE, CRED_STATE_MAX, cred_state_name, "wna_credentials_state",
	  "AWS credentials." },
	{ FACT_CPU, VALUE, GAUGE, 1000, NULL, "wna_cpu_busy_ratio",
	  "Share of the last second in which the CPUs were busy." },
	{ FACT_PUSH, VALUE, STATE, PUSH_STATE_MAX, push_state_name, "wna_push_state",
	  "The push to CloudWatch." },
	{ FACT_PUSH_SENT, VALUE, COUNTER, 1, NULL, "wna_push_sent_data_total",
	  "Data that CloudWatch has accepted." },
	{ FACT_PUSH_QUEUED, VALUE, GAUGE, 1, NULL, "wna_push_queued_data",
	  "Data that wait on disk for CloudWatch." },
	{ FACT_PUSH_LOST, VALUE, COUNTER, 1, NULL, "wna_push_lost_data_total", "Data dropped." },
	{ FACT_PUSH_AT, VALUE, GAUGE, 1000, NULL, "wna_push_accepted_timestamp_seconds",
	  "Unix time of the last accepted push; 0: never." },
	{ FACT_SKEW, VALUE, SIGNED, 1000, NULL, "wna_clock_skew_seconds",
	  "How far AWS's clock is ahead of this node's." },
	{ FACT_RDS, VALUE, STATE, RDS_STATE_MAX, rds_state_name, "wna_database_state",
	  "The database's endpoint." },
	{ FACT_RDS_RTT, VALUE, GAUGE, 1000000, NULL, "wna_database_round_trip_seconds",
	  "Round trip of the last query." },
	{ FACT_RDS_DNS, VALUE, GAUGE, 1, NULL, "wna_database_dns_ttl_seconds",
	  "TTL of the endpoint's addresses; no sample: it does not resolve." },
	{ FACT_RDS_CHANGE, VALUE, COUNTER, 1, NULL, "wna_database_writer_changes_total",
	  "Changes of the writer since boot." },
	{ FACT_RDS_CHANGE, RDS_CHANGE_MIN_MS, GAUGE, 1000, NULL,
	  "wna_database_last_outage_min_seconds",
	  "How long writes were out at the last change of the writer, at least." },
	{ FACT_RDS_CHANGE, RDS_CHANGE_MAX_MS, GAUGE, 1000, NULL,
	  "wna_database_last_outage_max_seconds", "The same, at most." },
	{ FACT_RDS_DOWN, VALUE, COUNTER, 1, NULL, "wna_database_downs_total",
	  "How often the writer has stopped to answer since boot." },
	{ FACT_RDS_UP, VALUE, COUNTER, 1, NULL, "wna_database_ups_total",
	  "How often writes have become possible again since boot." },
	{ FACT_RDS_UP, RDS_UP_IMPACT_MS, GAUGE, 1000, NULL,
	  "wna_database_outage_impact_timestamp_seconds",
	  "Last outage: Unix time of the last good answer before it." },
	{ FACT_RDS_UP, RDS_UP_DETECTED_MS, GAUGE, 1000, NULL,
	  "wna_database_outage_detected_timestamp_seconds",
	  "Last outage: Unix time of the first bad answer." },
	{ FACT_RDS_UP, RDS_UP_NAMED_MS, GAUGE, 1000, NULL,
	  "wna_database_outage_renamed_timestamp_seconds",
	  "Last outage: Unix time at which DNS no longer had the former writer." },
	{ FACT_RDS_UP, RDS_UP_WRITABLE_MS, GAUGE, 1000, NULL,
	  "wna_database_outage_writable_timestamp_seconds",
	  "Last outage: Unix time of the first good answer after it." },
	{ FACT_RDS_STALE, VALUE, COUNTER, 1, NULL, "wna_database_stale_addresses_total",
	  "Addresses found since boot whose connections are of no use." },
	{ FACT_MOUNT, VALUE, STATE, MOUNT_STATE_MAX, mount_state_name, "wna_mount_state",
	  "What is mounted." },
	{ FACT_MOUNT, MOUNT_SIGN, GAUGE, 1000000, NULL, "wna_mount_round_trip_seconds",
	  "How long the last probe of the mount took; no sample: it failed." },
	{ FACT_MOUNT, MOUNT_SIGN_MS, MONO, 1000, NULL, "wna_mount_answered_timestamp_seconds",
	  "Unix time at which the mount answered last." },
	{ FACT_MOUNT, MOUNT_DOING, STATE, MOUNT_DOING_MAX, mount_doing_name, "wna_mount_doing",
	  "What wna-mount does." },
	{ FACT_MOUNT, MOUNT_DUE_MS, MONO, 1000, NULL, "wna_mount_due_timestamp_seconds",
	  "Unix time of the next attempt or probe; of a stuck one since when it is." },
	{ FACT_MOUNT_GUARD, VALUE, GAUGE, 1, NULL, "wna_mount_guarded",
	  "1 if the bare directory is immutable." },
	{ FACT_MOUNT_SERVICE, VALUE, STATE, SERVICE_STATE_MAX, service_state_name,
	  "wna_mount_service_state", "Whether the mount answers." },
	{ FACT_MOUNT_SERVICE, SERVICE_CAUSE, STATE, CAUSE_MAX, service_cause_name,
	  "wna_mount_hang_cause", "Why it does not." },
	{ FACT_MOUNT_SERVICE, SERVICE_TRIES, GAUGE, 1, NULL, "wna_mount_repair_tries",
	  "Repairs without success since the mount answered last." },
	{ FACT_MOUNT_SERVICE, SERVICE_REPAIRS, COUNTER, 1, NULL, "wna_mount_repairs_total",
	  "Repairs of the mount." },
	{ FACT_MOUNT_SERVICE, SERVICE_DUE_MS, MONO, 1000, NULL,
	  "wna_mount_repair_due_timestamp_seconds", "Unix time of the next repair." },
	{ FACT_HOOK, VALUE, GAUGE, 1, NULL, "wna_hook_exit_status",
	  "Exit status of the first script that failed at the last event; 0: none did." },
	{ FACT_SOCKETS, VALUE, COUNTER, 1, NULL, "wna_sockets_ended_total",
	  "Connections to the database that were ended." },
	{ FACT_SOCKETS, SOCKETS_ENDED, GAUGE, 1, NULL, "wna_sockets_ended_last",
	  "The same, for the last stale address." },
};

static bool known(const struct core *core, int id, unsigned slot, int64_t now_ms)
{
	const struct state *state = &core->state;

	return facts_get(&state->facts, (enum fact_id)id, slot)->seen &&
	       now_ms < facts_expiry_ms(&state->facts, state->conf, (enum fact_id)id, slot);
}

static void put_metric(struct sb *sb, const struct metric *metric, const struct core *core,
                       int64_t now_ms, int64_t wall_ms)
{
	const struct fact *fact = facts_get(&core->state.facts, metric->id, 0);
	int64_t value = metric->place == VALUE ? fact->value : fact->more[metric->place];
	double scaled;

	metrics_head(sb, metric->name, metric->kind == COUNTER ? "counter" : "gauge", metric->help);
	if (!known(core, metric->id, 0, now_ms))
		return;
	if (metric->kind == STATE) {
		metrics_states(sb, metric->name, NULL, NULL, metric->name_of, metric->unit, value);
		return;
	}
	if (metric->kind == MONO ? value <= 0 : value < 0 && metric->kind != SIGNED)
		return;
	scaled = (double)value;
	if (metric->kind == MONO)
		scaled += (double)(wall_ms - now_ms);
	sb_printf(sb, "%s %.15g\n", metric->name, scaled / (double)metric->unit);
}

/* One metric, always 1, with the texts of facts as labels. */
static void put_info(struct sb *sb, const struct facts *facts, const char *name, const char *help,
                     const enum fact_id *ids, size_t count)
{
	char label[32];

	metrics_head(sb, name, "gauge", help);
	sb_put(sb, name);
	for (size_t i = 0; i < count; i++) {
		str_copy(label, sizeof label, fact_info((uint16_t)ids[i])->name);
		for (char *c = label; *c; c++)
			*c = *c == '-' ? '_' : *c;
		metrics_label(sb, label, facts_get(facts, ids[i], 0)->text);
	}
	sb_put(sb, "} 1\n");
}

#define INFO(sb, facts, name, help, ids)                                                           \
	put_info(sb, facts, name, help, ids, sizeof(ids) / sizeof((ids)[0]))

static void put_ages(struct sb *sb, const struct core *core, int64_t now_ms)
{
	const char *name = "wna_fact_age_seconds";

	metrics_head(sb, name, "gauge", "Time since each fact was found, or last changed.");
	for (int id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (unsigned slot = 0; slot < fact_info((uint16_t)id)->slots; slot++) {
			const struct fact *fact =
			        facts_get(&core->state.facts, (enum fact_id)id, slot);

			if (!fact->seen)
				continue;
			sb_put(sb, name);
			metrics_label(sb, "fact", fact_info((uint16_t)id)->name);
			if (id == FACT_CHECK)
				metrics_label(sb, "check",
				              core->state.conf->checks.item[slot].name);
			sb_printf(sb, "} %.15g\n", (double)(now_ms - fact->at_ms) / 1000);
		}
	}
}

void metrics_facts(struct sb *sb, const struct core *core, int64_t now_ms, int64_t wall_ms)
{
	static const enum fact_id instance[] = {
		FACT_INSTANCE_ID, FACT_INSTANCE_TYPE,
		FACT_AMI_ID,      FACT_PRIVATE_IPV4,
		FACT_PUBLIC_IPV4, FACT_AZ,
		FACT_AZ_ID,       FACT_REGION,
		FACT_PARTITION,   FACT_DOMAIN,
		FACT_VPC_ID,      FACT_SUBNET_ID,
		FACT_ASG,         FACT_INSTANCE_LIFE_CYCLE,
	};
	static const enum fact_id notices[] = { FACT_TARGET_STATE, FACT_SPOT_ACTION, FACT_REBALANCE,
		                                FACT_SCHEDULED };
	static const enum fact_id database[] = { FACT_RDS, FACT_RDS_DNS, FACT_RDS_VERSION };
	const struct facts *facts = &core->state.facts;

	INFO(sb, facts, "wna_instance_info", "The identity of this node.", instance);
	INFO(sb, facts, "wna_notice_info", "What AWS intends to do with it.", notices);
	INFO(sb, facts, "wna_database_info", "The database: address, addresses, version.",
	     database);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		put_metric(sb, &table[i], core, now_ms, wall_ms);
	put_ages(sb, core, now_ms);
}
