/*
 * Run by wna-cloud once a second. Blocks on nothing (procfs); owns the descriptor of
 * /proc/stat.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud_metric.h"

enum {
	SECOND_MS = 1000,
	SHORTEST_MS = 250, /* 25 ticks of 10 ms: less is too coarse */
};

/* A larger difference between two readings is an error: at 100 ticks a second and 1000
 * processors it is four months. */
#define TICKS_MAX (UINT64_C(1) << 40)

bool cpu_parse(const char *text, struct cpu_times *ret)
{
	/* user nice system idle iowait irq softirq steal */
	unsigned long long field[8];
	char *end;

	if (strncmp(text, "cpu ", 4) != 0)
		return false;
	text += 4;
	for (size_t i = 0; i < 8; i++, text = end) {
		field[i] = strtoull(text, &end, 10);
		if (end == text)
			return false;
	}
	ret->busy = field[0] + field[1] + field[2] + field[5] + field[6] + field[7];
	ret->idle = field[3] + field[4];
	return true;
}

bool cpu_busy(const struct cpu_times *before, const struct cpu_times *after, unsigned *ret_permille)
{
	uint64_t busy = after->busy - before->busy, idle = after->idle - before->idle;

	/* A counter that ran backwards gives a huge difference. */
	if (busy > TICKS_MAX || idle > TICKS_MAX || busy + idle == 0)
		return false;
	*ret_permille = (unsigned)((busy * 1000 + (busy + idle) / 2) / (busy + idle));
	return true;
}

static int read_times(struct cpu *cpu, struct cpu_times *ret)
{
	char text[512];
	ssize_t n;

	if (cpu->fd < 0) {
		cpu->fd = open(cpu->path, O_RDONLY | O_CLOEXEC);
		if (cpu->fd < 0)
			return -errno;
	}
	n = pread(cpu->fd, text, sizeof text - 1, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return cpu_parse(text, ret) ? 0 : -EBADMSG;
}

void cpu_init(struct cpu *cpu, const char *path, int64_t now_ms)
{
	*cpu = (struct cpu){ .path = path, .fd = -1, .base_ms = now_ms };
	cpu->has_base = read_times(cpu, &cpu->base) == 0;
}

void cpu_fini(struct cpu *cpu)
{
	if (cpu->fd >= 0)
		close(cpu->fd);
	cpu->fd = -1;
}

int64_t cpu_deadline(const struct cpu *cpu)
{
	int64_t next = (cpu->base_ms / SECOND_MS + 1) * SECOND_MS;

	return next - cpu->base_ms < SHORTEST_MS ? next + SECOND_MS : next;
}

int cpu_sample(struct cpu *cpu, int64_t now_ms, struct cpu_sample *ret)
{
	bool had_base = cpu->has_base;
	struct cpu_times before = cpu->base, after = { 0 };
	int64_t span = now_ms - cpu->base_ms;
	unsigned permille;
	int r = read_times(cpu, &after);

	/* The next sample begins with this reading, even if it failed. */
	cpu->base_ms = now_ms;
	cpu->has_base = r == 0;
	if (r < 0) {
		cpu_fini(cpu);
		return r;
	}
	cpu->base = after;
	if (!had_base || span < 1 || !cpu_busy(&before, &after, &permille))
		return -EAGAIN;
	*ret = (struct cpu_sample){ .permille = permille, .span_ms = span };
	return 0;
}
