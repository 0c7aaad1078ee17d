/* Network and mounts of the test's own, for which it need not be root. */
#ifndef TEST_OWN_NET_H
#define TEST_OWN_NET_H

#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool own_loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;

	close(fd);
	return up;
}

/* Before any thread. False where this system does not allow it. */
static inline bool own_net(void)
{
	const int kinds = CLONE_NEWNET | CLONE_NEWNS;

	if (unshare(kinds) < 0 && unshare(CLONE_NEWUSER | kinds) < 0)
		return false;
	return own_loopback_up() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

#endif
