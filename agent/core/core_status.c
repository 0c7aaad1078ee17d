/* wna-core. Never blocks. Owns nothing. */
#include "core.h"

#include <inttypes.h>

#include "clock.h"
#include "log.h"
#include "str.h"

const char *check_type_name(int32_t type)
{
	static const char *const names[CHECK_TYPE_MAX] = { "http", "tcp", "file", "process",
		                                           "disk" };

	return type >= 0 && type < CHECK_TYPE_MAX ? names[type] : "?";
}

static void put_text(struct sb *sb, const char *key, const char *text)
{
	sb_printf(sb, ",\"%s\":", key);
	sb_json(sb, text);
}

static void put_time(struct sb *sb, const char *key, int64_t wall_ms)
{
	char text[32];

	put_text(sb, key, clock_iso8601(wall_ms, text, sizeof text));
}

/* A person has nothing to do about a state that is well. */
static void put_reason(struct sb *sb, enum reason reason, bool well)
{
	put_text(sb, "reason", reason_info(reason)->name);
	put_text(sb, "do", well ? "" : reason_info(reason)->todo);
}

static void put_finding(struct sb *sb, const struct finding *finding)
{
	put_text(sb, "why", finding->why);
	put_reason(sb, finding->reason, finding->level == LEVEL_OK || finding->level == LEVEL_OFF);
}

static void put_endpoint(struct sb *sb, const char *name, const struct core_since *since,
                         enum verdict_level level, const struct verdict *verdict)
{
	bool well = level == LEVEL_OK;

	sb_printf(sb, ",\"%s\":{\"code\":%d,\"level\":\"%s\"", name, judge_code(level),
	          verdict_level_name(level));
	put_time(sb, "since", since->wall_ms);
	put_text(sb, "why", well ? "" : verdict->why);
	put_reason(sb, well ? REASON_NONE : verdict->reason, well);
	sb_char(sb, '}');
}

static void put_lifecycle(struct sb *sb, const struct fact *life)
{
	if (!life->seen)
		return;
	sb_printf(sb, ",\"lifecycle\":{\"state\":\"%s\"", life_state_name(life->value));
	put_time(sb, "since", life->since_wall_ms);
	put_text(sb, "why", life->why);
	put_text(sb, "next", life->text);
	sb_char(sb, '}');
}

static void put_jobs(struct sb *sb, const struct core *core, const struct verdict *verdict)
{
	sb_put(sb, ",\"jobs\":[");
	for (int i = 0; i < JOB_MAX; i++) {
		const struct finding *job = &verdict->job[i];

		sb_printf(sb, "%s{\"name\":\"%s\",\"level\":\"%s\"", i > 0 ? "," : "", job_name(i),
		          verdict_level_name(job->level));
		put_time(sb, "since", core->job[i].wall_ms);
		put_text(sb, "what", job->what);
		put_text(sb, "next", job->next);
		put_finding(sb, job);
		sb_char(sb, '}');
	}
	sb_char(sb, ']');
}

static void put_checks(struct sb *sb, const struct core *core, const struct verdict *verdict)
{
	const struct conf_checks *checks = &core->state.conf->checks;

	sb_put(sb, ",\"checks\":[");
	for (int i = 0; i < checks->count; i++) {
		const struct conf_check *check = &checks->item[i];
		const struct fact *fact = facts_get(&core->state.facts, FACT_CHECK, (unsigned)i);

		sb_put(sb, i > 0 ? ",{\"name\":" : "{\"name\":");
		sb_json(sb, check->name);
		sb_printf(sb, ",\"type\":\"%s\",\"scope\":\"%s\",\"level\":\"%s\"",
		          check_type_name(check->type),
		          check->scope == SCOPE_LOCAL ? "local" : "shared",
		          verdict_level_name(verdict->check[i].level));
		put_time(sb, "since", core->check[i].wall_ms);
		put_text(sb, "what", verdict->check[i].what);
		sb_printf(sb, ",\"last_us\":%" PRId64,
		          fact->seen && fact->more[CHECK_LAST] >= 0 ? fact->more[CHECK_LAST]
		                                                    : (int64_t)-1);
		put_text(sb, "next", verdict->check[i].next);
		put_finding(sb, &verdict->check[i]);
		sb_char(sb, '}');
	}
	sb_char(sb, ']');
}

static void put_process_why(struct sb *sb, const struct link *link, const char *why)
{
	enum reason reason = why[0] ? REASON_SOCKETS : REASON_NONE;

	if (link->other_conf) {
		why = "runs with another configuration";
		reason = REASON_PROCESS_OLD;
	} else if (!link->up) {
		reason = REASON_PROCESS_DOWN;
	}
	put_text(sb, "why", why);
	put_reason(sb, reason, reason == REASON_NONE);
}

