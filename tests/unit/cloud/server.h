/*
 * A scripted HTTP server on loopback, in a thread of the test: a function of the
 * test writes the answer to each request, byte by byte if necessary.
 */
#ifndef TEST_CLOUD_SERVER_H
#define TEST_CLOUD_SERVER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
	int listen_fd;
	int stop[2]; /* closing stop[1] ends the thread, whatever it waits for */
	int port;
	pthread_t thread;
	/* `head` is the request with its headers and body. False closes the
	 * connection after it. */
	bool (*answer)(struct server *server, int fd, const char *head);
	void *arg;
	bool at_once; /* answers before it has read anything */
	pthread_mutex_t lock;
	int connections, requests;
	char last[8192]; /* the last request, as it came */
};

static inline void server_say(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

/* Waits for the client to leave or the test to end: a server that says nothing. */
static inline void server_hang(struct server *server, int fd)
{
	struct pollfd wait[2] = { { .fd = fd, .events = POLLIN }, { .fd = server->stop[0] } };

	while (poll(wait, 2, -1) >= 0) {
		char byte[256];

		if (wait[1].revents != 0 || recv(fd, byte, sizeof(byte), 0) <= 0)
			return;
	}
}

static inline bool server_wait(struct server *server, int fd)
{
	struct pollfd wait[2] = { { .fd = fd, .events = POLLIN }, { .fd = server->stop[0] } };

	return poll(wait, 2, -1) > 0 && wait[1].revents == 0;
}

/* One request: its head, and as many bytes more as Content-Length says. */
static inline bool server_read(struct server *server, int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && server_wait(server, fd)) {
		ssize_t n = recv(fd, buf + len, size - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		buf[len] = '\0';
		const char *end = strstr(buf, "\r\n\r\n");
		const char *length = strcasestr(buf, "\r\nContent-Length:");

		if (end != NULL &&
		    len >= (size_t)(end + 4 - buf) +
		                    (length != NULL ? strtoul(length + 17, NULL, 10) : 0))
			return true;
	}
	return false;
}

static inline void *server_thread(void *arg)
{
	struct server *server = arg;
	char buf[sizeof(server->last)];

	while (server_wait(server, server->listen_fd)) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		pthread_mutex_lock(&server->lock);
		server->connections++;
		pthread_mutex_unlock(&server->lock);
		if (server->at_once)
			server->answer(server, fd, "");
		while (!server->at_once && server_read(server, fd, buf, sizeof(buf))) {
			pthread_mutex_lock(&server->lock);
			server->requests++;
			memcpy(server->last, buf, sizeof(buf));
			pthread_mutex_unlock(&server->lock);
			if (!server->answer(server, fd, buf))
				break;
		}
		close(fd);
	}
	return NULL;
}

static inline struct server *server_new(bool (*answer)(struct server *, int, const char *))
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	server->answer = answer;
	pthread_mutex_init(&server->lock, NULL);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listen_fd < 0 || pipe2(server->stop, O_CLOEXEC) < 0 ||
	    bind(server->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(server->listen_fd, 64) < 0 ||
	    getsockname(server->listen_fd, (struct sockaddr *)&addr, &len) < 0 ||
	    pthread_create(&server->thread, NULL, server_thread, server) != 0)
		abort();
	server->port = ntohs(addr.sin_port);
	return server;
}

static inline void server_free(struct server *server)
{
	close(server->stop[1]);
	pthread_join(server->thread, NULL);
	close(server->stop[0]);
	close(server->listen_fd);
	free(server);
}

#endif
