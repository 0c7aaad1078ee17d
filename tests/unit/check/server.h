/*
 * A server on loopback, on the test's own event loop. It treats each connection in one
 * way.
 */
#ifndef TEST_CHECK_SERVER_H
#define TEST_CHECK_SERVER_H

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum server_way {
	SERVER_ANSWER,  /* waits for the end of a request, sends `text`, closes */
	SERVER_KEEP,    /* the same, but never closes */
	SERVER_SILENT,  /* accepts, reads, never answers */
	SERVER_RESET,   /* RST after the request */
	SERVER_ENDLESS, /* sends `text`, then `more` for ever */
};

struct server {
	enum server_way way;
	const char *text, *more;
	struct event_base *base;
	struct evconnlistener *listener;
	struct bufferevent *client; /* the last one */
	char request[4096];
	size_t request_len;
	int accepted;
	uint16_t port;
};

static void server_flushed(struct bufferevent *client, void *arg)
{
	struct server *server = arg;

	if (evbuffer_get_length(bufferevent_get_output(client)) > 0)
		return;
	if (server->way == SERVER_ENDLESS) {
		bufferevent_write(client, server->more, strlen(server->more));
	} else if (server->way == SERVER_ANSWER) {
		bufferevent_free(client);
		server->client = NULL;
	}
}

static void server_read(struct bufferevent *client, void *arg)
{
	struct server *server = arg;
	int fd = bufferevent_getfd(client);
	size_t n;

	n = bufferevent_read(client, server->request + server->request_len,
	                     sizeof server->request - 1 - server->request_len);
	server->request_len += n;
	server->request[server->request_len] = '\0';
	if (strstr(server->request, "\r\n\r\n") == NULL || server->way == SERVER_SILENT)
		return;
	if (server->way == SERVER_RESET) {
		struct linger linger = { .l_onoff = 1 };

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
		bufferevent_free(client);
		server->client = NULL;
		return;
	}
	bufferevent_setcb(client, NULL, server_flushed, NULL, server);
	bufferevent_write(client, server->text, strlen(server->text));
}

static void server_ended(struct bufferevent *client, short what, void *arg)
{
	struct server *server = arg;

	(void)what;
	bufferevent_free(client);
	if (server->client == client)
		server->client = NULL;
}

static void server_accept(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int len, void *arg)
{
	struct server *server = arg;

	(void)listener;
	(void)address;
	(void)len;
	if (server->client != NULL)
		bufferevent_free(server->client);
	server->request_len = 0;
	server->accepted++;
	server->client = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(server->client, server_read, NULL, server_ended, server);
	bufferevent_enable(server->client, EV_READ | EV_WRITE);
}

static void server_start(struct server *server, struct event_base *base, int family)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->base = base;
	server->listener = evconnlistener_new_bind(
	        base, server_accept, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16,
	        family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
	        family == AF_INET6 ? (int)sizeof in6 : (int)sizeof in);
	assert_non_null(server->listener);
	assert_int_equal(
	        getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&own, &len),
	        0);
	server->port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
	                                        : ((struct sockaddr_in *)&own)->sin_port);
}

static void server_stop(struct server *server)
{
	if (server->client != NULL)
		bufferevent_free(server->client);
	server->client = NULL;
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	server->listener = NULL;
}

#endif
