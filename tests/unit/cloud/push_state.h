/* What the tests of push know and set: the clocks, the node, CloudWatch and what was reported. */
#ifndef TEST_PUSH_STATE_H
#define TEST_PUSH_STATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud_creds.h"
#include "cloud_push.h"
#include "conf.h"
#include "log.h"
#include "worker.h"

#define UNUSED __attribute__((unused))

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

enum mode {
	ANSWER_OK,
	ANSWER_SILENCE,   /* curl's time-out */
	ANSWER_THROTTLED, /* as HTTP 400 */
	ANSWER_5XX,
	ANSWER_DENIED,
	ANSWER_HTML_200,
	ANSWER_HTML_403,
	ANSWER_BROKEN_JSON,
	ANSWER_UNKNOWN_CODE,
	ANSWER_WRONG_SECRET,
};

struct taken {
	int64_t at_s;
	bool group; /* AutoScalingGroupName */
	double samples;
	double mean;
	int64_t when_ms; /* monotonic, when it was accepted */
	unsigned request;
};

enum { TAKEN_MAX = 20000, FACTS = FACT_MAX };

static struct world {
	uint64_t random;
	int64_t now_ms, true_ms; /* true_ms: what AWS's clock says */
	int64_t error_ms;        /* the machine's wall clock less the true one */
	struct conf conf;
	struct worker worker;
	struct identity identity;
	struct creds creds;
	bool have_creds;
	struct push *push;
	int64_t due_ms; /* when push wants its next turn */
	char dir[64], stat_path[96];
	int stat_fd;
	uint64_t busy, idle;
	unsigned busy_percent;
	/* CloudWatch */
	enum mode mode;
	char good_key[129]; /* others are refused; empty: any */
	int64_t bad_at_s;   /* a datum with this timestamp is refused */
	bool all_bad;       /* any datum is */
	bool strict_clock;  /* refuse what is signed 5 minutes off */
	size_t max_data;    /* 413 above; 0 = any */
	bool none_fits;     /* 413 to all */
	unsigned requests, refusals;
	struct taken taken[TAKEN_MAX];
	size_t taken_count;
	char durations[256];
	char url[512], authorization[2048], date[64];
	bool token_seen;
	/* the request under way */
	bool pending;
	int64_t takes_ms; /* until the answer; 0 = 40 */
	int64_t answer_at_ms;
	struct http_result result;
	char body[1024];
	http_done *done;
	void *done_arg;
	/* what was told */
	int64_t fact_value[FACTS];
	char fact_text[FACTS][LIMIT_FACT_TEXT], fact_why[FACTS][LIMIT_FACT_WHY];
	unsigned fact_count[FACTS];
	int64_t retry_ms[FACTS];
	unsigned refused_calls;
} w;

static int64_t wall(void)
{
	return w.true_ms + w.error_ms;
}

/* The random numbers of jitter; WNA_TEST_SEED=n repeats a run. */
ssize_t getrandom(void *ret, size_t size, unsigned flags)
{
	uint8_t *byte = ret;

	(void)flags;
	for (size_t i = 0; i < size; i++) {
		w.random = w.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		byte[i] = (uint8_t)(w.random >> 56);
	}
	return (ssize_t)size;
}

#endif
