/*
 * wna-rds; never blocks. Owns SIGALRM and ITIMER_REAL. The handler does nothing
 * but shutdown(2), which signal-safety(7) allows anywhere.
 */
#include "deadline.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "worker.h"

enum {
	AGAIN_US = 100 * 1000,
	STRIKES = 50, /* that a call may survive before the process gives itself up */
	FD_ENDS = 64, /* the process has a handful */
};

static volatile sig_atomic_t strikes;

static void on_alarm(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	/* wnad then starts another one, which is better than to be silent. */
	if (++strikes > STRIKES)
		_exit(1);
	/* What is no socket, such as the password file, is not affected. */
	for (int fd = WORKER_FD_WNAD + 1; fd < FD_ENDS; fd++)
		shutdown(fd, SHUT_RDWR);
	errno = saved;
}

int deadline_init(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

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
