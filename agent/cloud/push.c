/*
 * Run by wna-cloud: samples once a second, makes a datum of each window, queues
 * it and has it sent. Never waits; the queue may block on the local disk. Owns
 * the queue and the descriptor of /proc/stat.
 *
 * Data is stamped with AWS's time as far as it is known (skew.h), and moved when
 * it turns out to be another. The first window of a series is closed after its
 * first sample, so that a new node is seen at once; the rest of that window
 * becomes a second datum with the same timestamp and other samples.
 */
#include "push.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "push_room.h"
#include "str.h"

#define HEALTHY_FILE "healthy"

/* A file on tmpfs: it outlives this process, not this boot. */
static bool was_healthy(const char *run_dir)
{
	char path[LIMIT_PATH * 2];

	snprintf(path, sizeof(path), "%s/" HEALTHY_FILE, run_dir);
	return access(path, F_OK) == 0;
}

struct push *push_new(const struct push_deps *deps, int64_t now_ms, int64_t wall_ms)
{
	struct push *push = calloc(1, sizeof(*push));

	if (push == NULL)
		return NULL;
	push->deps = *deps;
	push->conf = &deps->conf->metrics;
	push->cpu_permille = -1;
	push->memory.healthy = was_healthy(deps->run_dir);
	endpoint_env(&push->env);
	skew_turn(&push->skew, now_ms, wall_ms, clock_random());
	push->series_era = push->skew.era;
	series_init(&push->series, push->conf->push_ms);
	send_init(&push->send);
	gate_decide(push->conf, deps->identity, &push->memory, &push->gate);
	/* Not open yet, whatever is known already: the first turn opens it. */
	memset(push->gate.who, 0, sizeof(push->gate.who));
	cpu_init(&push->cpu, deps->proc_stat, now_ms);
	if (push->conf->enabled) {
		push->queue = queue_open(deps->state_dir, push->conf->queue_max, now_ms, wall_ms);
		if (push->queue == NULL) {
			push_free(push, now_ms, wall_ms);
			return NULL;
		}
	}
	push->facts_dirty = true;
	return push;
}

/* Each node's own moment within the first fifth of a push period. */
static int64_t node_delay(const struct push *push)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *c = push->deps.identity->instance_id; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return (int64_t)(hash % (uint32_t)(push->conf->push_ms / 5));
}

static void close_window(struct push *push, int64_t now_ms)
{
	struct queue_entry entries[CWATCH_DIMENSION_MAX];
	struct datum datum;
	size_t count = 0;

	if (!series_close(&push->series, &datum) || !gate_open(&push->gate))
		return;
	for (int d = 0; d < CWATCH_DIMENSION_MAX; d++) {
		struct queue_entry *entry = &entries[count];

		if (push->gate.who[d][0] == '\0')
			continue;
		entry->era = push->series_era;
		entry->datum = datum;
		entry->series.dimension = d;
		entry->series.resolution = push->conf->resolution;
		str_copy(entry->series.space, sizeof(entry->series.space), push->conf->space);
		str_copy(entry->series.name, sizeof(entry->series.name), push->conf->name);
		str_copy(entry->series.who, sizeof(entry->series.who), push->gate.who[d]);
		count++;
	}
	queue_add(push->queue, entries, count);
	send_kick(push, now_ms, push->early ? 0 : node_delay(push));
	push->early = false;
	push->facts_dirty = true;
}

/* Timestamps are moved by whole windows, or they would not be windows' starts. */
static int64_t in_windows(const struct push *push, int64_t by_ms)
{
	int64_t push_ms = push->conf->push_ms;
	int64_t half = by_ms < 0 ? -push_ms / 2 : push_ms / 2;

	return (by_ms + half) / push_ms * push_ms;
}

void push_shift(struct push *push, int64_t by_ms)
{
	int64_t shift = in_windows(push, by_ms);
	char span[32];

	log_info("push: AWS's clock is %s %s ours, corrected",
	         clock_span(push->skew.ms < 0 ? -push->skew.ms : push->skew.ms, span, sizeof(span)),
	         push->skew.ms < 0 ? "behind" : "ahead of");
	push->facts_dirty = true;
	if (shift == 0)
		return;
	queue_shift(push->queue, push->skew.era, push->skew.era, shift);
	if (push->series_era == push->skew.era)
		push->series.open.at_ms += shift;
}

