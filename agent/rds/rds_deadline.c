/*
 * wna-rds; never blocks. Owns SIGALRM and ITIMER_REAL. The handler calls shutdown(2) only,
 * which signal-safety(7) allows anywhere. If a call survives it, systemd's watchdog ends
 * the process.
 */
#include "rds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	AGAIN_US = 100 * 1000,
	FD_ENDS = 64, /* the process has a handful of descriptors */
};

static volatile sig_atomic_t struck;
static int first_fd = FD_ENDS; /* lower descriptors are not the client library's */

static void on_alarm(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	struck = 1;
	/* On a file shutdown() only fails. If it hits the hub's socket, that is opened again. */
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

	struck = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

bool deadline_stop(void)
{
	struct itimerval off;

	memset(&off, 0, sizeof off);
	setitimer(ITIMER_REAL, &off, NULL);
	return struck != 0;
}
