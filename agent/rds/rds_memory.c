/* wna-rds. Blocks on a local disk only. */
#include "rds.h"

#include <inttypes.h>
#include <string.h>

#include "envfile.h"
#include "str.h"

#define FILE_NAME "state.env"

enum { EVERY_MS = 10000, FAILURES_MOST = 20, LOGIN_MOST_MS = 3600 * 1000 };

static bool get_number(const char *text, const char *key, int64_t min, int64_t max, int64_t *ret)
{
	char value[32];

	return envfile_get(text, key, value, sizeof value) && str_int64(value, min, max, ret);
}

/* *ret stays family 0 for "none". */
static bool get_addr(const char *text, const char *key, struct net_addr *ret)
{
	char value[NET_ADDR_TEXT];

	return envfile_get(text, key, value, sizeof value) &&
	       (net_addr_parse(value, ret) || strcmp(value, "none") == 0);
}

void memory_restore(struct memory *ret, struct watch *watch, int64_t now)
{
	char text[sizeof ret->text], endpoint[LIMIT_HOST], refused[FILE_ID_SIZE];
	struct outage outage;
	struct rds_change *moved = &outage.moved;
	struct stale last = { .number = 0 };
	int64_t *up = outage.up, failures, login_ms, reason, down, read_only;

	memset(ret, 0, sizeof *ret);
	ret->good_ms = -1;
	secret_identify(watch->conf, ret->secret, sizeof ret->secret);
	outage_init(&outage);
	/* The whole file or nothing of it. */
	if (envfile_read(RDS_DIR "/" FILE_NAME, text, sizeof text) < 0 ||
	    !envfile_get(text, "ENDPOINT", endpoint, sizeof endpoint) ||
	    !get_number(text, "CHANGES", 0, INT32_MAX, &outage.changes) ||
	    !get_addr(text, "WRITER", &outage.writer) ||
	    !get_number(text, "GOOD_AT_MS", -1, now, &outage.good_ms) ||
	    !get_number(text, "BAD_SINCE_MS", -1, now, &outage.bad_first_ms) ||
	    !get_number(text, "NAME_MOVED_MS", -1, now, &outage.named_ms) ||
	    !get_number(text, "DOWN", 0, 1, &down) ||
	    !get_number(text, "READ_ONLY", 0, 1, &read_only) ||
	    !get_number(text, "DOWNS", 0, INT32_MAX, &outage.downs) ||
	    !get_addr(text, "DOWN_ADDRESS", &outage.down_addr) ||
	    !get_number(text, "UPS", 0, INT32_MAX, &outage.ups) ||
	    !get_number(text, "UP_IMPACT_UNIX_MS", -1, INT64_MAX, &up[RDS_UP_IMPACT_MS]) ||
	    !get_number(text, "UP_DETECTED_UNIX_MS", -1, INT64_MAX, &up[RDS_UP_DETECTED_MS]) ||
	    !get_number(text, "UP_NAMED_UNIX_MS", -1, INT64_MAX, &up[RDS_UP_NAMED_MS]) ||
	    !get_number(text, "UP_WRITABLE_UNIX_MS", 0, INT64_MAX, &up[RDS_UP_WRITABLE_MS]) ||
	    !get_addr(text, "MOVED_FROM", &moved->from) ||
	    !get_number(text, "MOVED_MIN_MS", 0, INT64_MAX, &moved->min_ms) ||
	    !get_number(text, "MOVED_MAX_MS", -1, INT64_MAX, &moved->max_ms) ||
	    !get_number(text, "MOVED_PERIOD_MS", 0, INT64_MAX, &moved->period_ms) ||
	    !get_number(text, "MOVED_LAST_GOOD_UNIX_MS", -1, INT64_MAX,
	                &moved->last_good_wall_ms) ||
	    !get_number(text, "MOVED_FIRST_GOOD_UNIX_MS", 0, INT64_MAX,
	                &moved->first_good_wall_ms) ||
	    !get_number(text, "STALE", 0, INT32_MAX, &last.number) ||
	    !get_addr(text, "STALE_ADDRESS", &last.addr) ||
	    !get_addr(text, "STALE_OTHER_ADDRESS", &last.twin) ||
	    !get_number(text, "STALE_REASON", 0, RDS_STALE_MAX - 1, &reason) ||
	    !get_number(text, "STALE_AT_MS", 0, now, &last.at_ms) ||
	    !get_number(text, "STALE_CHANGE", 0, outage.changes, &last.change) ||
	    !envfile_get(text, "REFUSED_FILE", refused, sizeof refused) ||
	    !get_number(text, "REFUSALS", 0, FAILURES_MOST, &failures) ||
	    !get_number(text, "LOGIN_AT_MS", 0, now + LOGIN_MOST_MS, &login_ms))
		return;
	/* Listeners must not see a number twice, whatever the endpoint. */
	watch->outage.changes = outage.changes;
	watch->outage.downs = outage.downs;
	watch->outage.down_addr = outage.down_addr;
	watch->outage.ups = outage.ups;
	memcpy(watch->outage.up, up, sizeof outage.up);
	last.reason = (enum rds_stale)reason;
	watch->stale = last;
	if (strcmp(endpoint, watch->conf->endpoint) != 0) {
		watch->stale.change = outage.changes;
		return;
	}
	outage.bad_last_ms = outage.bad_first_ms;
	outage.down = down;
	outage.read_only = read_only;
	if (moved->from.family != 0)
		moved->to = outage.writer;
	watch->outage = outage;
	if (refused[0] && strcmp(refused, ret->secret) == 0)
		watch_restore_denied(watch, now, (unsigned)failures, login_ms);
}

