/*
 * wna-core. Never blocks. Owns nothing. The metrics of what the core itself decides and counts;
 * what is not known has no sample.
 */
#include <inttypes.h>

#include "core.h"
#include "log.h"

void metrics_head(struct sb *sb, const char *name, const char *type, const char *help)
{
	sb_printf(sb, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_label(struct sb *sb, const char *name, const char *value)
{
	bool first = sb->cut || sb->len == 0 || sb->buf[sb->len - 1] != '"';

	sb_printf(sb, "%c%s=\"", first ? '{' : ',', name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			sb_char(sb, '\\');
		if (*value == '\n')
			sb_put(sb, "\\n");
		else
			sb_char(sb, *value);
	}
	sb_char(sb, '"');
}

void metrics_states(struct sb *sb, const char *name, const char *label, const char *value,
                    const char *(*name_of)(int64_t), int64_t max, int64_t state)
{
	for (int64_t i = 0; i < max; i++) {
		sb_put(sb, name);
		if (label)
			metrics_label(sb, label, value);
		metrics_label(sb, "state", name_of(i)[0] ? name_of(i) : "none");
		sb_printf(sb, "} %d\n", i == state);
	}
}

static void put_one(struct sb *sb, const char *name, const char *type, const char *help,
                    double value)
{
	metrics_head(sb, name, type, help);
	sb_printf(sb, "%s %.15g\n", name, value);
}

/* A sample with one label. */
static void put_labelled(struct sb *sb, const char *name, const char *label, const char *text,
                         double value)
{
	sb_put(sb, name);
	metrics_label(sb, label, text);
	sb_printf(sb, "} %.15g\n", value);
}

static void put_answers(struct sb *sb, const struct core *core, const struct verdict *verdict)
{
	const char *name = "wna_endpoint_success";

	metrics_head(sb, name, "gauge", "1 if the endpoint answers 200, 0 if 503.");
	put_labelled(sb, name, "endpoint", "healthz", judge_code(verdict->health) == 200);
	put_labelled(sb, name, "endpoint", "readyz", judge_code(verdict->ready) == 200);
	name = "wna_endpoint_state";
	metrics_head(sb, name, "gauge",
	             "The level that the endpoint answers; the present one is 1.");
	metrics_states(sb, name, "endpoint", "healthz", verdict_level_name, LEVEL_MAX,
	               verdict->health);
	metrics_states(sb, name, "endpoint", "readyz", verdict_level_name, LEVEL_MAX,
	               verdict->ready);
	name = "wna_endpoint_changed_timestamp_seconds";
	metrics_head(sb, name, "gauge", "Unix time from which on the level has been this.");
	put_labelled(sb, name, "endpoint", "healthz", (double)core->health.wall_ms / 1000);
	put_labelled(sb, name, "endpoint", "readyz", (double)core->ready.wall_ms / 1000);
}

static void put_jobs(struct sb *sb, const struct core *core, const struct verdict *verdict)
{
	const char *name = "wna_job_state";

	metrics_head(sb, name, "gauge",
	             "The level of each of the five jobs; the present one is 1.");
	for (int i = 0; i < JOB_MAX; i++)
		metrics_states(sb, name, "name", job_name(i), verdict_level_name, LEVEL_DRAINING,
		               verdict->job[i].level);
	name = "wna_job_changed_timestamp_seconds";
	metrics_head(sb, name, "gauge", "Unix time from which on the level has been this.");
	for (int i = 0; i < JOB_MAX; i++)
		put_labelled(sb, name, "name", job_name(i), (double)core->job[i].wall_ms / 1000);
}

static void put_checks(struct sb *sb, const struct core *core, const struct verdict *verdict)
{
	const struct conf_checks *checks = &core->state.conf->checks;
	const char *name = "wna_check_state";

	metrics_head(sb, name, "gauge",
	             "The level of each configured check; the present one is 1.");
	for (int i = 0; i < checks->count; i++)
		metrics_states(sb, name, "check", checks->item[i].name, verdict_level_name,
		               LEVEL_DRAINING, verdict->check[i].level);
	name = "wna_check_changed_timestamp_seconds";
	metrics_head(sb, name, "gauge", "Unix time from which on the level has been this.");
	for (int i = 0; i < checks->count; i++)
		put_labelled(sb, name, "check", checks->item[i].name,
		             (double)core->check[i].wall_ms / 1000);
	name = "wna_check_duration_seconds";
	metrics_head(sb, name, "gauge", "How long the last good result took.");
	for (int i = 0; i < checks->count; i++) {
		const struct fact *fact = facts_get(&core->state.facts, FACT_CHECK, (unsigned)i);

		if (fact->seen && fact->more[CHECK_LAST] >= 0)
			put_labelled(sb, name, "check", checks->item[i].name,
			             (double)fact->more[CHECK_LAST] / 1e6);
	}
	name = "wna_check_info";
	metrics_head(sb, name, "gauge", "The type of each check, and its scope: local or shared.");
	for (int i = 0; i < checks->count; i++) {
		sb_put(sb, name);
		metrics_label(sb, "check", checks->item[i].name);
		metrics_label(sb, "type", check_type_name(checks->item[i].type));
		metrics_label(sb, "scope",
		              checks->item[i].scope == SCOPE_LOCAL ? "local" : "shared");
		sb_put(sb, "} 1\n");
	}
}

static void put_processes(struct sb *sb, const struct core *core)
{
	const char *name = "wna_process_up";

	metrics_head(sb, name, "gauge", "1 if the process, whose job is on, is connected.");
	for (int role = 0; role < ROLE_MAX; role++) {
		if (role != ROLE_CORE && snapshot_wants(core->state.conf, (enum role)role))
			put_labelled(sb, name, "process", role_of(role)->exe,
			             core->state.link[role].up);
	}
}

static void put_counters(struct sb *sb, const struct core *core)
{
	const struct core_counters *counters = &core->counters;
	const struct {
		const char *name, *help;
		uint64_t value;
	} rows[] = {
		{ "wna_http_requests_total", "Requests answered.", counters->requests },
		{ "wna_http_connections_total", "Connections accepted.", counters->accepted },
		{ "wna_http_connections_evicted_total",
		  "Connections closed to make room for another one.", counters->evicted },
		{ "wna_http_connections_timed_out_total", "Connections closed after a time-out.",
		  counters->timed_out },
		{ "wna_http_bad_requests_total", "Malformed requests.", counters->bad_requests },
		{ "wna_http_refused_requests_total",
		  "Requests for the page, the status or the metrics that were not allowed.",
		  counters->refused_status },
		{ "wna_hub_questions_total", "Questions of wnactl.", counters->control },
		{ "wna_hub_facts_total", "Facts taken.", core->state.facts.taken },
		{ "wna_hub_refused_facts_total", "Facts refused.", core->state.facts.refused },
		{ "wna_hub_bad_messages_total", "Malformed messages.", counters->bad_messages },
		{ "wna_log_dropped_lines_total", "Log lines of wna-core that nobody read in time.",
		  log_dropped() },
		{ "wna_changes_total", "Changes on the timeline.", core->timeline.count },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		metrics_head(sb, rows[i].name, "counter", rows[i].help);
		sb_printf(sb, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
	}
}

size_t metrics_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size)
{
	const struct verdict *verdict = core_view(core, now_ms, wall_ms);
	struct sb sb;

	sb_init(&sb, ret, size);
	metrics_head(&sb, "wna_build_info", "gauge", "The version of the agent.");
	put_labelled(&sb, "wna_build_info", "version", WNA_VERSION, 1);
	put_one(&sb, "wna_start_time_seconds", "gauge", "Unix time of the start of wna-core.",
	        (double)core->started_wall_ms / 1000);
	put_one(&sb, "wna_config_loaded_timestamp_seconds", "gauge",
	        "Unix time at which the configuration in force was loaded.",
	        (double)core->state.loaded_ms / 1000);
	put_one(&sb, "wna_config_valid", "gauge", "0 if there is no valid configuration.",
	        core->state.conf_why[0] == '\0');
	put_answers(&sb, core, verdict);
	put_jobs(&sb, core, verdict);
	put_checks(&sb, core, verdict);
	put_processes(&sb, core);
	metrics_facts(&sb, core, now_ms, wall_ms);
	put_counters(&sb, core);
	return sb.cut ? 0 : sb.len;
}
