/* wna-core. Never blocks. Owns nothing. The page for a browser; facts are text from outside. */
#include <stdio.h>

#include "clock.h"
#include "core.h"

enum { CHANGES = 20 }; /* on the page; /status has all that are kept */

static void put_element(struct sb *sb, const char *open, const char *text, const char *close)
{
	if (!text[0])
		return;
	sb_put(sb, open);
	sb_html(sb, text);
	sb_put(sb, close);
}

static void put_time(struct sb *sb, int64_t wall_ms)
{
	char text[32];

	sb_printf(sb, "<time>%s</time>", clock_iso8601(wall_ms, text, sizeof text));
}

/* "for 3 min 2 s, since 2026-11-23T08:15:30Z" */
static void put_since(struct sb *sb, const struct core_since *since, int64_t now_ms)
{
	char span[32];

	sb_printf(sb, "<p class=\"dim\">for %s, since ",
	          clock_span(now_ms - since->at_ms, span, sizeof span));
	put_time(sb, since->wall_ms);
	sb_put(sb, "</p>");
}

static const struct {
	const char *title, *means;
} endings[LEVEL_MAX] = {
	[LEVEL_OK] = { "In service", "The load balancer sends visitors here: /healthz answers 200. "
	                             "All jobs are well." },
	[LEVEL_DEGRADED] = { "In service, degraded", "The load balancer sends visitors here: "
	                                             "/healthz answers 200. What fails is "
	                                             "shared by all nodes, or must not replace "
	                                             "this one; /readyz answers 503." },
	[LEVEL_WAITING] = { "Not in service yet",
	                    "The load balancer sends no visitors here: /healthz answers 503 until "
	                    "this node's own jobs are known to be well." },
	[LEVEL_FAIL] = { "Out of service",
	                 "The load balancer sends no visitors here: /healthz answers 503. If this "
	                 "lasts, the Auto Scaling group replaces this node." },
	[LEVEL_DRAINING] = { "Leaving service", "The load balancer sends no new visitors here: "
	                                        "/healthz answers 503 on "
	                                        "purpose. The web server still answers." },
};

static void put_verdict(struct sb *sb, const struct core *core, const struct verdict *verdict,
                        int64_t now_ms)
{
	const struct fact *life = facts_get(&core->state.facts, FACT_LIFECYCLE, 0);

	sb_printf(sb, "<section class=\"card\" id=\"verdict\"><h1>%s</h1><p>%s</p>",
	          endings[verdict->health].title, endings[verdict->health].means);
	put_element(sb, "<p class=\"why\">", verdict->why, "</p>");
	put_element(sb, "<p><b>Do:</b> ", verdict->why[0] ? reason_info(verdict->reason)->todo : "",
	            "</p>");
	put_since(sb, &core->health, now_ms);
	if (life->seen) {
		sb_printf(sb, "<p>Lifecycle: %s", life_state_name(life->value));
		put_element(sb, ", ", life->why, "");
		put_element(sb, ". Next: ", life->text, "");
		sb_put(sb, "</p>");
	}
	sb_put(sb, "</section>");
}

static void put_level(struct sb *sb, const char *name, enum verdict_level level)
{
	const char *word = verdict_level_name(level);

	sb_printf(sb,
	          "<li class=\"card %s\"><div class=\"row\"><h3>%s</h3> <span class=\"level\">%s"
	          "</span></div>",
	          word, name, word);
}

static void put_jobs(struct sb *sb, const struct core *core, const struct verdict *verdict,
                     int64_t now_ms)
{
	sb_put(sb, "<section><h2>Jobs</h2><ul class=\"grid\">");
	for (int i = 0; i < JOB_MAX; i++) {
		const struct finding *job = &verdict->job[i];

		put_level(sb, job_name(i), job->level);
		put_since(sb, &core->job[i], now_ms);
		put_element(sb, "<p class=\"why\">", job->why, "</p>");
		put_element(sb, "<p><b>Do:</b> ",
		            job->level == LEVEL_OK || job->level == LEVEL_OFF
		                    ? ""
		                    : reason_info(job->reason)->todo,
		            "</p>");
		put_element(sb, "<p>", job->what, "</p>");
		put_element(sb, "<p class=\"dim\">Next: ", job->level == LEVEL_OFF ? "" : job->next,
		            "</p>");
		sb_put(sb, "</li>");
	}
	sb_put(sb, "</ul></section>");
}

static void put_checks(struct sb *sb, const struct core *core, const struct verdict *verdict,
                       int64_t now_ms)
{
	const struct conf_checks *checks = &core->state.conf->checks;
	char span[32];

	if (checks->count == 0)
		return;
	sb_put(sb, "<section><h2>Checks of this node</h2><div "
	           "class=\"card\"><table><thead><tr><th>check"
	           "</th><th>state</th><th>last result</th></tr></thead><tbody>");
	for (int i = 0; i < checks->count; i++) {
		const struct conf_check *check = &checks->item[i];
		const struct fact *fact = facts_get(&core->state.facts, FACT_CHECK, (unsigned)i);
		const char *word = verdict_level_name(verdict->check[i].level);

		sb_put(sb, "<tr><td>");
		sb_html(sb, check->name);
		sb_printf(sb,
		          " <span class=\"dim\">%s%s</span></td><td class=\"level %s\">%s <span "
		          "class=\"dim\">for %s</span></td><td>",
		          check_type_name(check->type),
		          check->scope == SCOPE_LOCAL ? "" : ", shared", word, word,
		          clock_span(now_ms - core->check[i].at_ms, span, sizeof span));
		if (fact->seen && fact->more[CHECK_LAST] >= 0)
			sb_printf(sb, "%.1f ms ", (double)fact->more[CHECK_LAST] / 1000.0);
		sb_html(sb, verdict->check[i].why);
		sb_put(sb, "</td></tr>");
	}
	sb_put(sb, "</tbody></table></div></section>");
}

