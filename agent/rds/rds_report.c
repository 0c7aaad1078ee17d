/* wna-rds. Blocks on a local disk only. Owns what was told last. */
#include "rds_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "rds_report_file.h"
#include "str.h"

void report_init(struct report *ret, const struct worker *worker, const struct watch *watch)
{
	memset(ret, 0, sizeof *ret);
	ret->worker = worker;
	ret->watch = watch;
	ret->since_ms = -1;
}

static const char *clock_face(int64_t wall_ms, char *ret, size_t size)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms < 0 || gmtime_r(&seconds, &tm) == NULL)
		return "unknown";
	snprintf(ret, size, "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec,
	         (int)(wall_ms % 1000));
	return ret;
}

char *report_outage(const struct rds_change *change, int64_t last_good_wall_ms,
                    int64_t first_good_wall_ms, char *ret, size_t size)
{
	char last[64], first[64];
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_printf(&sb, "writes were out for %.1f", (double)change->min_ms / 1000.0);
	if (change->max_ms >= 0)
		sb_printf(&sb, " to %.1f s", (double)change->max_ms / 1000.0);
	else
		sb_put(&sb, " s or more");
	sb_printf(&sb, " (last good %s, first good %s UTC, asked every %.1f s)",
	          clock_face(last_good_wall_ms, last, sizeof last),
	          clock_face(first_good_wall_ms, first, sizeof first),
	          (double)change->period_ms / 1000.0);
	return ret;
}

void report_note(struct report *report, int64_t now)
{
	const struct outage *outage = &report->watch->outage;
	int64_t wall_ms = clock_wall_ms();

	if (report->since_ms != report->watch->since_ms) {
		report->since_ms = report->watch->since_ms;
		report->since_wall_ms = wall_ms - (now - report->since_ms);
	}
	if (report->changes != outage->changes) {
		report->changes = outage->changes;
		report->last_good_wall_ms = outage->last.last_good_ms < 0
		                                    ? -1
		                                    : wall_ms - (now - outage->last.last_good_ms);
		report->first_good_wall_ms = wall_ms - (now - outage->last.first_good_ms);
		report_write_env(report);
	}
}

static void log_name(struct report *report)
{
	const struct watch *watch = report->watch;
	const char *endpoint = watch->conf->endpoint;
	char now_text[LIMIT_FACT_TEXT], old_text[LIMIT_FACT_TEXT];

	if (!watch->name_ok && watch->name_why[0] != '\0') {
		if (report->name_ok || strcmp(report->name_why, watch->name_why) != 0)
			log_warning("dns: %s: %s", endpoint, watch->name_why);
	} else if (watch->answer.count > 0 &&
	           (!report->name_ok || !answer_equal(&report->answer, &watch->answer))) {
		answer_text(&watch->answer, now_text, sizeof now_text);
		if (report->answer.count > 0 && !answer_equal(&report->answer, &watch->answer))
			log_info("dns: %s leads to %s (TTL %" PRId64 " s), before to %s", endpoint,
			         now_text, watch->answer.ttl_s,
			         answer_text(&report->answer, old_text, sizeof old_text));
		else
			log_info("dns: %s leads to %s (TTL %" PRId64 " s)", endpoint, now_text,
			         watch->answer.ttl_s);
	}
	report->name_ok = watch->name_ok;
	str_copy(report->name_why, sizeof report->name_why, watch->name_why);
	report->answer = watch->answer;
}

static void log_state(struct report *report)
{
	const struct watch *watch = report->watch;
	const char *endpoint = watch->conf->endpoint;
	char peer[NET_ADDR_TEXT];

	if (report->told && report->state == watch->state && strcmp(report->why, watch->why) == 0)
		return;
	if (watch->state == RDS_WRITABLE)
		log_info("database: %s at %s is writable (%s)", endpoint,
		         net_addr_text(&watch->peer, peer, sizeof peer), watch->version);
	else if (watch->state == RDS_READ_ONLY)
		log_info("database: %s at %s is read-only (%s)", endpoint,
		         net_addr_text(&watch->peer, peer, sizeof peer), watch->version);
	else if (watch->state != RDS_STARTING && (!report->told || report->state != watch->state))
		log_warning("database: %s is %s: %s", endpoint, rds_state_name(watch->state),
		            watch->why);
	else if (watch->state != RDS_STARTING)
		log_info("database: %s is still %s: %s", endpoint, rds_state_name(watch->state),
		         watch->why);
	report->told = true;
	report->state = watch->state;
	str_copy(report->why, sizeof report->why, watch->why);
}

static void send_facts(const struct report *report)
{
	const struct watch *watch = report->watch;
	const struct worker *worker = report->worker;
	const struct outage *outage = &watch->outage;
	struct msg change = {
		.id = FACT_RDS_CHANGE,
		.value = outage->changes,
		.more = { [RDS_CHANGE_MIN_MS] = outage->last.min_ms,
		          [RDS_CHANGE_MAX_MS] = outage->last.max_ms },
	};
	char text[LIMIT_FACT_TEXT] = "";
	char from[NET_ADDR_TEXT], to[NET_ADDR_TEXT];

	if (watch->open)
		net_addr_text(&watch->peer, text, sizeof text);
	/* Said when it has been found: the word of the process before is better than none. */
	if (watch->state != RDS_STARTING) {
		worker_fact(worker, FACT_RDS, watch->state, text, watch->why);
		worker_fact(worker, FACT_RDS_RTT, watch->rtt_us, NULL, NULL);
		worker_fact(worker, FACT_RDS_VERSION, watch->version[0] != '\0', watch->version,
		            NULL);
	}
	answer_text(&watch->answer, text, sizeof text);
	worker_fact(worker, FACT_RDS_DNS, watch->name_ok ? watch->answer.ttl_s : -1, text,
	            watch->name_why);
	if (outage->last.to.family != 0) {
		net_addr_text(&outage->last.from, from, sizeof from);
		net_addr_text(&outage->last.to, to, sizeof to);
		snprintf(change.text, sizeof change.text, "%.45s -> %.45s", from, to);
		report_outage(&outage->last, report->last_good_wall_ms, report->first_good_wall_ms,
		              change.why, sizeof change.why);
	}
	worker_say(worker, &change);
}

void report_send(struct report *report)
{
	report_write_json(report);
	log_name(report);
	log_state(report);
	send_facts(report);
}

void report_end(const struct report *report, enum outage_end end, const struct rds_change *change)
{
	int64_t offset_ms = clock_wall_ms() - clock_ms();
	char from[NET_ADDR_TEXT], to[NET_ADDR_TEXT], text[LIMIT_FACT_WHY];

	if (end != OUTAGE_OVER && end != OUTAGE_MOVED)
		return;
	report_outage(change, change->last_good_ms < 0 ? -1 : change->last_good_ms + offset_ms,
	              change->first_good_ms + offset_ms, text, sizeof text);
	if (end == OUTAGE_OVER)
		log_info("database: %s takes writes again at %s: %s", report->watch->conf->endpoint,
		         net_addr_text(&change->to, to, sizeof to), text);
	else
		log_info("database: %s moved from %s to %s: %s", report->watch->conf->endpoint,
		         net_addr_text(&change->from, from, sizeof from),
		         net_addr_text(&change->to, to, sizeof to), text);
}
