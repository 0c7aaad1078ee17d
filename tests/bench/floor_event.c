/* Floor for wnad: a libevent loop with one timer a second, and one child of one
 * question every five.
 *	floor_event PROGRAM ARGUMENT */
#include <event2/event.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/wait.h>

static char **child;

static void tick(evutil_socket_t fd, short what, void *arg)
{
	static int seconds;
	pid_t pid;

	(void)fd;
	(void)what;
	(void)arg;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	if (seconds++ % 5 == 0)
		posix_spawn(&pid, child[0], NULL, NULL, child, NULL);
}

int main(int argc, char **argv)
{
	struct timeval second = { .tv_sec = 1 };
	struct event_base *base = event_base_new();
	struct event *timer = event_new(base, -1, EV_PERSIST, tick, NULL);

	if (argc != 3)
		return 2;
	child = argv + 1;
	event_add(timer, &second);
	return event_base_dispatch(base);
}
