/*
 * Run by wna-cloud once a second, whatever AWS does. Blocks on nothing (procfs);
 * owns one descriptor, of /proc/stat.
 */
#include "cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	SECOND_MS = 1000,
	SHORTEST_MS = 250, /* 25 ticks of 10 ms: below that the quantum shows */
};

/* More ticks than this between two readings are no difference but an accident
 * (at 100 a second and 1000 processors it is four months). */
#define TICKS_MAX (UINT64_C(1) << 40)

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && *at == ' ')
		at++;
	return at;
}

/* One number and the blank or newline that must follow it. NULL if it is none. */
static const char *take_number(const char *at, const char *end, uint64_t *ret)
{
	uint64_t value = 0;
	const char *start = at;

	while (at < end && *at >= '0' && *at <= '9') {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return NULL;
		at++;
	}
	if (at == start || at == end || (*at != ' ' && *at != '\n'))
		return NULL;
	*ret = value;
	return at;
}

bool cpu_parse(const char *text, size_t len, struct cpu_times *ret)
{
	const char *end = text + len;
	struct cpu_times times;
	unsigned n = 0;

	if (len < 4 || memcmp(text, "cpu ", 4) != 0)
		return false;
	for (const char *at = skip_blanks(text + 4, end);; at = skip_blanks(at, end)) {
		uint64_t value;

		if (at == end)
			return false;
		if (*at == '\n')
			break;
		at = take_number(at, end, &value);
		if (at == NULL)
			return false;
		if (n < CPU_FIELD_MAX)
			times.field[n] = value;
		n++;
	}
	if (n < CPU_FIELD_MAX)
		return false;
	*ret = times;
	return true;
}

static bool add_ticks(uint64_t before, uint64_t after, uint64_t *sum)
{
	if (after < before || after - before > TICKS_MAX)
		return false;
	*sum += after - before;
	return true;
}

bool cpu_busy(const struct cpu_times *before, const struct cpu_times *after, unsigned *ret_permille)
{
	const uint64_t *b = before->field, *a = after->field;
	uint64_t busy = 0, idle = 0, b_idle, a_idle;

	for (unsigned i = 0; i < CPU_FIELD_MAX; i++) {
		if (i != CPU_IDLE && i != CPU_IOWAIT && !add_ticks(b[i], a[i], &busy))
			return false;
	}
	/* The kernel moves time between these two, and iowait is known to run
	 * backwards while their sum does not: they are one counter here. */
	if (__builtin_add_overflow(b[CPU_IDLE], b[CPU_IOWAIT], &b_idle) ||
	    __builtin_add_overflow(a[CPU_IDLE], a[CPU_IOWAIT], &a_idle) ||
	    !add_ticks(b_idle, a_idle, &idle))
		return false;
	if (busy + idle == 0)
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
	n = pread(cpu->fd, text, sizeof(text), 0);
	if (n < 0)
		return -errno;
	return cpu_parse(text, (size_t)n, ret) ? 0 : -EBADMSG;
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
	struct cpu_times before = cpu->base, after = { { 0 } };
	int64_t span = now_ms - cpu->base_ms;
	unsigned permille;
	int r = read_times(cpu, &after);

	/* Whatever comes of it, the next sample starts from this reading. */
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
