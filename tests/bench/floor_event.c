/* Floor for wna-mount at rest: a libevent loop with one timer a second. */
#include <event2/event.h>
#include <stddef.h>

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

	event_add(timer, &second);
	return event_base_dispatch(base);
}
