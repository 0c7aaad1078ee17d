/* wna-sockets. Never blocks; owns nothing after a call. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sockets.h"
#include "str.h"
#include "trust.h"

enum { USERS = 4 }; /* that are named */

struct look {
	const struct sockets_rule *rule;
	struct sockets_ended *ret;
	uint32_t uid[USERS];
	int uids;
};

static void note_user(struct look *look, uint32_t uid)
{
	for (int i = 0; i < look->uids; i++) {
		if (look->uid[i] == uid)
			return;
	}
	if (look->uids < USERS)
		look->uid[look->uids++] = uid;
}

static void end_one(void *arg, const struct sockdiag_socket *socket)
{
	struct look *look = arg;
	int rc;

	if (!sockets_match(look->rule, socket))
		return;
	rc = sockdiag_end(socket);
	if (rc < 0) {
		look->ret->failed++;
		look->ret->error = rc;
		return;
	}
	look->ret->count++;
	note_user(look, socket->uid);
}

int sockets_end(const struct sockets_rule *rule, struct sockets_ended *ret)
{
	struct look look = { .rule = rule, .ret = ret };
	struct sb users;
	char name[32];
	int rc;

	*ret = (struct sockets_ended){ .count = 0 };
	rc = sockdiag_list(sockets_states(rule), 0, rule->port, end_one, &look);
	sb_init(&users, ret->users, sizeof ret->users);
	for (int i = 0; i < look.uids; i++)
		sb_printf(&users, "%s%s", i > 0 ? ", " : "",
		          trust_user_name(look.uid[i], name, sizeof name));
	return rc;
}

struct own {
	uint16_t port;
	bool found;
	struct sockdiag_socket socket;
};

static void find_own(void *arg, const struct sockdiag_socket *socket)
{
	struct own *own = arg;

	if (socket->local.port != own->port || !net_addr_is_loopback(&socket->remote.addr))
		return;
	own->found = true;
	own->socket = *socket;
}

static int port_of(int fd, uint16_t *ret)
{
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof in;

	if (getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		return -errno;
	*ret = ntohs(in.sin_port);
	return 0;
}

/* `fd` is connected to `port`. */
static int end_own(int fd, uint16_t port)
{
	struct own own = { .found = false };
	char byte;
	int rc;

	rc = port_of(fd, &own.port);
	if (rc == 0)
		rc = sockdiag_list(SOCKDIAG_STATE(TCP_ESTABLISHED), 0, port, find_own, &own);
	if (rc == 0 && !own.found)
		rc = -ENOENT;
	if (rc == 0)
		rc = sockdiag_end(&own.socket);
	if (rc == 0 && (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != ECONNABORTED))
		rc = -EOPNOTSUPP;
	return rc;
}

int sockets_probe(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint16_t port = 0;

	if (listener < 0 || fd < 0 || bind(listener, (struct sockaddr *)&in, sizeof in) < 0 ||
	    listen(listener, 1) < 0)
		rc = -errno;
	if (rc == 0)
		rc = port_of(listener, &port);
	in.sin_port = htons(port);
	/* Over loopback the connection is established when connect returns. */
	if (rc == 0 && connect(fd, (struct sockaddr *)&in, sizeof in) < 0 && errno != EINPROGRESS)
		rc = -errno;
	if (rc == 0)
		rc = end_own(fd, port);
	if (fd >= 0)
		close(fd);
	if (listener >= 0)
		close(listener);
	return rc;
}

char *sockets_explain(int rc, char *ret, size_t size)
{
	const char *what = strerror(-rc);

	if (rc == -EPERM)
		what = "CAP_NET_ADMIN is missing";
	else if (rc == -EOPNOTSUPP)
		what = "the kernel has no CONFIG_INET_DIAG_DESTROY";
	else if (rc == -ENOENT || rc == -EPROTONOSUPPORT)
		what = "the kernel has no CONFIG_INET_TCP_DIAG";
	snprintf(ret, size, "not available: %s", what);
	return ret;
}
