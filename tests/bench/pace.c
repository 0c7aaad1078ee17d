/*
 * Asks one HTTP server at a fixed pace over kept-alive connections and prints
 * each answer's latency in microseconds, one a line, counted from the moment
 * the request was due (so a stalled server is charged for every request it
 * delayed, not only for the one that was under way).
 *
 *	pace ADDRESS PORT PATH RATE_PER_S SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 4 };

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void until_ns(int64_t when)
{
	struct timespec ts = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}

static int dial(const struct sockaddr_in *to)
{
	struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* One answer is taken as whole when its head and Content-Length are here. */
static void take_answer(int fd)
{
	char buf[4096];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, buf + len, sizeof buf - 1 - len, 0);
		const char *end, *length;

		if (n <= 0) {
			perror("recv");
			exit(1);
		}
		len += (size_t)n;
		buf[len] = '\0';
		end = strstr(buf, "\r\n\r\n");
		length = strcasestr(buf, "content-length:");
		if (end && length &&
		    len >= (size_t)(end - buf) + 4 + strtoul(length + 15, NULL, 10))
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int64_t start, step, count, *latency;
	int fds[CONNECTIONS], len;
	char request[256];

	if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: pace ADDRESS PORT PATH RATE_PER_S SECONDS\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[3],
	               argv[1]);
	step = 1000000000 / strtol(argv[4], NULL, 10);
	count = strtol(argv[5], NULL, 10) * strtol(argv[4], NULL, 10);
	latency = calloc((size_t)count, sizeof *latency);
	if (!latency)
		return 1;
	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = dial(&to);
	start = now_ns() + step;
	for (int64_t i = 0; i < count; i++) {
		int64_t due = start + i * step;

		/* A sleep's own lateness is ours, not the server's: the rest of the
		 * schedule moves by it. Without a sleep the answer before was late, and
		 * that is the server's. */
		if (now_ns() < due) {
			until_ns(due);
			start += now_ns() - due;
			due = start + i * step;
		}
		if (send(fds[i % CONNECTIONS], request, (size_t)len, MSG_NOSIGNAL) != len) {
			perror("send");
			return 1;
		}
		take_answer(fds[i % CONNECTIONS]);
		latency[i] = (now_ns() - due) / 1000;
	}
	for (int64_t i = 0; i < count; i++)
		printf("%lld\n", (long long)latency[i]);
	free(latency);
	return 0;
}
