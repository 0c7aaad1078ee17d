/* wna-rds. Blocks on a local disk only. */
#include "rds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "str.h"

/* "08:15:30.120" */
static const char *time_of_day(int64_t wall_ms, char *ret, size_t size)
{
	char text[32];

	if (wall_ms < 0 || !clock_iso8601(wall_ms, text, sizeof text)[0])
		return "unknown";
	snprintf(ret, size, "%.8s.%03d", strchr(text, 'T') + 1, (int)(wall_ms % 1000));
	return ret;
}

char *report_outage(const struct rds_change *change, char *ret, size_t size)
{
	char last[32], first[32];
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_printf(&sb, "writes were out for %.1f", (double)change->min_ms / 1000.0);
	if (change->max_ms >= 0)
		sb_printf(&sb, " to %.1f s", (double)change->max_ms / 1000.0);
	else
		sb_put(&sb, " s or more");
	sb_printf(&sb, " (last good %s, first good %s UTC, asked every %.1f s)",
	          time_of_day(change->last_good_wall_ms, last, sizeof last),
	          time_of_day(change->first_good_wall_ms, first, sizeof first),
	          (double)change->period_ms / 1000.0);
	return ret;
}

static void log_name(struct report *report)
{
	const struct watch *watch = report->watch;
	const char *why = watch->name_ok ? "" : watch->name_why;
	char addresses[LIMIT_FACT_TEXT];
	bool moved;

	answer_text(&watch->answer, addresses, sizeof addresses);
	moved = strcmp(addresses, report->addresses) != 0;
	if (why[0] && strcmp(why, report->name_why) != 0)
		log_warning("dns: %s: %s", watch->conf->endpoint, why);
	else if (!why[0] && (moved || report->name_why[0]))
		log_info("dns: %s resolves to %s (TTL %" PRId64 " s)%s%s", watch->conf->endpoint,
		         addresses, watch->answer.ttl_s,
		         moved && report->addresses[0] ? ", before to " : "",
		         moved ? report->addresses : "");
	str_copy(report->name_why, sizeof report->name_why, why);
	str_copy(report->addresses, sizeof report->addresses, addresses);
}

static void log_state(struct report *report)
{
	const struct watch *watch = report->watch;
	const char *endpoint = watch->conf->endpoint, *state = rds_state_name(watch->state);
	bool same = report->state == watch->state;
	char peer[NET_ADDR_TEXT];

	if (same && strcmp(report->why, watch->why) == 0)
		return;
	if (watch->state == RDS_WRITABLE || watch->state == RDS_READ_ONLY)
		log_info("database: %s at %s is %s (%s)", endpoint,
		         net_addr_text(&watch->peer, peer, sizeof peer), state, watch->version);
	else if (same)
		log_info("database: %s is still %s: %s", endpoint, state, watch->why);
	else
		log_warning("database: %s is %s: %s", endpoint, state, watch->why);
	report->state = watch->state;
	str_copy(report->why, sizeof report->why, watch->why);
}

static void send_change(const struct report *report)
{
	const struct outage *outage = &report->watch->outage;
	const struct rds_change *moved = &outage->moved;
	struct msg change = {
		.id = FACT_RDS_CHANGE,
		.value = outage->changes,
		.more = { [RDS_CHANGE_MIN_MS] = moved->min_ms,
		          [RDS_CHANGE_MAX_MS] = moved->max_ms },
	};
	char from[NET_ADDR_TEXT], to[NET_ADDR_TEXT];

	if (moved->to.family != 0) {
		snprintf(change.text, sizeof change.text, "%.45s -> %.45s",
		         net_addr_text(&moved->from, from, sizeof from),
		         net_addr_text(&moved->to, to, sizeof to));
		report_outage(moved, change.why, sizeof change.why);
	}
	worker_say(report->worker, &change);
}