static void clock_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	bool known = push->skew.known;

	if (!skew_turn(&push->skew, now_ms, wall_ms, clock_random()))
		return;
	log_info("push: the clock was set, timestamps follow it until AWS tells the time");
	/* Queued as of the era in which it was sampled. */
	close_window(push, now_ms);
	if (!known && push->queue != NULL)
		queue_shift(push->queue, push->series_era, push->skew.era,
		            in_windows(push, push->skew.step_ms));
	push->series_era = push->skew.era;
	push->facts_dirty = true;
}

static void gate_turn(struct push *push, int64_t now_ms)
{
	const struct identity *identity = push->deps.identity;
	struct cpu_sample sample;
	struct gate gate;
	bool begins = false;

	if (identity->known && identity->instance_id[0] != '\0')
		queue_claim(push->queue, identity->instance_id);
	gate_remember(&push->memory, identity);
	gate_decide(push->conf, identity, &push->memory, &gate);
	if (gate.state != push->gate.state || strcmp(gate.why, push->gate.why) != 0) {
		push->facts_dirty = true;
		if (gate.state == PUSH_HELD)
			log_info("push: held: %s", gate.why);
	}
	if (!gate_same(&gate, &push->gate)) {
		/* What was sampled so far belongs to the series that were pushed then. */
		close_window(push, now_ms);
		for (int d = 0; d < CWATCH_DIMENSION_MAX; d++)
			begins = begins || (gate.who[d][0] != '\0' &&
			                    strcmp(gate.who[d], push->gate.who[d]) != 0);
		push->facts_dirty = true;
	}
	push->gate = gate;
	if (!begins)
		return;
	/* Nothing of the time before goes into a new series: it ends here. */
	if (cpu_sample(&push->cpu, now_ms, &sample) == 0)
		push->cpu_permille = sample.permille;
	facts_cpu(push);
	push->early = true;
	for (int d = 0; d < CWATCH_DIMENSION_MAX; d++) {
		if (gate.who[d][0] != '\0')
			log_info("push: series %s=%s", cwatch_dimension_name(d), gate.who[d]);
	}
}

/* Puts a sample into the window in which it ends (less half of its last second). */
static void window_turn(struct push *push, const struct cpu_sample *sample, int64_t now_ms,
                        int64_t wall_ms)
{
	int64_t last_ms = sample->span_ms < 1000 ? sample->span_ms : 1000;
	int64_t end_ms = skew_true_ms(&push->skew, wall_ms);
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
	if (r == 0)
		push->cpu_permille = sample.permille;
	/* One reading without information leaves the last value standing. */
	if (r == -EAGAIN)
		r = 0;
	else if (r == 0)
		window_turn(push, &sample, now_ms, wall_ms);
	if (r != push->cpu_error && r < 0)
		log_warning("cpu: %s: %s", push->deps.proc_stat, strerror(-r));
	push->cpu_error = r;
	facts_cpu(push);
}

void push_turn(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	clock_turn(push, now_ms, wall_ms);
	if (push->queue != NULL)
		gate_turn(push, now_ms);
	sample_turn(push, now_ms, wall_ms);
	if (push->queue != NULL) {
		/* Moving data between memory and disk gives it other ids: not while a
		 * request has some, or its answer would remove nothing and they were sent
		 * twice. Requests end within metrics.timeout, with pauses between. */
		if (!send_busy(push))
			queue_turn(push->queue, now_ms, wall_ms);
		send_turn(push, now_ms, wall_ms);
	}
	if (push->facts_dirty || now_ms - push->facts_ms >= PUSH_FACTS_MS)
		facts_send(push, now_ms);
}

int64_t push_deadline(const struct push *push)
{
	int64_t sample = cpu_deadline(&push->cpu);
	int64_t send = push->queue != NULL ? send_deadline(push) : PUSH_NEVER;

	return sample < send ? sample : send;
}

void push_healthy(struct push *push)
{
	int r;

	if (push->memory.healthy)
		return;
	push->memory.healthy = true;
	log_info("push: this node has been healthy once");
	r = worker_write_file(push->deps.run_dir, HEALTHY_FILE, "1\n", 2);
	if (r < 0)
		log_warning("push: %s/" HEALTHY_FILE ": %s; a restart will wait for health again",
		            push->deps.run_dir, strerror(-r));
}

void push_refresh(struct push *push)
{
	facts_cpu(push);
	facts_send(push, push->facts_ms);
}

void push_free(struct push *push, int64_t now_ms, int64_t wall_ms)
{
	(void)wall_ms; /* the open window has its timestamp already */
	if (push == NULL)
		return;
	if (push->queue != NULL)
		close_window(push, now_ms);
	http_cancel(push->deps.http, push->send.call);
	queue_close(push->queue);
	cpu_fini(&push->cpu);
	free(push);
}