void memory_save(struct memory *memory, const struct watch *watch)
{
	const struct outage *outage = &watch->outage;
	const struct stale *stale = &watch->stale;
	const struct backoff *backoff = &watch->backoff;
	bool refused = !watch->open && trouble_is_secret(backoff->trouble);
	unsigned failures = backoff->failures < FAILURES_MOST ? backoff->failures : FAILURES_MOST;
	char text[sizeof memory->text], writer[NET_ADDR_TEXT], from[NET_ADDR_TEXT];
	char addr[NET_ADDR_TEXT], twin[NET_ADDR_TEXT], down[NET_ADDR_TEXT];
	int64_t good_ms = outage->good_ms;
	struct sb sb;

	if (outage->bad_first_ms < 0 && memory->good_ms >= 0 &&
	    good_ms - memory->good_ms < EVERY_MS)
		good_ms = memory->good_ms;
	sb_init(&sb, text, sizeof text);
	sb_printf(&sb,
	          "ENDPOINT=%s\nCHANGES=%" PRId64 "\nWRITER=%s\nGOOD_AT_MS=%" PRId64
	          "\nBAD_SINCE_MS=%" PRId64 "\n",
	          watch->conf->endpoint, outage->changes,
	          net_addr_text(&outage->writer, writer, sizeof writer), good_ms,
	          outage->bad_first_ms);
	sb_printf(&sb,
	          "NAME_MOVED_MS=%" PRId64 "\nDOWN=%d\nREAD_ONLY=%d\nDOWNS=%" PRId64
	          "\nDOWN_ADDRESS=%s\nUPS=%" PRId64 "\n",
	          outage->named_ms, outage->down, outage->read_only, outage->downs,
	          net_addr_text(&outage->down_addr, down, sizeof down), outage->ups);
	sb_printf(&sb,
	          "UP_IMPACT_UNIX_MS=%" PRId64 "\nUP_DETECTED_UNIX_MS=%" PRId64
	          "\nUP_NAMED_UNIX_MS=%" PRId64 "\nUP_WRITABLE_UNIX_MS=%" PRId64 "\n",
	          outage->up[RDS_UP_IMPACT_MS], outage->up[RDS_UP_DETECTED_MS],
	          outage->up[RDS_UP_NAMED_MS], outage->up[RDS_UP_WRITABLE_MS]);
	sb_printf(&sb,
	          "MOVED_FROM=%s\nMOVED_MIN_MS=%" PRId64 "\nMOVED_MAX_MS=%" PRId64
	          "\nMOVED_PERIOD_MS=%" PRId64 "\nMOVED_LAST_GOOD_UNIX_MS=%" PRId64
	          "\nMOVED_FIRST_GOOD_UNIX_MS=%" PRId64 "\n",
	          net_addr_text(&outage->moved.from, from, sizeof from), outage->moved.min_ms,
	          outage->moved.max_ms, outage->moved.period_ms, outage->moved.last_good_wall_ms,
	          outage->moved.first_good_wall_ms);
	sb_printf(&sb,
	          "STALE=%" PRId64 "\nSTALE_ADDRESS=%s\nSTALE_OTHER_ADDRESS=%s\nSTALE_REASON=%d"
	          "\nSTALE_AT_MS=%" PRId64 "\nSTALE_CHANGE=%" PRId64 "\n",
	          stale->number, net_addr_text(&stale->addr, addr, sizeof addr),
	          net_addr_text(&stale->twin, twin, sizeof twin), stale->reason, stale->at_ms,
	          stale->change);
	sb_printf(&sb, "REFUSED_FILE=%s\nREFUSALS=%u\nLOGIN_AT_MS=%" PRId64 "\n",
	          refused ? memory->secret : "", refused ? failures : 0,
	          refused ? backoff->connect_ms : 0);
	if (sb.cut || strcmp(text, memory->text) == 0 ||
	    worker_write_file(RDS_DIR, FILE_NAME, text, sb.len) < 0)
		return;
	str_copy(memory->text, sizeof memory->text, text);
	memory->good_ms = good_ms;
}
