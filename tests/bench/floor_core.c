/* Floor for wna-core: a libevent loop with libseccomp's filter of one rule on. */
#include <errno.h>
#include <event2/event.h>
#include <seccomp.h>

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int main(void)
{
	struct timeval second = { .tv_sec = 1 };
	struct event_base *base = event_base_new();
	struct event *timer = event_new(base, -1, EV_PERSIST, tick, NULL);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 0);
	seccomp_load(filter);
	seccomp_release(filter);
	event_add(timer, &second);
	return event_base_dispatch(base);
}
