/* wna-core, at its start. Blocks on nothing. The descriptors are the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core_serve.h"
#include "str.h"

enum {
	FIRST_FD = 3, /* SD_LISTEN_FDS_START */
	FDS_MOST = 16,
	BACKLOG = 4096,
};

static void keep(int fd, const char *name, struct core_listeners *ret)
{
	int *place = strcmp(name, "health") == 0 ? &ret->health
	             : strcmp(name, "hub") == 0  ? &ret->hub
	                                         : NULL;

	if (!place || *place >= 0) {
		ret->unserved++;
		close(fd);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*place = fd;
}

void core_listeners_take(struct core_listeners *ret)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	char text[256], *rest = text, *name;
	int64_t number = 0, fds = 0;

	*ret = (struct core_listeners){ .health = -1, .hub = -1 };
	if (pid && str_int64(pid, 1, INT32_MAX, &number) && number == getpid() && count &&
	    str_int64(count, 1, FDS_MOST, &fds)) {
		str_copy(text, sizeof text, names ? names : "");
		for (int64_t i = 0; i < fds; i++) {
			name = strsep(&rest, ":");
			keep(FIRST_FD + (int)i, name ? name : "", ret);
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static int open_socket(const struct sockaddr *address, socklen_t len, int type)
{
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, rc;

	if (fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int core_listeners_open(struct core_listeners *listeners, const struct net_endpoint *health,
                        const char *hub)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct sockaddr_storage address;
	socklen_t len;

	if (listeners->health < 0 && health->port != 0) {
		len = net_endpoint_sockaddr(health, &address);
		listeners->health = open_socket((struct sockaddr *)&address, len, SOCK_STREAM);
		if (listeners->health < 0)
			return listeners->health;
	}
	if (listeners->hub < 0 && hub) {
		if (!str_copy(sun.sun_path, sizeof sun.sun_path, hub))
			return -ENAMETOOLONG;
		unlink(hub);
		listeners->hub = open_socket((struct sockaddr *)&sun, sizeof sun, SOCK_SEQPACKET);
		if (listeners->hub < 0)
			return listeners->hub;
		chmod(hub, 0660);
	}
	return 0;
}
