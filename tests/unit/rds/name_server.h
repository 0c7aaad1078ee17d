/*
 * A name server at 127.0.0.2, UDP and TCP, with answers of the test. At 127.0.0.3 is a
 * silent one, at 127.0.0.1 none.
 */
#ifndef TEST_NAME_SERVER_H
#define TEST_NAME_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet.h"

struct name_server {
	pthread_t thread;
	int udp, tcp, silent, stop[2];
	/* Written while no question is on its way. Length 0: no answer. */
	struct packet a, aaaa, over_tcp;
	const char *name;      /* the only name that it answers, as labels */
	int questions, strays; /* strays: about other names */
};

static inline int name_server_bind(int type, const char *address)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &addr.sin_addr);
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		abort();
	return fd;
}

/* Replaces the question in *packet by its answer; length 0: none. */
static inline void name_server_answer(struct name_server *server, struct packet *packet, bool tcp)
{
	size_t name_len = strlen(server->name) + 1, i = 0;
	uint8_t number[2];

	if (packet->len < 12 + name_len + 4)
		abort();
	server->questions++;
	while (i < name_len && (packet->data[12 + i] | 0x20) == (server->name[i] | 0x20))
		i++;
	if (i < name_len) {
		server->strays++;
		packet->len = 0;
		return;
	}
	memcpy(number, packet->data, 2);
	*packet = packet->data[12 + name_len + 1] == 28 ? server->aaaa
	          : tcp                                 ? server->over_tcp
	                                                : server->a;
	/* packet_head's number stands for that of the question; any other is wrong on purpose. */
	if (packet->data[0] == 0x12 && packet->data[1] == 0x34)
		memcpy(packet->data, number, 2);
}

static inline void name_server_datagram(struct name_server *server)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	struct packet packet;

	packet.len = (size_t)recvfrom(server->udp, packet.data, sizeof packet.data, 0,
	                              (struct sockaddr *)&from, &from_len);
	name_server_answer(server, &packet, false);
	if (packet.len > 0)
		sendto(server->udp, packet.data, packet.len, 0, (struct sockaddr *)&from, from_len);
}

static inline void name_server_stream(struct name_server *server)
{
	int fd = accept(server->tcp, NULL, NULL);
	struct packet packet;
	uint8_t head[2];

	recv(fd, head, 2, MSG_WAITALL);
	packet.len = (size_t)(head[0] << 8 | head[1]);
	recv(fd, packet.data, packet.len, MSG_WAITALL);
	name_server_answer(server, &packet, true);
	head[0] = (uint8_t)(packet.len >> 8);
	head[1] = (uint8_t)packet.len;
	send(fd, head, 2, MSG_NOSIGNAL | MSG_MORE);
	send(fd, packet.data, packet.len, MSG_NOSIGNAL);
	close(fd);
}

static inline void *name_server_run(void *arg)
{
	struct name_server *server = arg;
	struct pollfd fds[] = { { .fd = server->udp, .events = POLLIN },
		                { .fd = server->tcp, .events = POLLIN },
		                { .fd = server->stop[0], .events = POLLIN } };

	while (poll(fds, 3, -1) >= 0 && fds[2].revents == 0) {
		if (fds[0].revents != 0)
			name_server_datagram(server);
		if (fds[1].revents != 0)
			name_server_stream(server);
	}
	return NULL;
}

/* In a network of the test's own. */
static inline void name_server_start(struct name_server *server)
{
	server->udp = name_server_bind(SOCK_DGRAM, "127.0.0.2");
	server->silent = name_server_bind(SOCK_DGRAM, "127.0.0.3");
	server->tcp = name_server_bind(SOCK_STREAM, "127.0.0.2");
	if (listen(server->tcp, 4) < 0 || pipe(server->stop) < 0 ||
	    pthread_create(&server->thread, NULL, name_server_run, server) != 0)
		abort();
}

static inline void name_server_end(struct name_server *server)
{
	close(server->stop[1]);
	pthread_join(server->thread, NULL);
	close(server->stop[0]);
	close(server->udp);
	close(server->tcp);
	close(server->silent);
}

#endif
