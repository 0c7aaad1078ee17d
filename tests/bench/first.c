/*
 * Starts a program and measures how long after its exec a local HTTP server
 * gives its first answer, and its first answer 200. Prints one JSON line, then
 * stays until the program ends; SIGTERM is passed on.
 *
 *	first PORT PATH PROGRAM ARGUMENTS...
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static int64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void pass_on(int number)
{
	kill(child, number);
}

/* The status of one answer, 0 if there was none. */
static int ask(const struct sockaddr_in *to, const char *path)
{
	struct timeval limit = { .tv_usec = 500000 };
	char text[512];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0, len;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	               path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 &&
	    send(fd, text, (size_t)len, MSG_NOSIGNAL) == len) {
		n = recv(fd, text, sizeof text - 1, 0);
		if (n > 12) {
			text[n] = '\0';
			status = (int)strtol(text + 9, NULL, 10);
		}
	}
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timespec pause = { .tv_nsec = 100000 };
	int64_t start, wall, answer = -1, good = -1;
	int status;

	if (argc < 4)
		return 2;
	to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	wall = now_us(CLOCK_REALTIME);
	start = now_us(CLOCK_MONOTONIC);
	child = fork();
	if (child == 0) {
		execv(argv[3], argv + 3);
		_exit(127);
	}
	signal(SIGTERM, pass_on);
	while (good < 0 && now_us(CLOCK_MONOTONIC) - start < 20000000) {
		int code = ask(&to, argv[2]);

		if (code && answer < 0)
			answer = now_us(CLOCK_MONOTONIC) - start;
		if (code == 200)
			good = now_us(CLOCK_MONOTONIC) - start;
		nanosleep(&pause, NULL);
	}
	printf("{\"exec_wall_us\": %lld, \"first_answer_us\": %lld, \"first_200_us\": %lld}\n",
	       (long long)wall, (long long)answer, (long long)good);
	fflush(stdout);
	while (waitpid(child, &status, 0) < 0)
		continue;
	return 0;
}
