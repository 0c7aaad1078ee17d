/* wnad, at start and on reload; never blocks. The caller owns what it returns. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "str.h"

enum {
	LISTEN_FDS_START = 3, /* SD_LISTEN_FDS_START */
	LISTEN_FDS_MAX = 64,  /* more than anyone passes; bounds a hostile number */
	BACKLOG = 4096,       /* connects that wait while no core is there */
	CONTROL_BACKLOG = 16,
};

bool listener_fits(int fd, const struct net_endpoint *endpoint)
{
	struct sockaddr_storage want, have;
	socklen_t want_len = net_endpoint_sockaddr(endpoint, &want), have_len = sizeof have;
	int type = 0, accepts = 0;
	socklen_t size = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return false;
	size = sizeof accepts;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) < 0 || !accepts)
		return false;
	memset(&have, 0, sizeof have);
	if (getsockname(fd, (struct sockaddr *)&have, &have_len) < 0)
		return false;
	/* Unused bytes are zero on both sides, so bytes may be compared. */
	return have_len == want_len && memcmp(&have, &want, want_len) == 0;
}

/* The next name of a colon-separated list. */
static bool next_name_is(const char **list, const char *name)
{
	const char *end;
	bool same;

	if (!*list)
		return false;
	end = strchrnul(*list, ':');
	same = (size_t)(end - *list) == strlen(name) && memcmp(*list, name, strlen(name)) == 0;
	*list = *end ? end + 1 : NULL;
	return same;
}

int listener_inherit(const struct net_endpoint *endpoint, int *ret_others)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int64_t number, count;
	int found = -1, flags;

	*ret_others = 0;
	if (!pid || !fds || !str_int64(pid, 1, INT32_MAX, &number) || number != getpid() ||
	    !str_int64(fds, 1, LISTEN_FDS_MAX, &count))
		goto out;
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + count; fd++) {
		bool ours = next_name_is(&names, LISTENER_NAME);

		flags = fcntl(fd, F_GETFL);
		if (found < 0 && ours && flags >= 0 && listener_fits(fd, endpoint) &&
		    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
		    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
			found = fd;
		} else {
			/* Whoever stores it still has it: it must not keep the port. But the
			 * same one may come twice, from a socket unit and from the store. */
			if (ours && !listener_fits(fd, endpoint))
				shutdown(fd, SHUT_RDWR);
			close(fd);
			(*ret_others)++;
		}
	}
out:
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return found;
}

static bool is_any(const struct net_addr *addr)
{
	for (size_t i = 0; i < sizeof addr->bytes; i++) {
		if (addr->bytes[i])
			return false;
	}
	return true;
}

/* Sockets that share a port must both want it while the second one is bound. Neither
 * goes on wanting it: the port is to be refused to everybody else. */
static void share_port(int fd, int beside, int yes)
{
	if (beside < 0)
		return;
	setsockopt(beside, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
}

int listener_bind(const struct net_endpoint *endpoint, int beside)
{
	struct sockaddr_storage address;
	socklen_t len = net_endpoint_sockaddr(endpoint, &address);
	bool six = endpoint->addr.family == AF_INET6;
	int fd, rc, on = 1, v6only = !is_any(&endpoint->addr);

	fd = socket(endpoint->addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	share_port(fd, beside, 1);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) < 0 ||
	    (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0) ||
	    bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = -errno;
		share_port(fd, beside, 0);
		close(fd);
		return rc;
	}
	share_port(fd, beside, 0);
	return fd;
}

void listener_retire(int *fd)
{
	if (*fd < 0)
		return;
	/* While one listens on the more exact address, no other is connected to. */
	shutdown(*fd, SHUT_RDWR);
	close(*fd);
	*fd = -1;
}

int listener_control(const char *path, gid_t gid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (!str_copy(address.sun_path, sizeof address.sun_path, path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		goto failed;
	/* Born with its final mode: nobody gets in between bind and chmod. */
	mask = umask(0117);
	rc = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(mask);
	if (rc < 0 || lchown(path, 0, gid) < 0 || listen(fd, CONTROL_BACKLOG) < 0)
		goto failed;
	return fd;
failed:
	rc = -errno;
	close(fd);
	return rc;
}
