/* wna-rds. Blocks on a local disk only; owns nothing. */
#include "rds_memory.h"

#include <inttypes.h>
#include <string.h>

#include "envfile.h"
#include "rds_report.h"
#include "str.h"
#include "worker.h"

#define FILE_NAME "state.env"
#define GOOD_KEY  "GOOD_AT_MS="

enum { EVERY_MS = 10000, ATTEMPTS_MOST = 20 };

static bool get_number(const char *text, const char *key, int64_t max, int64_t *ret)
{
	char value[32];

	return envfile_get(text, key, value, sizeof value) && str_int64(value, 0, max, ret);
}

void memory_restore(struct memory *ret, struct watch *watch, int64_t now, uint32_t random)
{
	char text[sizeof ret->text], value[LIMIT_HOST];
	int64_t good_ms = -1, attempts, login_ms, changes;
	struct net_addr writer;

	memset(ret, 0, sizeof *ret);
	secret_identify(watch->conf->password_file, ret->secret, sizeof ret->secret);
	if (envfile_read(RDS_DIR "/" FILE_NAME, text, sizeof text) < 0)
		return;
	/* Events are counted on, be it of another endpoint. */
	if (get_number(text, "CHANGES", INT32_MAX, &changes))
		watch->outage.changes = changes;
	if (!envfile_get(text, "ENDPOINT", value, sizeof value) ||
	    strcmp(value, watch->conf->endpoint) != 0)
		return;
	/* A time in the future is one of another boot. */
	if (!get_number(text, "GOOD_AT_MS", now, &good_ms))
		good_ms = -1;
	if (envfile_get(text, "WRITER", value, sizeof value) && net_addr_parse(value, &writer))
		outage_restore(&watch->outage, &writer, good_ms);
	if (ret->secret[0] != '\0' && envfile_get(text, "REFUSED", value, sizeof value) &&
	    strcmp(value, ret->secret) == 0 &&
	    get_number(text, "REFUSED_TIMES", ATTEMPTS_MOST, &attempts) &&
	    get_number(text, "LOGIN_AT_MS", now + 3600 * 1000, &login_ms))
		watch_restore_denied(watch, now, (unsigned)attempts, login_ms, random);
}

void memory_save(struct memory *memory, const struct watch *watch, int64_t now)
{
	char text[sizeof memory->text], writer[NET_ADDR_TEXT];
	const char *end;
	struct sb sb;
	size_t same;

	sb_init(&sb, text, sizeof text);
	sb_printf(&sb, "ENDPOINT=%s\nCHANGES=%" PRId64 "\n", watch->conf->endpoint,
	          watch->outage.changes);
	if (watch->outage.writer.family != 0)
		sb_printf(&sb, "WRITER=%s\n",
		          net_addr_text(&watch->outage.writer, writer, sizeof writer));
	if (!watch->open && trouble_is_secret(watch->trouble))
		sb_printf(&sb, "REFUSED=%s\nREFUSED_TIMES=%u\nLOGIN_AT_MS=%" PRId64 "\n",
		          memory->secret,
		          watch->attempt < ATTEMPTS_MOST ? watch->attempt : ATTEMPTS_MOST,
		          watch->connect_ms);
	same = sb.len;
	if (watch->outage.good_ms >= 0)
		sb_printf(&sb, GOOD_KEY "%" PRId64 "\n", watch->outage.good_ms);
	if (sb.cut || strcmp(text, memory->text) == 0)
		return;
	end = strstr(memory->text, GOOD_KEY);
	if (end != NULL && (size_t)(end - memory->text) == same &&
	    strncmp(text, memory->text, same) == 0 && now - memory->written_ms < EVERY_MS &&
	    !watch->outage.out)
		return;
	if (worker_write_file(RDS_DIR, FILE_NAME, text, sb.len) < 0)
		return;
	str_copy(memory->text, sizeof memory->text, text);
	memory->written_ms = now;
}
