/*
 * How busy the processors were: the first line of /proc/stat, read once a
 * second. The fields are those of proc(5) and of the kernel's fs/proc/stat.c.
 */
#ifndef CLOUD_CPU_H
#define CLOUD_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpu_field {
	CPU_USER, /* has the time of guests in it */
	CPU_NICE, /* has the time of niced guests in it */
	CPU_SYSTEM,
	CPU_IDLE,
	CPU_IOWAIT,
	CPU_IRQ,
	CPU_SOFTIRQ,
	CPU_STEAL,
	CPU_FIELD_MAX
};

/* Counters since boot, in ticks. */
struct cpu_times {
	uint64_t field[CPU_FIELD_MAX];
};

/*
 * Reads the line "cpu ..." that /proc/stat begins with; `text` need not end with
 * NUL. Strict: a whole line, decimal numbers separated by blanks, at least the
 * eight fields above. What follows them (guest time, which is in user and nice
 * already) must be numbers and is left out. False leaves *ret untouched.
 */
bool cpu_parse(const char *text, size_t len, struct cpu_times *ret);

/*
 * The busy share between two readings in thousandths, 0..1000: all time but idle
 * and iowait, so that time stolen by the hypervisor counts as busy. False if the
 * two say nothing: no time went by, or a counter ran backwards.
 */
bool cpu_busy(const struct cpu_times *before, const struct cpu_times *after,
              unsigned *ret_permille);

struct cpu {
	const char *path;
	int fd; /* kept open; -1 until it can be opened */
	bool has_base;
	struct cpu_times base;
	int64_t base_ms; /* monotonic, of the last reading, good or not */
};

/* One reading's result. */
struct cpu_sample {
	unsigned permille;
	int64_t span_ms; /* the time it is about, up to now; at least 1 */
};

/* Keeps `path`. Takes the first reading, so that the first sample is one second away. */
void cpu_init(struct cpu *cpu, const char *path, int64_t now_ms);
void cpu_fini(struct cpu *cpu);

/* When the next sample is due: the next whole second of monotonic time, but never
 * so soon that a sample would be about a few ticks only. */
int64_t cpu_deadline(const struct cpu *cpu);

/* 0 with *ret; -EAGAIN if this reading gave no information; -EBADMSG if it is not
 * /proc/stat; -errno of open or read. Reads kernel memory: does not block. */
int cpu_sample(struct cpu *cpu, int64_t now_ms, struct cpu_sample *ret);

#endif
