/* Children of wna-mount and wna-hooks. Never blocks; owns nothing. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

int child_begin(pid_t parent, const int fds[], int count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), moved[CHILD_FDS];
	sigset_t none;

	if (null < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* The parent may have ended before that call. */
	if (getppid() != parent)
		return -ESRCH;
	/* First to numbers from CHILD_FDS on: dup2() must not close one that is still needed. */
	for (int i = 0; i < count; i++) {
		moved[i] = fcntl(fds[i] < 0 ? null : fds[i], F_DUPFD_CLOEXEC, CHILD_FDS);
		if (moved[i] < 0)
			return -errno;
	}
	for (int i = 0; i < count; i++) {
		if (dup2(moved[i], i) < 0)
			return -errno;
	}
	if (close_range((unsigned)count, ~0U, 0) < 0)
		return -errno;
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}
