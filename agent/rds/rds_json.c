/* wna-rds. Blocks on a local disk only. */
#include "rds.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "str.h"

/* Each put_*() ends with a comma: another member always follows. */
static void put_text(struct sb *sb, const char *key, const char *text)
{
	sb_printf(sb, "\"%s\":", key);
	sb_json(sb, text);
	sb_put(sb, ",\n ");
}

static void put_null(struct sb *sb, const char *key)
{
	sb_printf(sb, "\"%s\":null,\n ", key);
}

static void put_addr(struct sb *sb, const char *key, const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	if (addr->family == 0)
		put_null(sb, key);
	else
		put_text(sb, key, net_addr_text(addr, text, sizeof text));
}

/* With milliseconds, which clock_iso8601 does not have. */
static void put_time(struct sb *sb, const char *key, int64_t wall_ms)
{
	char text[32];

	if (wall_ms < 0 || !clock_iso8601(wall_ms, text, sizeof text)[0])
		put_null(sb, key);
	else
		sb_printf(sb, "\"%s\":\"%.19s.%03dZ\",\n ", key, text, (int)(wall_ms % 1000));
}

static void put_number(struct sb *sb, const char *key, int64_t number)
{
	sb_printf(sb, "\"%s\":%" PRId64 ",\n ", key, number);
}

static void put_moved(struct sb *sb, const char *key, const struct rds_change *moved)
{
	if (moved->to.family == 0) {
		put_null(sb, key);
		return;
	}
	sb_printf(sb, "\"%s\":{", key);
	put_addr(sb, "from", &moved->from);
	put_addr(sb, "to", &moved->to);
	put_time(sb, "last_good", moved->last_good_wall_ms);
	put_time(sb, "first_good", moved->first_good_wall_ms);
	put_number(sb, "outage_min_ms", moved->min_ms);
	if (moved->max_ms < 0)
		put_null(sb, "outage_max_ms");
	else
		put_number(sb, "outage_max_ms", moved->max_ms);
	sb_printf(sb, "\"period_ms\":%" PRId64 "},\n ", moved->period_ms);
}

/* The TTL comes last; the result is the length of what comes before it. */
static size_t put_json(struct sb *sb, const struct report *report)
{
	static const struct net_addr none;
	const struct watch *watch = report->watch;
	const struct outage *outage = &watch->outage;
	const struct stale *stale = &watch->stale;
	enum rds_trouble trouble = watch->backoff.trouble;
	char text[NET_ADDR_TEXT];
	size_t len;

	sb_put(sb, "{");
	put_text(sb, "endpoint", watch->conf->endpoint);
	put_number(sb, "port", watch->conf->port);
	put_text(sb, "state", rds_state_name(watch->state));
	put_time(sb, "since", report->since_wall_ms);
	put_text(sb, "why", watch->why);
	put_text(sb, "trouble", trouble == TROUBLE_NONE ? "" : trouble_name(trouble));
	put_addr(sb, "peer", watch->open ? &watch->peer : &none);
	put_addr(sb, "writer", &outage->writer);
	put_addr(sb, "previous_writer", &outage->moved.from);
	put_addr(sb, "previous_writer_other_family",
	         net_addr_equal(&stale->addr, &outage->moved.from) ? &stale->twin : &none);
	put_text(sb, "version", watch->version);
	sb_put(sb, "\"addresses\":[");
	for (int i = 0; i < watch->answer.count; i++)
		sb_printf(sb, "%s\"%s\"", i > 0 ? "," : "",
		          net_addr_text(&watch->answer.addr[i], text, sizeof text));
	sb_put(sb, "],\n ");
	put_text(sb, "canonical_name", watch->answer.name);
	put_text(sb, "dns_why", watch->name_why);
	put_moved(sb, "last_change", &outage->moved);
	sb_printf(sb,
	          "\"counters\":{\"changes\":%" PRId64 ",\"logins\":%" PRId64
	          ",\"failures\":%" PRId64 ",\"dropped\":%" PRId64 ",\"dns_failures\":%" PRId64
	          "},\n ",
	          outage->changes, watch->count.logins, watch->count.failures, watch->count.dropped,
	          watch->count.name_failures);
	len = sb->len;
	sb_printf(sb, "\"ttl_s\":%" PRId64 "}\n", watch->name_ok ? watch->answer.ttl_s : -1);
	return len;
}

void report_write_json(struct report *report)
{
	const struct watch *watch = report->watch;
	char json[sizeof report->json];
	struct sb sb;
	size_t len;
	int rc;

	if (report->since_ms != watch->since_ms) {
		report->since_ms = watch->since_ms;
		report->since_wall_ms = clock_wall_ms() - (clock_ms() - watch->since_ms);
	}
	sb_init(&sb, json, sizeof json);
	len = put_json(&sb, report);
	/* A resolver counts the TTL down: each answer has another TTL. A new TTL alone must not
	 * wake the unit that watches the file (web-node-agent-database.path). */
	if (sb.cut || strncmp(json, report->json, len) == 0)
		return;
	rc = worker_write_file(RDS_DIR, "rds.json", json, sb.len);
	if (rc == 0)
		str_copy(report->json, sizeof report->json, json);
	else if (!report->json_failed)
		log_warning("database: %s/rds.json: %s", RDS_DIR, strerror(-rc));
	report->json_failed = rc < 0;
}
