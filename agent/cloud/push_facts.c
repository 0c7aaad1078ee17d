/* Run by wna-cloud; what the core is told of the metric. Never blocks: a full
 * socket loses a fact, and it is sent again. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "push_room.h"
#include "str.h"

void facts_cpu(const struct push *push)
{
	char why[LIMIT_FACT_WHY];

	if (push->cpu_error != 0) {
		snprintf(why, sizeof(why), "%s: %s", push->deps.proc_stat,
		         strerror(-push->cpu_error));
		worker_fact(push->deps.worker, FACT_CPU, 0, -1, NULL, why);
	} else if (push->cpu_permille >= 0) {
		worker_fact(push->deps.worker, FACT_CPU, 0, push->cpu_permille, NULL, NULL);
	} else {
		worker_alive(push->deps.worker);
	}
}

static void send_state(const struct push *push)
{
	const struct gate *gate = &push->gate;
	enum push_state state = push->send.state;
	const char *why = push->send.why;
	char text[LIMIT_FACT_TEXT];
	struct sb sb;

	sb_init(&sb, text, sizeof(text));
	for (int d = 0; d < CWATCH_DIMENSION_MAX; d++) {
		if (gate->who[d][0] != '\0')
			sb_printf(&sb, "%s%s=%s", sb.len > 0 ? ", " : "", cwatch_dimension_name(d),
			          gate->who[d]);
	}
	/* What is held back is said first: a backlog may be going out meanwhile. */
	if (gate->state != PUSH_OK) {
		state = gate->state;
		why = gate->why;
	}
	worker_fact(push->deps.worker, FACT_PUSH, 0, state, text, why);
}

static void send_skew(const struct push *push)
{
	char span[32], why[LIMIT_FACT_WHY] = "";

	if (!push->skew.known)
		snprintf(why, sizeof(why), "AWS has not told the time yet");
	else if (push->skew.ms != 0)
		snprintf(why, sizeof(why), "our clock is %s %s, corrected",
		         clock_span(push->skew.ms < 0 ? -push->skew.ms : push->skew.ms, span,
		                    sizeof(span)),
		         push->skew.ms < 0 ? "ahead" : "behind");
	worker_fact(push->deps.worker, FACT_SKEW, 0, push->skew.ms, NULL, why);
}

void facts_send(struct push *push, int64_t now_ms)
{
	const struct worker *worker = push->deps.worker;
	int64_t lost = 0, queued = 0;
	const char *lost_why = "", *trouble = "";

	push->facts_dirty = false;
	push->facts_ms = now_ms;
	if (push->queue != NULL) {
		lost = queue_lost(push->queue, &lost_why);
		queued = queue_count(push->queue);
		trouble = queue_trouble(push->queue);
	}
	send_state(push);
	send_skew(push);
	worker_fact(worker, FACT_PUSH_SENT, 0, push->send.accepted, NULL, NULL);
	worker_fact(worker, FACT_PUSH_QUEUED, 0, queued, NULL, trouble);
	worker_fact(worker, FACT_PUSH_LOST, 0, lost, NULL, lost_why);
	worker_fact(worker, FACT_PUSH_AT, 0, push->send.accepted_at_ms, NULL, NULL);
}
