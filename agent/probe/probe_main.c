/*
 * wna-probe: asks the mounted file system for a sign of life, name servers for addresses, and a
 * mount target whether it accepts connections (include/probe.h). A resident child of wna-mount, as user wna-probe and without capabilities;
 * there is one at a time, and a second one for connections. It may sleep in NFS for ever, and can be killed then: that is its
 * purpose. Owns nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "probe.h"
#include "probe_reach.h"
#include "probe_sign.h"
#include "role.h"
#include "str.h"

enum { GRACE_S = 5 };

/* Adds the addresses of the host. */
static void resolve(const char *host, struct probe_answer *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &list);

	ret->names = true;
	if (rc != 0)
		str_copy(ret->why, sizeof ret->why, gai_strerror(rc));
	for (const struct addrinfo *at = list; at && ret->count < PROBE_ADDRESSES; at = at->ai_next)
		net_addr_from_sockaddr(at->ai_addr, &ret->address[ret->count++]);
	if (list)
		freeaddrinfo(list);
}

static void sign(const struct probe_question *question, struct probe_answer *ret)
{
	int64_t start_us = clock_us();
	int rc;

	*ret = (struct probe_answer){ 0 };
	rc = sign_of_life(question->path, question->file, question->mount_id, ret->why,
	                  sizeof ret->why);
	ret->value = rc < 0 ? rc : clock_us() - start_us;
}

static bool say(const struct probe_answer *answer)
{
	return send(PROBE_FD, answer, sizeof *answer, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

static bool is_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static void limit(int resource, rlim_t value)
{
	setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ value, value });
}

/* An answer of the file system or of a name server could take this process over. */
static void confine(void)
{
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* When memory is short, the kernel ends this process before the others of the agent. */
	if (score >= 0) {
		(void)!write(score, "200", 3);
		close(score);
	}
	limit(RLIMIT_NOFILE, 32);
	limit(RLIMIT_NPROC, 64); /* of this user, also in other containers */
#if !defined(__SANITIZE_ADDRESS__)
	limit(RLIMIT_AS, 64 << 20);
#endif
}

enum { EXIT_CONTRACT = 64 };

int main(int argc, char **argv)
{
	struct probe_question question;
	struct probe_answer reply;
	ssize_t n;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("wna-probe " WNA_VERSION);
		return 0;
	}
	if (argc > 1 || !is_socket(PROBE_FD)) {
		fputs("usage: wna-probe\nA part of web-node-agent, started by wna-mount only.\n",
		      stderr);
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : EXIT_CONTRACT;
	}
	prctl(PR_SET_NAME, "wna-probe");
	confine();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return EXIT_CONTRACT;
	/* 0 is the end of the parent, which may have died before the kernel was asked above. */
	while ((n = recv(PROBE_FD, &question, sizeof question, 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof question ||
		    memcmp(question.contract, hub_contract, sizeof question.contract) != 0)
			return EXIT_CONTRACT;
		/* If the parent is stopped, the alarm ends this process: also a sleep in NFS, since
		 * the default action of the signal is fatal. */
		alarm((unsigned)((question.limit_ms + 999) / 1000) + GRACE_S);
		reply = (struct probe_answer){ 0 };
		if (question.host[0] != '\0') {
			resolve(question.host, &reply);
			if (question.reach_port == 0 && !say(&reply))
				break;
		}
		if (question.reach_port != 0) {
			unsigned own = reply.count;

			if (question.other[0] != '\0')
				resolve(question.other, &reply);
			probe_reach(question.reach_port, own, PROBE_REACH_MS, &reply);
		}
		if (question.reach_port == 0)
			sign(&question, &reply);
		alarm(0);
		if (!say(&reply))
			break;
	}
	return 0;
}
