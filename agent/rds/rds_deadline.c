/*
 * wna-rds; never blocks. Owns SIGALRM and ITIMER_REAL. The handler does nothing
 * but shutdown(2), which signal-safety(7) allows anywhere.
 */
#include "rds_deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	AGAIN_US = 100 * 1000,
	STRIKES = 50, /* that a call may survive before the process gives itself up */
	FD_ENDS = 64, /* the process has a handful */
};

static volatile sig_atomic_t strikes;
static int first_fd = FD_ENDS; /* those below are not the client library's */

static void on_alarm(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	/* systemd then starts another process, which is better than a silent one. */
	if (++strikes > STRIKES)
		_exit(1);
	/* What is no socket is not affected; the hub is connected to again. */
	for (int fd = first_fd; fd < FD_ENDS; fd++)
		shutdown(fd, SHUT_RDWR);
	errno = saved;
}

int deadline_init(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	first_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (first_fd < 0)
		return -errno;
	close(first_fd);
	sigemptyset(&action.sa_mask);
	return sigaction(SIGALRM, &action, NULL) < 0 ? -errno : 0;
}

void deadline_start(int64_t ms)
{
	struct itimerval timer = {
		.it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 },
		.it_interval = { .tv_usec = AGAIN_US },
	};

	strikes = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

bool deadline_stop(void)
{
	struct itimerval off;

	memset(&off, 0, sizeof off);
	setitimer(ITIMER_REAL, &off, NULL);
	return strikes > 0;
}
