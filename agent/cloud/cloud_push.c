/*
 * Run by wna-cloud: samples once a second, makes a datum of each window and queues it. Never waits;
 * the queue may block on the local disk. Owns the queue and the descriptor of /proc/stat.
 *
 * Data is stamped with AWS's time as far as it is known (cloud_metric.h). The first window of a
 * series is closed after its first sample, to show a new node at once; the rest of that window
 * becomes a second datum with the same timestamp and other samples.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cloud_push.h"
#include "log.h"
#include "str.h"

#define HEALTHY_FILE "healthy"

/* A file on tmpfs: it outlives this process, not this boot. */
static bool was_healthy(const char *run_dir)
{
	char path[LIMIT_PATH * 2];

	snprintf(path, sizeof path, "%s/" HEALTHY_FILE, run_dir);
	return access(path, F_OK) == 0;
}

struct push *push_new(const struct push_deps *deps, int64_t now_ms, int64_t wall_ms)
{
	struct push *push = calloc(1, sizeof *push);

	if (!push)
		return NULL;
	push->deps = *deps;
	push->conf = &deps->worker->conf->metrics;
	push->cpu_permille = -1;
	push->cpu_hour.mean = true;
	push->healthy = was_healthy(deps->worker->run_dir);
	once_init(&push->outage, deps->worker->run_dir, "database-up");
	skew_init(&push->skew, now_ms, wall_ms);
	push->clock_ms = push->skew.clock_ms;
	push->series.push_ms = push->conf->push_ms;
	send_init(&push->send);
	cpu_init(&push->cpu, deps->proc_stat, now_ms);
	if (push->conf->enabled) {
		push->queue = queue_open(deps->worker->state_dir, push->conf->queue_max, now_ms);
		if (!push->queue) {
			push_free(push, now_ms);
			return NULL;
		}
	}
	push->facts_dirty = true;
	return push;
}

static void facts_cpu(const struct push *push)
{
	char why[LIMIT_FACT_WHY];

	if (push->cpu_error != 0) {
		snprintf(why, sizeof why, "%s: %s", push->deps.proc_stat,
		         strerror(-push->cpu_error));
		worker_fact(push->deps.worker, FACT_CPU, -1, NULL, why);
	} else if (push->cpu_permille >= 0) {
		worker_fact(push->deps.worker, FACT_CPU, push->cpu_permille, NULL, NULL);
	}
}

/* "AutoScalingGroupName=web, InstanceId=i-0..." */
static void series_names(const struct gate *gate, char ret[LIMIT_FACT_TEXT])
{
	struct sb sb;

	sb_init(&sb, ret, LIMIT_FACT_TEXT);
	for (int d = 0; d < DIMENSION_MAX; d++) {
		if (gate->value[d][0])
			sb_printf(&sb, "%s%s=%s", sb.len > 0 ? ", " : "", cwatch_dimension_name(d),
			          gate->value[d]);
	}
}

static void send_state(const struct push *push)
{
	const struct gate *gate = &push->gate;
	enum push_state state = push->send.state;
	const char *why = push->send.why;
	struct msg msg = { .id = FACT_PUSH };

	series_names(gate, msg.text);
	/* A held-back series is shown first, even if a backlog is being sent. */
	if (gate->state != PUSH_OK) {
		state = gate->state;
		why = gate->why;
	}
	msg.value = state;
	str_copy(msg.why, sizeof msg.why, why);
	if (push->send.due_ms != PUSH_NEVER)
		msg.more[RETRY_AT_MS] = push->send.due_ms;
	worker_say(push->deps.worker, &msg);
}

static void send_skew(const struct push *push)
{
	char span[32], why[LIMIT_FACT_WHY] = "";

	if (!push->skew.known)
		snprintf(why, sizeof why, "AWS has not told the time yet");
	else if (push->skew.ms != 0)
		snprintf(why, sizeof why, "our clock is %s %s, corrected",
		         clock_span(llabs(push->skew.ms), span, sizeof span),
		         push->skew.ms < 0 ? "ahead" : "behind");
	worker_fact(push->deps.worker, FACT_SKEW, push->skew.ms, NULL, why);
}

static void facts_send(struct push *push, int64_t now_ms)
{
	const struct worker *worker = push->deps.worker;
	int64_t lost = 0, queued = 0;
	const char *lost_why = "", *trouble = "";

	push->facts_dirty = false;
	push->facts_ms = now_ms;
	if (push->queue) {
		lost = queue_lost(push->queue, &lost_why);
		queued = queue_count(push->queue);
		trouble = queue_trouble(push->queue);
	}
	send_state(push);
	send_skew(push);
	worker_fact(worker, FACT_PUSH_SENT, push->send.accepted, NULL, NULL);
	worker_fact(worker, FACT_PUSH_QUEUED, queued, NULL, trouble);
	worker_fact(worker, FACT_PUSH_LOST, lost, NULL, lost_why);
	worker_fact(worker, FACT_PUSH_AT, push->send.accepted_at_ms, NULL, NULL);
}