/* The processes whose job is on. The core is left out: its answer shows that it runs. */
static void put_processes(struct sb *sb, const struct core *core)
{
	const struct facts *facts = &core->state.facts;
	bool first = true;

	sb_put(sb, ",\"processes\":[");
	for (int role = 0; role < ROLE_MAX; role++) {
		const struct link *link = &core->state.link[role];

		if (role == ROLE_CORE || !snapshot_wants(core->state.conf, (enum role)role))
			continue;
		sb_printf(sb, "%s{\"role\":\"%s\",\"state\":\"%s\",\"what\":\"", first ? "" : ",",
		          role_name(role), link->up ? "running" : "not connected");
		if (link->pid)
			sb_printf(sb, "pid %d", link->pid);
		sb_char(sb, '"');
		put_time(sb, "since",
		         link->since_wall_ms ? link->since_wall_ms : core->started_wall_ms);
		put_process_why(sb, link,
		                role == ROLE_SOCKETS ? facts_get(facts, FACT_SOCKETS, 0)->why : "");
		sb_char(sb, '}');
		first = false;
	}
	sb_char(sb, ']');
}

static void put_fact(struct sb *sb, const struct fact *fact, int64_t now_ms)
{
	sb_printf(sb, ":{\"value\":%" PRId64, fact->value);
	sb_put(sb, ",\"more\":[");
	for (int i = 0; i < HUB_MORE; i++)
		sb_printf(sb, "%s%" PRId64, i > 0 ? "," : "", fact->more[i]);
	sb_char(sb, ']');
	put_text(sb, "text", fact->text);
	put_text(sb, "why", fact->why);
	put_time(sb, "since", fact->since_wall_ms);
	sb_printf(sb, ",\"age_ms\":%" PRId64 "}", now_ms - fact->at_ms);
}

static void put_facts(struct sb *sb, const struct core *core, int64_t now_ms)
{
	bool first = true;

	sb_put(sb, ",\"facts\":{");
	for (int id = FACT_NONE + 1; id < FACT_MAX; id++) {
		const struct fact_info *info = fact_info((uint16_t)id);

		for (unsigned slot = 0; info && slot < info->slots; slot++) {
			const struct fact *fact =
			        facts_get(&core->state.facts, (enum fact_id)id, slot);

			if (!fact->seen)
				continue;
			sb_printf(sb, "%s\"%s", first ? "" : ",", info->name);
			if (id == FACT_CHECK)
				sb_printf(sb, ".%s", core->state.conf->checks.item[slot].name);
			sb_char(sb, '"');
			put_fact(sb, fact, now_ms);
			first = false;
		}
	}
	sb_char(sb, '}');
}

static void put_timeline(struct sb *sb, const struct core *core)
{
	char text[32];

	sb_put(sb, ",\"timeline\":[");
	for (unsigned i = 0; i < timeline_kept(&core->timeline); i++) {
		const struct timeline_entry *entry = timeline_get(&core->timeline, i);

		sb_put(sb, i > 0 ? ",{\"at\":" : "{\"at\":");
		sb_json(sb, clock_iso8601(entry->wall_ms, text, sizeof text));
		put_text(sb, "what", entry->what);
		sb_char(sb, '}');
	}
	sb_char(sb, ']');
}

static void put_counters(struct sb *sb, const struct core *core)
{
	const struct core_counters *counters = &core->counters;

	sb_printf(sb,
	          ",\"counters\":{\"requests\":%" PRIu64 ",\"accepted\":%" PRIu64
	          ",\"evicted\":%" PRIu64 ",\"timed_out\":%" PRIu64 ",\"bad_requests\":%" PRIu64
	          ",\"refused_status\":%" PRIu64 ",\"control\":%" PRIu64 ",\"facts\":%" PRIu64
	          ",\"refused_facts\":%" PRIu64 ",\"bad_messages\":%" PRIu64
	          ",\"log_dropped\":%lu}",
	          counters->requests, counters->accepted, counters->evicted, counters->timed_out,
	          counters->bad_requests, counters->refused_status, counters->control,
	          core->state.facts.taken, core->state.facts.refused, counters->bad_messages,
	          log_dropped());
}

size_t status_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size)
{
	const struct verdict *verdict = core_view(core, now_ms, wall_ms);
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_put(&sb, "{\"schema\":1,\"version\":\"" WNA_VERSION "\"");
	put_time(&sb, "started", core->started_wall_ms);
	put_time(&sb, "now", wall_ms);
	sb_put(&sb, ",\"config\":{\"error\":");
	sb_json(&sb, core->state.conf_why);
	put_time(&sb, "loaded", core->state.loaded_ms);
	sb_char(&sb, '}');
	put_endpoint(&sb, "healthz", &core->health, verdict->health, verdict);
	put_endpoint(&sb, "readyz", &core->ready, verdict->ready, verdict);
	put_lifecycle(&sb, facts_get(&core->state.facts, FACT_LIFECYCLE, 0));
	put_jobs(&sb, core, verdict);
	put_checks(&sb, core, verdict);
	put_processes(&sb, core);
	put_facts(&sb, core, now_ms);
	put_timeline(&sb, core);
	put_counters(&sb, core);
	sb_put(&sb, "}\n");
	return sb.cut ? 0 : sb.len;
}
