/* Every child; blocks on local files in worker_write_file only. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

static const char *const names[ROLE_MAX] = {
	"wnad",      "wna-core", "wna-mount", "wna-probe",
	"wna-check", "wna-rds",  "wna-cloud", "wna-hook",
};

static bool is_wnad_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* A parent that died before PR_SET_PDEATHSIG was armed closed its end. */
static bool is_orphan(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static _Noreturn void refuse(const char *name, const char *what)
{
	fprintf(stderr,
	        "%s: %s\nThis is a part of web-node-agent that wnad(8) starts; it does nothing by "
	        "itself.\n",
	        name, what);
	exit(WORKER_EXIT_CONTRACT);
}

void worker_init(struct worker *ret, enum role role, int argc, char **argv)
{
	const char *name = names[role];
	int64_t arg = 0;

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("%s %s\n", name, WNA_VERSION);
		exit(0);
	}
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		printf("usage: %s [NUMBER]\nA part of web-node-agent, started by wnad(8) only.\n",
		       name);
		exit(0);
	}
	if (argc > 2 || (argc == 2 && !str_int64(argv[1], 0, UINT16_MAX, &arg)))
		refuse(name, "expected at most one small number");
	if (!is_wnad_socket(WORKER_FD_WNAD))
		refuse(name, "descriptor 3 is no connection to wnad");
	ret->conf = conf_from_fd(WORKER_FD_CONF);
	if (!ret->conf)
		refuse(name, errno == EPROTO ? "wnad is of another version and has to be restarted"
		                             : "descriptor 4 holds no configuration");
	close(WORKER_FD_CONF);
	/* Executed by descriptor, it has that descriptor's number for a name (before
	 * Linux 6.14). */
	prctl(PR_SET_NAME, name);
	/* execve has reset both. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		refuse(name, "prctl failed");
	if (is_orphan(WORKER_FD_WNAD))
		exit(0);
	fcntl(WORKER_FD_WNAD, F_SETFL, fcntl(WORKER_FD_WNAD, F_GETFL) | O_NONBLOCK);
	fcntl(WORKER_FD_WNAD, F_SETFD, FD_CLOEXEC);
	for (int fd = WORKER_FD_CONF; fd < WORKER_FD_ENDS; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	}
	signal(SIGPIPE, SIG_IGN);
	log_init(name, (enum log_level)ret->conf->agent.log_level);
	/* Whoever stops reading standard error must not stop us. */
	if (is_pipe(WORKER_FD_LOG))
		log_nonblocking(WORKER_FD_LOG);
	ret->role = role;
	ret->fd = WORKER_FD_WNAD;
	ret->arg = (unsigned)arg;
}

static void send_or_end(const struct worker *worker, const struct msg *msg)
{
	/* Without wnad there is nobody to work for. */
	if (msg_send(worker->fd, msg) == -EPIPE)
		exit(0);
}

void worker_finding(const struct worker *worker, enum fact_id id, unsigned slot, int64_t value,
                    const char *text, const char *why, int64_t found_ms)
{
	struct msg msg = { .type = MSG_FACT };

	msg.id = (uint16_t)id;
	msg.slot = (uint16_t)slot;
	msg.value = value;
	msg.found_ms = found_ms;
	if (text)
		str_clean(msg.text, sizeof msg.text, text, strlen(text));
	if (why)
		str_clean(msg.why, sizeof msg.why, why, strlen(why));
	send_or_end(worker, &msg);
}

void worker_fact(const struct worker *worker, enum fact_id id, unsigned slot, int64_t value,
                 const char *text, const char *why)
{
	worker_finding(worker, id, slot, value, text, why, 0);
}

void worker_alive(const struct worker *worker)
{
	struct msg msg = { .type = MSG_ALIVE };

	send_or_end(worker, &msg);
}

bool worker_recv(const struct worker *worker, struct msg *ret)
{
	int rc;

	while ((rc = msg_recv(worker->fd, ret)) == -EBADMSG)
		log_warning("wnad: dropped a malformed message");
	if (rc == -EPIPE)
		exit(0);
	return rc == 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int worker_write_file(const char *dir, const char *name, const char *data, size_t len)
{
	char temporary[128];
	int dir_fd, fd = -1, rc;

	if ((size_t)snprintf(temporary, sizeof temporary, ".%s.tmp", name) >= sizeof temporary)
		return -ENAMETOOLONG;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		rc = -errno;
		goto out;
	}
	rc = fchmod(fd, 0644) < 0 ? -errno : write_all(fd, data, len);
	/* Synced before the rename, or a power cut could leave an empty file. */
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (rc == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(dir_fd, temporary, 0);
out:
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return rc;
}