/* Each node's own moment within the first fifth of a push period. */
static int64_t node_delay(const struct push *push)
{
	const char *id = push->deps.identity->instance_id;

	if (!id)
		id = "";
	return (int64_t)((str_hash(STR_HASH, id, strlen(id)) >> 32) %
	                 (uint64_t)(push->conf->push_ms / 5));
}

static void close_window(struct push *push, int64_t now_ms)
{
	char texts[DIMENSION_MAX][CWATCH_DATUM_MAX];
	struct queue_entry entries[DIMENSION_MAX];
	struct datum datum;
	size_t count = 0;

	if (!series_close(&push->series, &datum) || !gate_open(&push->gate))
		return;
	for (int d = 0; d < DIMENSION_MAX; d++) {
		if (!push->gate.value[d][0])
			continue;
		cwatch_datum(push->conf, d, push->gate.value[d], &datum, texts[d]);
		entries[count++] = (struct queue_entry){
			.clock_ms = push->clock_ms,
			.at_ms = datum.at_ms,
			.space = push->conf->space,
			.datum = texts[d],
		};
	}
	queue_add(push->queue, entries, count);
	send_kick(push, now_ms, push->early ? 0 : node_delay(push));
	push->early = false;
	push->facts_dirty = true;
}

/* Timestamps move by whole windows: they stay windows' starts. */
static int64_t in_windows(const struct push *push, int64_t by_ms)
{
	int64_t push_ms = push->conf->push_ms;
	int64_t half = by_ms < 0 ? -push_ms / 2 : push_ms / 2;

	return (by_ms + half) / push_ms * push_ms;
}

void push_told_time(struct push *push, int64_t by_ms)
{
	int64_t shift = in_windows(push, by_ms);
	char span[32];

	push->facts_dirty = true;
	if (by_ms != 0)
		log_info("push: AWS's clock is %s %s ours, corrected",
		         clock_span(llabs(push->skew.ms), span, sizeof span),
		         push->skew.ms < 0 ? "behind" : "ahead of");
	if (push->clock_ms == 0 || !push->queue)
		return;
	queue_shift(push->queue, push->clock_ms, shift, 0);
	push->clock_ms = 0;
	push->series.open.at_ms += shift;
}

static void clock_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	int64_t step_ms = skew_turn(&push->skew, now_ms, wall_ms);

	if (step_ms == 0)
		return;
	log_info("push: the clock was set, timestamps follow it until AWS tells the time");
	close_window(push, now_ms);
	if (push->clock_ms != 0 && push->queue)
		queue_shift(push->queue, push->clock_ms, in_windows(push, step_ms),
		            push->skew.clock_ms);
	push->clock_ms = push->skew.clock_ms;
	push->send.clock_was_set = true;
	push->facts_dirty = true;
}

static void gate_turn(struct push *push, int64_t now_ms)
{
	const struct identity *identity = push->deps.identity;
	struct cpu_sample sample;
	char text[LIMIT_FACT_TEXT];
	struct gate gate;
	bool changed;

	if (identity->known && identity->instance_id && identity->instance_id[0])
		queue_claim(push->queue, identity->instance_id);
	gate_decide(push->conf, identity, push->healthy, &gate);
	if (gate.state != push->gate.state || strcmp(gate.why, push->gate.why) != 0) {
		push->facts_dirty = true;
		if (gate.state == PUSH_HELD)
			log_info("push: held: %s", gate.why);
	}
	changed = memcmp(gate.value, push->gate.value, sizeof gate.value) != 0;
	/* The samples so far belong to the former series. */
	if (changed)
		close_window(push, now_ms);
	push->gate = gate;
	if (!changed || !gate_open(&gate))
		return;
	/* A new series begins here: earlier time is not part of it. */
	if (cpu_sample(&push->cpu, now_ms, &sample) == 0)
		push->cpu_permille = sample.permille;
	facts_cpu(push);
	push->early = true;
	push->facts_dirty = true;
	series_names(&gate, text);
	log_info("push: series %s", text);
}

/* Puts a sample into the window in which it ends (less half of its last second). */
static void window_turn(struct push *push, const struct cpu_sample *sample, int64_t now_ms,
                        int64_t wall_ms)
{
	int64_t last_ms = sample->span_ms < 1000 ? sample->span_ms : 1000;
	int64_t end_ms = wall_ms + push->skew.ms;
	int64_t next_ms = end_ms + (cpu_deadline(&push->cpu) - now_ms) - 500;

	if (!series_fits(&push->series, end_ms - last_ms / 2))
		close_window(push, now_ms);
	series_add(&push->series, end_ms - last_ms / 2, sample);
	if ((push->early && gate_open(&push->gate)) || !series_fits(&push->series, next_ms))
		close_window(push, now_ms);
}