static void put_charts(struct sb *sb, const struct core *core, int64_t now_ms)
{
	const struct facts *facts = &core->state.facts;
	const struct fact *mount = facts_get(facts, FACT_MOUNT, 0);
	const struct fact *rtt = facts_get(facts, FACT_RDS_RTT, 0);
	const struct fact *cpu = facts_get(facts, FACT_CPU, 0);
	const struct html_chart charts[] = {
		{ "EFS round trip", "ms", FACT_MOUNT_HOUR, 1000, 0,
		  mount->seen ? (double)mount->more[MOUNT_SIGN] : -1 },
		{ "Database round trip", "ms", FACT_RDS_HOUR, 1000, 0,
		  rtt->seen ? (double)rtt->value : -1 },
		{ "CPU busy", "%", FACT_CPU_HOUR, 10, 1000, cpu->seen ? (double)cpu->value : -1 },
	};
	const bool on[] = { core->state.conf->mount.enabled, core->state.conf->rds.enabled, true };

	sb_put(sb, "<section><h2>The last hour</h2><div class=\"grid\">");
	for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
		if (on[i])
			html_chart(sb, &charts[i], facts, now_ms);
	}
	sb_put(sb, "</div></section>");
}

static void put_changes(struct sb *sb, const struct core *core, int64_t wall_ms)
{
	unsigned kept = timeline_kept(&core->timeline);
	char span[32];

	sb_put(sb,
	       "<section><h2>Last changes</h2><p class=\"dim\">newest first; known since the start "
	       "of wna-core, ");
	put_time(sb, core->started_wall_ms);
	sb_put(sb, ". The journal has the earlier ones.</p><ol class=\"card\">");
	for (unsigned i = 0; i < kept && i < CHANGES; i++) {
		const struct timeline_entry *entry = timeline_get(&core->timeline, kept - 1 - i);

		sb_put(sb, "<li>");
		put_time(sb, entry->wall_ms);
		sb_printf(sb, " <span class=\"dim\">%s ago</span> ",
		          clock_span(wall_ms - entry->wall_ms, span, sizeof span));
		sb_html(sb, entry->what);
		sb_put(sb, "</li>");
	}
	sb_put(sb, "</ol></section>");
}

static void put_node(struct sb *sb, const struct core *core)
{
	static const struct {
		const char *label;
		enum fact_id id;
	} rows[] = {
		{ "Instance", FACT_INSTANCE_ID },
		{ "Type", FACT_INSTANCE_TYPE },
		{ "Image", FACT_AMI_ID },
		{ "Group", FACT_ASG },
		{ "Target state", FACT_TARGET_STATE },
		{ "Zone", FACT_AZ },
		{ "Zone ID", FACT_AZ_ID },
		{ "VPC", FACT_VPC_ID },
		{ "Subnet", FACT_SUBNET_ID },
		{ "Private address", FACT_PRIVATE_IPV4 },
		{ "Public address", FACT_PUBLIC_IPV4 },
		{ "Purchase", FACT_INSTANCE_LIFE_CYCLE },
		{ "Spot notice", FACT_SPOT_ACTION },
		{ "Rebalance notice", FACT_REBALANCE },
		{ "Scheduled event", FACT_SCHEDULED },
		{ "Database server", FACT_RDS_VERSION },
	};

	sb_put(sb, "<section><h2>Node</h2><dl class=\"card\">");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct fact *fact = facts_get(&core->state.facts, rows[i].id, 0);

		if (!fact->text[0])
			continue;
		sb_printf(sb, "<div><dt>%s</dt>", rows[i].label);
		put_element(sb, "<dd>", fact->text, "</dd></div>");
	}
	sb_put(sb, "<div><dt>Configuration loaded</dt><dd>");
	put_time(sb, core->state.loaded_ms);
	sb_put(sb, "</dd></div></dl></section>");
}

size_t html_render(struct core *core, int64_t now_ms, int64_t wall_ms, char *ret, size_t size)
{
	const struct verdict *verdict = core_view(core, now_ms, wall_ms);
	const char *id = facts_get(&core->state.facts, FACT_INSTANCE_ID, 0)->text;
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_put(&sb, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
	            "name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
	sb_put(&sb, endings[verdict->health].title);
	put_element(&sb, " - ", id, "");
	sb_put(&sb,
	       "</title><link rel=\"icon\" href=\"data:,\"><noscript><meta http-equiv=\"refresh\" "
	       "content=\"5\"></noscript><style>");
	sb_put(&sb, html_style);
	sb_put(&sb, "</style></head><body><header><p><b>web-node-agent</b> " WNA_VERSION);
	put_element(&sb, " on ", id, "");
	sb_put(&sb, "</p><button id=\"pause\" hidden>Pause</button></header><p id=\"late\" "
	            "role=\"status\" hidden></p><main class=\"");
	sb_printf(&sb, "%s\">", verdict_level_name(verdict->health));
	put_verdict(&sb, core, verdict, now_ms);
	put_jobs(&sb, core, verdict, now_ms);
	put_charts(&sb, core, now_ms);
	put_checks(&sb, core, verdict, now_ms);
	put_changes(&sb, core, wall_ms);
	put_node(&sb, core);
	sb_put(&sb,
	       "</main><footer><a href=\"/status\">all as JSON</a> <a href=\"/metrics\">metrics "
	       "for Prometheus</a> <a href=\"/healthz\">/healthz</a> <a "
	       "href=\"/readyz\">/readyz</a></footer><script>");
	sb_put(&sb, html_script);
	sb_put(&sb, "</script></body></html>\n");
	return sb.cut ? 0 : sb.len;
}