/* "impact from 08:15:30.120 UTC on, detected after 3.1 s, ..." */
static void up_text(const int64_t up[], char *ret, size_t size)
{
	static const char *const steps[] = {
		[RDS_UP_DETECTED_MS] = "detected",
		[RDS_UP_NAMED_MS] = "name changed",
		[RDS_UP_WRITABLE_MS] = "writable",
	};
	int64_t from_ms = up[RDS_UP_IMPACT_MS];
	char time[32];
	struct sb sb;

	if (from_ms < 0)
		from_ms = up[RDS_UP_DETECTED_MS];
	sb_init(&sb, ret, size);
	sb_printf(&sb, "impact from %s UTC on", time_of_day(from_ms, time, sizeof time));
	for (int i = RDS_UP_DETECTED_MS; i <= RDS_UP_WRITABLE_MS; i++) {
		if (up[i] >= 0)
			sb_printf(&sb, ", %s after %.1f s", steps[i],
			          (double)(up[i] - from_ms) / 1000.0);
	}
}

/* The events in the order in which they happen. */
static void send_events(const struct report *report)
{
	const struct outage *outage = &report->watch->outage;
	struct msg down = { .id = FACT_RDS_DOWN, .value = outage->downs };
	struct msg up = { .id = FACT_RDS_UP, .value = outage->ups };

	net_addr_text(&outage->down_addr, down.text, sizeof down.text);
	net_addr_text(&outage->writer, up.text, sizeof up.text);
	memcpy(up.more, outage->up, sizeof outage->up);
	if (outage->ups > 0)
		up_text(outage->up, up.why, sizeof up.why);
	worker_say(report->worker, &down);
	send_change(report);
	worker_say(report->worker, &up);
}

static void send_facts(const struct report *report)
{
	const struct watch *watch = report->watch;
	const struct worker *worker = report->worker;
	struct msg rds = {
		.id = FACT_RDS,
		.value = watch->state,
		.more = { [RETRY_AT_MS] = watch_retry_ms(watch),
		          [RETRY_TROUBLE] = watch->backoff.trouble },
	};
	char text[LIMIT_FACT_TEXT] = "";

	/* What an earlier process said stays until something has been found. */
	if (watch->state != RDS_STARTING) {
		if (watch->open)
			net_addr_text(&watch->peer, rds.text, sizeof rds.text);
		str_copy(rds.why, sizeof rds.why, watch->why);
		worker_say(worker, &rds);
		worker_fact(worker, FACT_RDS_RTT, watch->rtt_us, NULL, NULL);
		worker_fact(worker, FACT_RDS_VERSION, watch->version[0] != '\0', watch->version,
		            NULL);
	}
	if (watch->conf->auth == DB_AUTH_IAM && watch->answer.count > 0)
		worker_fact(worker, FACT_RDS_HOST, 0, NULL, watch->answer.given);
	answer_text(&watch->answer, text, sizeof text);
	worker_fact(worker, FACT_RDS_DNS, watch->name_ok ? watch->answer.ttl_s : -1, text,
	            watch->name_why);
}

static void send_stale(const struct report *report)
{
	const struct stale *stale = &report->watch->stale;
	struct msg fact = {
		.id = FACT_RDS_STALE,
		.value = stale->number,
		.more = { stale->reason },
		.found_ms = stale->at_ms,
	};
	char addr[NET_ADDR_TEXT];
	struct sb sb;

	sb_init(&sb, fact.text, sizeof fact.text);
	if (stale->number > 0)
		sb_put(&sb, net_addr_text(&stale->addr, addr, sizeof addr));
	if (stale->number > 0 && stale->twin.family != 0)
		sb_printf(&sb, ",%s", net_addr_text(&stale->twin, addr, sizeof addr));
	worker_say(report->worker, &fact);
}

void report_send(struct report *report)
{
	report_write_json(report);
	log_name(report);
	log_state(report);
	/* First: hook scripts find these connections ended. */
	send_stale(report);
	send_facts(report);
	send_events(report);
}

void report_change(const struct report *report, const struct rds_change *change)
{
	const char *endpoint = report->watch->conf->endpoint;
	char from[NET_ADDR_TEXT], to[NET_ADDR_TEXT], text[LIMIT_FACT_WHY];

	net_addr_text(&change->from, from, sizeof from);
	net_addr_text(&change->to, to, sizeof to);
	report_outage(change, text, sizeof text);
	if (net_addr_equal(&change->from, &change->to))
		log_info("database: %s is writable again at %s: %s", endpoint, to, text);
	else
		log_info("database: %s moved from %s to %s: %s", endpoint, from, to, text);
}
