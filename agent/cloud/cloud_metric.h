/*
 * The metric's pure parts: reading /proc/stat, windows of samples, AWS's time, and the series
 * that are pushed.
 */
#ifndef CLOUD_METRIC_H
#define CLOUD_METRIC_H

#include "cloud_identity.h"

/*
 * cloud_cpu.c: how busy the processors were, by the first line of /proc/stat, read once a second.
 * The fields are those of proc(5) and of the kernel's fs/proc/stat.c.
 */

/* Counters since boot, in ticks. The kernel moves time between idle and iowait, and iowait
 * alone may run backwards, hence one counter for the two. */
struct cpu_times {
	uint64_t busy, idle;
};

/* Reads the line "cpu ..." at the beginning of /proc/stat up to the eighth field, steal, which
 * counts as busy. The guest time behind it is in user and nice already. */
bool cpu_parse(const char *text, struct cpu_times *ret);

/* The busy share between two readings in thousandths, 0..1000. False if there is none: no
 * time went by, or a counter ran backwards. */
bool cpu_busy(const struct cpu_times *before, const struct cpu_times *after,
              unsigned *ret_permille);

struct cpu {
	const char *path;
	int fd; /* kept open; -1 until it can be opened */
	bool has_base;
	struct cpu_times base;
	int64_t base_ms; /* monotonic, of the last reading, good or not */
};

struct cpu_sample {
	unsigned permille;
	int64_t span_ms; /* the time that it covers, up to now; at least 1 */
};

/* Keeps `path`. Takes the first reading; the first sample is one second away. */
void cpu_init(struct cpu *cpu, const char *path, int64_t now_ms);
void cpu_fini(struct cpu *cpu);

/* When the next sample is due: at the next whole second of monotonic time, but not after a
 * few ticks only. */
int64_t cpu_deadline(const struct cpu *cpu);

/* 0 with *ret; -EAGAIN if this reading gave no information; -EBADMSG if the file is not
 * /proc/stat; -errno of open or read. Reads kernel memory: does not block. */
int cpu_sample(struct cpu *cpu, int64_t now_ms, struct cpu_sample *ret);

/*
 * cloud_metric.c, windows: the samples of one push window become the Values and Counts of one datum
 * of CloudWatch's (API_MetricDatum: at most 150 unique values). Windows are aligned to
 * multiples of the push period on AWS's clock.
 */
enum { DATUM_VALUES_MAX = 150 };

struct datum {
	int64_t at_ms; /* start of the window, Unix ms: CloudWatch's Timestamp */
	unsigned count;
	struct datum_value {
		uint16_t permille; /* 0..1000, ascending, unique: tenths of a percent */
		uint16_t weight;   /* seconds with this value; at least 1 */
	} value[DATUM_VALUES_MAX];
};

/* The one open window. */
struct series {
	int64_t push_ms;
	struct datum open; /* count 0: none */
};

/* Whether a sample whose middle lies at `at_ms` (Unix ms) belongs to the open window; true if
 * no window is open. */
bool series_fits(const struct series *series, int64_t at_ms);

/* Adds a sample, which fits. A late sample of k seconds counts k times (rounded, at least once),
 * but not more often than its window has seconds: a node that was stopped for an hour must not
 * outweigh the others. */
void series_add(struct series *series, int64_t at_ms, const struct cpu_sample *sample);

/* Closes the open window. False if there is none. */
bool series_close(struct series *series, struct datum *ret);

/*
 * cloud_metric.c, AWS's time. AWS refuses a request signed more than five minutes off (IAM User
 * Guide, "Signing AWS API requests"), and stores a datum with a wrong timestamp. The Date header
 * of AWS's answers is the true time: the wall clock plus the skew learned from it signs requests
 * and stamps data.
 *
 * The skew is unknown until the first answer, and again when the wall clock is set. Then the clock
 * is trusted until the next answer, since clocks are set to correct them (chrony, a resume from
 * hibernation). If it is wrong by more than five minutes, the next push is refused, and nothing
 * wrong is stored. Data that was stamped by the present clock while the skew was unknown moves when
 * the clock is set, and moves to its true time with the next answer.
 */
enum { SKEW_STEP_MS = 2000 }; /* below this neither a step nor a skew counts */

struct skew {
	int64_t offset_ms; /* wall clock less monotonic clock, at the last turn */
	int64_t ms;        /* AWS's clock less the wall clock; 0 below SKEW_STEP_MS */
	bool known;        /* there was an answer since the clock was set */
	int64_t clock_ms;  /* offset_ms when the clock was last set, or at start; not 0: it tells
	                    * which setting of the clock a timestamp is of, also after a restart */
};

void skew_init(struct skew *skew, int64_t now_ms, int64_t wall_ms);

/* By how much the wall clock was set since the last turn; 0: it was not. */
int64_t skew_turn(struct skew *skew, int64_t now_ms, int64_t wall_ms);

/* Learns from an answer: its Date header (`date_ms`, whole seconds; 0 = none) was written
 * about the middle of the `took_ms` that began when the wall clock showed `sent_ms`. Returns the
 * change of `ms`. */
int64_t skew_learn(struct skew *skew, int64_t date_ms, int64_t sent_ms, int64_t took_ms);

/*
 * cloud_metric.c, the gate: which series this node may push now. The Auto Scaling group scales on
 * the average of its series: a node pushes to it only while it is in service (target state
 * InService) and if it has been healthy once since boot. Later failures of /healthz do not stop it,
 * since a group without data does not scale at all. An instance with neither the group's tag nor a
 * target state is in no group and has a series of its own.
 */
enum dimension { DIMENSION_ASG, DIMENSION_INSTANCE, DIMENSION_MAX };

struct gate {
	/* Each dimension's value, zeros behind it; empty = not pushed. */
	char value[DIMENSION_MAX][LIMIT_HOST];
	enum push_state state; /* PUSH_OK: nothing is held back; else OFF, STARTING or HELD */
	char why[LIMIT_FACT_WHY];
};

/* `healthy`: /healthz has been 200 since boot. */
void gate_decide(const struct conf_metrics *conf, const struct identity *identity, bool healthy,
                 struct gate *ret);
bool gate_open(const struct gate *gate);

#endif