static void sample_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	struct cpu_sample sample;
	int r;

	if (now_ms < cpu_deadline(&push->cpu))
		return;
	r = cpu_sample(&push->cpu, now_ms, &sample);
	if (r == 0) {
		push->cpu_permille = sample.permille;
		worker_trend(push->deps.worker, FACT_CPU_HOUR, &push->cpu_hour, now_ms,
		             sample.permille);
	}
	/* A reading without information leaves the last value. */
	if (r == -EAGAIN)
		r = 0;
	else if (r == 0)
		window_turn(push, &sample, now_ms, wall_ms);
	if (r != push->cpu_error && r < 0)
		log_warning("cpu: %s: %s", push->deps.proc_stat, strerror(-r));
	push->cpu_error = r;
	facts_cpu(push);
}

int64_t push_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	int64_t due_ms = PUSH_NEVER;

	clock_turn(push, now_ms, wall_ms);
	if (push->queue)
		gate_turn(push, now_ms);
	sample_turn(push, now_ms, wall_ms);
	if (push->queue) {
		/* Not during a request: data that moves to the disk gets other ids, and the
		 * answer would not remove it. Requests end within metrics.timeout. */
		if (!send_busy(push))
			queue_turn(push->queue, now_ms);
		due_ms = send_turn(push, now_ms, wall_ms);
	}
	if (push->facts_dirty || now_ms - push->facts_ms >= PUSH_FACTS_MS)
		facts_send(push, now_ms);
	return earlier(due_ms, cpu_deadline(&push->cpu));
}

void push_hear_time(struct push *push, const struct cwatch_answer *answer)
{
	bool known = push->skew.known;
	int64_t change = skew_learn(&push->skew, answer->date_ms, answer->sent_ms, answer->took_ms);

	if (push->skew.known && (!known || change != 0))
		push_told_time(push, change);
}

int64_t push_unsent(const struct push *push)
{
	return push->queue ? queue_count(push->queue) : 0;
}

int64_t push_aws_ms(const struct push *push, int64_t wall_ms)
{
	return wall_ms + push->skew.ms;
}

void push_healthy(struct push *push)
{
	int r;

	if (push->healthy)
		return;
	push->healthy = true;
	log_info("push: this node has been healthy once");
	r = worker_write_file(push->deps.worker->run_dir, HEALTHY_FILE, "1\n", 2);
	if (r < 0)
		log_warning("push: %s/" HEALTHY_FILE ": %s; a restart will wait for health again",
		            push->deps.worker->run_dir, strerror(-r));
}

/* One datum of each series that is pushed now; none while the node is held back. */
static void push_duration(struct push *push, const char *name, int64_t at_ms, int64_t ms)
{
	char text[CWATCH_DATUM_MAX];

	for (int d = 0; d < DIMENSION_MAX; d++) {
		struct queue_entry entry = {
			.clock_ms = push->clock_ms,
			.at_ms = at_ms + push->skew.ms,
			.space = push->conf->space,
			.datum = text,
		};

		if (!push->gate.value[d][0])
			continue;
		cwatch_duration(push->conf, d, push->gate.value[d], name, ms, text);
		queue_add(push->queue, &entry, 1);
	}
}

void push_outage(struct push *push, const struct msg *up, int64_t now_ms)
{
	const int64_t *at_ms = up->more;
	int64_t impact_ms = at_ms[RDS_UP_IMPACT_MS], writable_ms = at_ms[RDS_UP_WRITABLE_MS];

	/* Asked first: the number of the boot's beginning must be noted, whatever the gate. */
	if (!push->queue || !once_is_new(&push->outage, up->value) || !gate_open(&push->gate))
		return;
	/* If it cannot be written, a restarted wna-cloud pushes the outage again. */
	once_note(&push->outage, up->value);
	if (impact_ms < 0 || at_ms[RDS_UP_DETECTED_MS] < impact_ms || writable_ms < impact_ms)
		return;
	push_duration(push, "DatabaseDetectSeconds", writable_ms,
	              at_ms[RDS_UP_DETECTED_MS] - impact_ms);
	push_duration(push, "DatabaseOutageSeconds", writable_ms, writable_ms - impact_ms);
	send_kick(push, now_ms, node_delay(push));
	push->facts_dirty = true;
}

void push_retry(struct push *push, int64_t now_ms)
{
	push->send.attempt = 0;
	if (push->send.due_ms != PUSH_NEVER)
		push->send.due_ms = now_ms;
}

void push_free(struct push *push, int64_t now_ms)
{
	if (!push)
		return;
	if (push->queue)
		close_window(push, now_ms);
	http_cancel(push->deps.http, push->send.call);
	queue_close(push->queue);
	cpu_fini(&push->cpu);
	free(push);
}
