/* wna-rds. Blocks on a local disk only; owns nothing. */
#include "rds_report_file.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "envfile.h"
#include "log.h"
#include "str.h"

static void put_time(struct sb *sb, const char *key, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[64];
	struct tm tm;

	if (wall_ms < 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		sb_printf(sb, "\"%s\":null", key);
	else
		sb_printf(sb, "\"%s\":\"%s.%03dZ\"", key, text, (int)(wall_ms % 1000));
}

static void put_addr(struct sb *sb, const char *key, const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	if (addr->family == 0)
		sb_printf(sb, "\"%s\":null", key);
	else
		sb_printf(sb, "\"%s\":\"%s\"", key, net_addr_text(addr, text, sizeof text));
}

static void put_text(struct sb *sb, const char *key, const char *text)
{
	sb_printf(sb, "\"%s\":", key);
	sb_json(sb, text);
}

static void put_name(struct sb *sb, const struct watch *watch, int64_t ttl_s)
{
	char text[NET_ADDR_TEXT];

	sb_put(sb, " \"addresses\":[");
	for (int i = 0; i < watch->answer.count; i++)
		sb_printf(sb, "%s\"%s\"", i > 0 ? "," : "",
		          net_addr_text(&watch->answer.addr[i], text, sizeof text));
	sb_put(sb, "],\n ");
	put_text(sb, "canonical_name", watch->answer.name);
	sb_printf(sb, ",\n \"ttl_s\":%" PRId64 ",\n ", ttl_s);
	put_text(sb, "dns_why", watch->name_why);
}

static void put_change(struct sb *sb, const struct report *report)
{
	const struct rds_change *last = &report->watch->outage.last;

	sb_put(sb, " \"last_change\":");
	if (last->to.family == 0) {
		sb_put(sb, "null");
		return;
	}
	sb_put(sb, "{");
	put_addr(sb, "from", &last->from);
	sb_put(sb, ",");
	put_addr(sb, "to", &last->to);
	sb_put(sb, ",");
	put_time(sb, "last_good", report->last_good_wall_ms);
	sb_put(sb, ",");
	put_time(sb, "first_good", report->first_good_wall_ms);
	sb_printf(sb, ",\"outage_min_ms\":%" PRId64 ",\"outage_max_ms\":", last->min_ms);
	if (last->max_ms < 0)
		sb_put(sb, "null");
	else
		sb_printf(sb, "%" PRId64, last->max_ms);
	sb_printf(sb, ",\"period_ms\":%" PRId64 "}", last->period_ms);
}

/* False if it does not fit. */
static bool put_json(const struct report *report, int64_t ttl_s, char *ret, size_t size,
                     size_t *ret_len)
{
	const struct watch *watch = report->watch;
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_put(&sb, "{");
	put_text(&sb, "endpoint", watch->conf->endpoint);
	sb_printf(&sb, ",\n \"port\":%d,\n ", watch->conf->port);
	put_text(&sb, "state", rds_state_name(watch->state));
	sb_put(&sb, ",\n ");
	put_time(&sb, "since", report->since_wall_ms);
	sb_put(&sb, ",\n ");
	put_text(&sb, "why", watch->why);
	sb_put(&sb, ",\n ");
	put_text(&sb, "trouble",
	         watch->trouble == TROUBLE_NONE ? "" : trouble_name(watch->trouble));
	sb_put(&sb, ",\n ");
	put_addr(&sb, "peer", watch->open ? &watch->peer : &(struct net_addr){ 0 });
	sb_put(&sb, ",\n ");
	put_addr(&sb, "writer", &watch->outage.writer);
	sb_put(&sb, ",\n ");
	put_addr(&sb, "previous_writer", &watch->outage.previous);
	sb_put(&sb, ",\n ");
	put_text(&sb, "version", watch->version);
	sb_put(&sb, ",\n");
	put_name(&sb, watch, ttl_s);
	sb_put(&sb, ",\n");
	put_change(&sb, report);
	sb_printf(&sb,
	          ",\n \"counters\":{\"changes\":%" PRId64 ",\"logins\":%" PRId64
	          ",\"failures\":%" PRId64 ",\"dropped\":%" PRId64 ",\"dns_failures\":%" PRId64
	          "}}\n",
	          watch->outage.changes, watch->count.logins, watch->count.failures,
	          watch->count.dropped, watch->count.name_failures);
	*ret_len = sb.len;
	return !sb.cut;
}

void report_write_json(struct report *report)
{
	const struct watch *watch = report->watch;
	char json[sizeof report->json], same[sizeof report->json];
	size_t len;
	int rc;

	/* A resolver counts the TTL down: it differs at each look and nobody acts on it, but
	 * whoever watches the file (web-node-agent-database.path) would be woken each time. */
	if (!put_json(report, 0, same, sizeof same, &len) || strcmp(same, report->json) == 0 ||
	    !put_json(report, watch->name_ok ? watch->answer.ttl_s : -1, json, sizeof json, &len))
		return;
	rc = worker_write_file(RDS_DIR, "rds.json", json, len);
	if (rc < 0)
		log_warning("database: %s/rds.json: %s", RDS_DIR, strerror(-rc));
	else
		str_copy(report->json, sizeof report->json, same);
}

void report_write_env(const struct report *report)
{
	const struct rds_change *last = &report->watch->outage.last;
	char text[1024], from[NET_ADDR_TEXT], to[NET_ADDR_TEXT];
	struct sb sb;
	int rc;

	sb_init(&sb, text, sizeof text);
	sb_printf(&sb, "WNA_RDS_ENDPOINT=%s\nWNA_RDS_FROM=%s\nWNA_RDS_TO=%s\n",
	          report->watch->conf->endpoint, net_addr_text(&last->from, from, sizeof from),
	          net_addr_text(&last->to, to, sizeof to));
	sb_printf(&sb, "WNA_RDS_OUTAGE_MIN_MS=%" PRId64 "\n", last->min_ms);
	if (last->max_ms >= 0)
		sb_printf(&sb, "WNA_RDS_OUTAGE_MAX_MS=%" PRId64 "\n", last->max_ms);
	if (report->last_good_wall_ms >= 0)
		sb_printf(&sb, "WNA_RDS_LAST_GOOD_MS=%" PRId64 "\n", report->last_good_wall_ms);
	sb_printf(&sb, "WNA_RDS_FIRST_GOOD_MS=%" PRId64 "\nWNA_RDS_PERIOD_MS=%" PRId64 "\n",
	          report->first_good_wall_ms, last->period_ms);
	rc = worker_write_file(RDS_DIR, "rds.env", text, sb.len);
	if (rc < 0)
		log_warning("database: %s/rds.env: %s", RDS_DIR, strerror(-rc));
}

static int64_t get_number(const char *text, const char *key)
{
	char value[32];
	int64_t number;

	if (!envfile_get(text, key, value, sizeof value) ||
	    !str_int64(value, 0, INT64_MAX, &number))
		return -1;
	return number;
}

void report_restore(struct report *report, struct outage *ret_outage)
{
	char text[1024], endpoint[LIMIT_HOST], from[NET_ADDR_TEXT], to[NET_ADDR_TEXT];
	struct rds_change change = { .last_good_ms = -1 };

	report->changes = ret_outage->changes;
	if (envfile_read(RDS_DIR "/rds.env", text, sizeof text) < 0 ||
	    !envfile_get(text, "WNA_RDS_ENDPOINT", endpoint, sizeof endpoint) ||
	    strcmp(endpoint, report->watch->conf->endpoint) != 0 ||
	    !envfile_get(text, "WNA_RDS_FROM", from, sizeof from) ||
	    !envfile_get(text, "WNA_RDS_TO", to, sizeof to) ||
	    !net_addr_parse(from, &change.from) || !net_addr_parse(to, &change.to))
		return;
	change.min_ms = get_number(text, "WNA_RDS_OUTAGE_MIN_MS");
	change.max_ms = get_number(text, "WNA_RDS_OUTAGE_MAX_MS");
	change.period_ms = get_number(text, "WNA_RDS_PERIOD_MS");
	if (change.min_ms < 0 || change.period_ms < 0)
		return;
	report->last_good_wall_ms = get_number(text, "WNA_RDS_LAST_GOOD_MS");
	report->first_good_wall_ms = get_number(text, "WNA_RDS_FIRST_GOOD_MS");
	ret_outage->last = change;
	ret_outage->previous = change.from;
}
