/*
 * What wna-rds tells: facts for the core, log lines for people, and two files
 * in RDS_DIR for everybody, written anew when they would change:
 *
 *	rds.json  all that is known of the database; ttl_s is that of
 *	          the last writing, since a TTL alone is no reason for one
 *	rds.env   KEY=value lines of the last change of the writer, read at its start:
 *	          WNA_RDS_ENDPOINT WNA_RDS_FROM WNA_RDS_TO WNA_RDS_OUTAGE_MIN_MS
 *	          WNA_RDS_OUTAGE_MAX_MS (absent if unknown) WNA_RDS_LAST_GOOD_MS
 *	          WNA_RDS_FIRST_GOOD_MS (Unix time, ms) WNA_RDS_PERIOD_MS;
 *	          there is none before the first change
 */
#ifndef WNA_RDS_REPORT_H
#define WNA_RDS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "rds_watch.h"
#include "worker.h"

#define RDS_DIR CONF_RUN_DIR "/rds"

struct report {
	const struct worker *worker;
	const struct watch *watch;

	/* as last told, to log changes only */
	bool told;
	enum rds_state state;
	char why[LIMIT_FACT_WHY];
	bool name_ok;
	char name_why[LIMIT_FACT_WHY];
	struct rds_answer answer;

	/* wall-clock times of what the watch has as monotonic ones, taken when
	 * first seen, so that a step of the clock rewrites no history */
	int64_t since_ms, since_wall_ms;
	int64_t changes, last_good_wall_ms, first_good_wall_ms;

	char json[4096]; /* as last written, but for the TTL */
};

void report_init(struct report *ret, const struct worker *worker, const struct watch *watch);

/*
 * Takes up rds.env of an earlier process for the same endpoint: from, to and
 * times of the last change, into *ret_outage too. After memory_restore, which gives
 * the number of that change. No file is fine.
 */
void report_restore(struct report *report, struct outage *ret_outage);

/* Takes the times of a change down, and writes rds.env. Blocks on a local disk. */
void report_note(struct report *report, int64_t now);

/* rds.json, then the log, then the facts. After report_note. Blocks on a local disk. */
void report_send(struct report *report);

/* Logs how an outage ended. */
void report_end(const struct report *report, enum outage_end end, const struct rds_change *change);

/*
 * "writes were out for 3.1 to 7.2 s (last good 08:15:30.120, first good
 * 08:15:37.320 UTC, asked every 2.0 s)". Wall-clock times are Unix ms, -1 unknown.
 */
char *report_outage(const struct rds_change *change, int64_t last_good_wall_ms,
                    int64_t first_good_wall_ms, char *ret, size_t size);

#endif
