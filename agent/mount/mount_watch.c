/*
 * Run by wna-mount as root. Reads files of the kernel, which it never delays for a server. Owns
 * nothing.
 *
 * It never connects to the proxy's port: one connection that is closed at once ends a new
 * efs-proxy, and one that is held delays the mount. Nor does it read the command line of a
 * process, which would wait for a process that hangs in its own memory: by its name (comm) a
 * process is found to be a proxy, and by its descriptors to be the one of this mount.
 */
#include "mount_watch.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "str.h"

enum {
	WORDS = 16,
	WATCH_BACKOFF = 3,    /* retransmissions after which a connection is stuck */
	WATCH_HELD_MS = 5000, /* the proxy has sent nothing for so much longer than the kernel */
};

/* Its control group, with the unified hierarchy or the older ones. */
#define WATCHDOG_GROUP "system.slice/amazon-efs-mount-watchdog.service/cgroup.procs"
#define WATCHDOG_COMM  "amazon-efs-moun" /* amazon-efs-mount-watchdog, cut by the kernel */

/* Splits the line at white space. How many words it has, at most WORDS. */
static int split(char *line, char *words[])
{
	char *rest = NULL;
	int count = 0;

	for (char *word = strtok_r(line, " \t\n", &rest); word && count < WORDS;
	     word = strtok_r(NULL, " \t\n", &rest))
		words[count++] = word;
	return count;
}

/* "0100007F", or its IPv6 form: 127.0.0.1 or all addresses. */
static bool is_local(const char *address)
{
	const char *last = strlen(address) >= 8 ? address + strlen(address) - 8 : address;
	uint32_t bits = (uint32_t)strtoul(last, NULL, 16);

	return bits == 0 || bits == htonl(INADDR_LOOPBACK);
}

bool watch_count(FILE *mountstats, const char *path, struct watch_counts *ret)
{
	enum { NAME, KIND, IDLE_S = 6, SENDS, RECVS };
	char needle[4 * LIMIT_PATH + 32], *line = NULL, *words[WORDS];
	struct sb sb;
	bool inside = false, found = false;
	size_t size = 0;
	int64_t idle_s, sends, recvs;

	sb_init(&sb, needle, sizeof needle);
	sb_put(&sb, " mounted on ");
	for (; *path; path++) /* as the kernel escapes it */
		sb_printf(&sb, strchr(" \t\n\\", *path) ? "\\%03o" : "%c", *path);
	sb_put(&sb, " with fstype nfs");
	while (getline(&line, &size, mountstats) > 0) {
		if (strncmp(line, "device ", 7) == 0) {
			/* The last one of this path is the topmost. */
			inside = strstr(line, needle) != NULL;
			if (inside)
				*ret = (struct watch_counts){ .idle = true };
			found = found || inside;
		} else if (inside && split(line, words) > RECVS &&
		           strcmp(words[NAME], "xprt:") == 0 && strcmp(words[KIND], "tcp") == 0 &&
		           str_int64(words[IDLE_S], 0, INT64_MAX, &idle_s) &&
		           str_int64(words[SENDS], 0, INT64_MAX, &sends) &&
		           str_int64(words[RECVS], 0, INT64_MAX, &recvs)) {
			ret->recvs += recvs;
			/* Of a connection that is lost the kernel tells no time. */
			ret->idle = ret->idle && idle_s > 0 && sends == recvs;
		}
	}
	free(line);
	return found;
}

uint64_t watch_listener(FILE *table, uint16_t port)
{
	enum { LOCAL = 1, STATE = 3, INODE = 9 };
	char line[512], wanted[8], *words[WORDS], *colon;
	int64_t inode;

	snprintf(wanted, sizeof wanted, ":%04X", port);
	if (!fgets(line, sizeof line, table))
		return 0;
	/* The listening sockets come first. */
	while (fgets(line, sizeof line, table)) {
		if (split(line, words) <= INODE || strcmp(words[STATE], "0A") != 0)
			return 0;
		colon = strrchr(words[LOCAL], ':');
		if (!colon || strcmp(colon, wanted) != 0 ||
		    !str_int64(words[INODE], 1, UINT32_MAX, &inode))
			continue;
		*colon = '\0';
		if (is_local(words[LOCAL]))
			return (uint64_t)inode;
	}
	return 0;
}

int watch_tables(uint16_t port, uint64_t *ret)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	uint64_t inode = 0;
	int rc = 0;

	for (size_t i = 0; i < 2 && inode == 0; i++) {
		FILE *table = fopen(tables[i], "re");

		/* A kernel without IPv6 has no second table. */
		if (table) {
			inode = watch_listener(table, port);
			fclose(table);
		} else if (errno != ENOENT || i == 0) {
			rc = -errno;
		}
	}
	*ret = inode;
	return inode != 0 ? 0 : rc;
}

/* The inode behind an entry of /proc/PID/fd, "socket:[INODE]"; 0: it is no socket. */
static uint64_t socket_of(int dir_fd, const char *name)
{
	static const char prefix[] = "socket:[";
	char text[64];
	ssize_t n = readlinkat(dir_fd, name, text, sizeof text - 1);
	int64_t inode = 0;

	text[n > 0 ? n - 1 : 0] = '\0';
	if (strncmp(text, prefix, sizeof prefix - 1) == 0)
		str_int64(text + sizeof prefix - 1, 1, UINT32_MAX, &inode);
	return (uint64_t)inode;
}

/* Collects the sockets of a process. True if `listener` is one of them. */
static bool has_socket(int proc, const char *pid, uint64_t listener, struct watch_owner *ret)
{
	const struct dirent *entry;
	char path[32];
	bool found = false;
	uint64_t inode;
	DIR *list;
	int fd;

	snprintf(path, sizeof path, "%.16s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = fd < 0 ? NULL : fdopendir(fd);
	ret->count = 0;
	while (list && (entry = readdir(list))) {
		inode = socket_of(fd, entry->d_name);
		found = found || (inode != 0 && inode == listener);
		if (inode != 0 && ret->count < sizeof ret->inode / sizeof ret->inode[0])
			ret->inode[ret->count++] = inode;
	}
	if (list)
		closedir(list);
	return found;
}

static bool is_proxy(const char *comm)
{
	return strncmp(comm, "stunnel", 7) == 0 || strncmp(comm, "efs-proxy", 9) == 0;
}

/* By its unit: its name is that of Python where the system's `env` starts it. */
bool watch_unit(const char *cgroups)
{
	static const char *const groups[] = { WATCHDOG_GROUP, "systemd/" WATCHDOG_GROUP };
	char path[PATH_MAX], pids[32];
	bool runs = false;

	for (size_t i = 0; i < 2 && !runs; i++) {
		ssize_t n;

		snprintf(path, sizeof path, "%s/%s", cgroups, groups[i]);
		n = file_load(AT_FDCWD, path, FILE_OF_ANYBODY, pids, sizeof pids);
		/* Of many processes the list does not fit. */
		runs = n > 0 || n == -EFBIG;
	}
	return runs;
}

/* The owner of `listener`, and whether the watchdog runs. */
static void look_around(uint64_t listener, struct watch_owner *ret, bool *ret_watchdog)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[32], comm[32];
	int64_t pid;

	ret->pid = 0;
	ret->count = 0;
	*ret_watchdog = watch_unit("/sys/fs/cgroup");
	while (proc && (entry = readdir(proc))) {
		if (!str_int64(entry->d_name, 1, INT32_MAX, &pid))
			continue;
		snprintf(path, sizeof path, "%.16s/comm", entry->d_name);
		if (file_load(dirfd(proc), path, FILE_OF_ANYBODY, comm, sizeof comm) < 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, WATCHDOG_COMM) == 0)
			*ret_watchdog = true;
		else if (ret->pid == 0 && listener != 0 && is_proxy(comm) &&
		         has_socket(dirfd(proc), entry->d_name, listener, ret))
			ret->pid = (pid_t)pid;
	}
	if (ret->pid == 0)
		ret->count = 0;
	if (proc)
		closedir(proc);
}

bool watch_find(uint64_t listener, struct watch_owner *ret)
{
	bool watchdog;

	look_around(listener, ret, &watchdog);
	return ret->pid != 0;
}

static bool owns(const struct watch_owner *owner, uint64_t inode)
{
	for (unsigned i = 0; i < owner->count; i++) {
		if (owner->inode[i] == inode)
			return true;
	}
	return false;
}

void watch_flow_add(struct watch_flow *flow, const struct watch *watch,
                    const struct watch_owner *owner, const struct sockdiag_socket *sock)
{
	bool near = net_addr_is_loopback(&sock->remote.addr);

	if (watch->port != 0 && near) {
		flow->near += sock->local.port == watch->port || sock->remote.port == watch->port;
		if (sock->local.port == watch->port)
			flow->unread = flow->unread || sock->unread_bytes > 0;
		if (sock->remote.port == watch->port &&
		    (flow->near_ms == 0 || sock->quiet_ms < flow->near_ms))
			flow->near_ms = sock->quiet_ms;
		return;
	}
	if (watch->port != 0 ? !owns(owner, sock->inode)
	                     : !net_addr_equal(&sock->remote.addr, &watch->server))
		return;
	if (flow->out == 0 || sock->quiet_ms < flow->out_ms)
		flow->out_ms = sock->quiet_ms;
	flow->out++;
	flow->stuck += sock->state == TCP_SYN_SENT ||
	               (sock->unacked_segments > 0 && sock->backoff >= WATCH_BACKOFF);
	flow->unsent = flow->unsent || (sock->unsent_bytes > 0 && sock->unacked_segments == 0);
}

enum heal_flow watch_flow_of(const struct watch_flow *flow, const struct watch *watch)
{
	if (flow->stuck > 0)
		return FLOW_STUCK;
	if (watch->port == 0 || flow->near == 0)
		return flow->out > 0 ? FLOW_ACKED : FLOW_UNKNOWN;
	/* With unsent data the server's window is full: the proxy waits as well. */
	if (flow->out == 0 ||
	    (!flow->unsent && (flow->unread || flow->out_ms > flow->near_ms + WATCH_HELD_MS)))
		return FLOW_HELD;
	return FLOW_ACKED;
}

void watch_read(const struct watch *watch, bool full, struct heal_reading *ret)
{
	FILE *mountstats = fopen("/proc/self/mountstats", "re");
	struct heal_reading reading = { 0 };
	struct watch_counts counts = { 0 };
	static struct watch_owner owner; /* large */

	if (mountstats) {
		reading.nfs = watch_count(mountstats, watch->path, &counts);
		reading.recvs = counts.recvs;
		fclose(mountstats);
	}
	reading.idle = watch->waits && reading.nfs && counts.idle && !watch_queued(watch);
	if (watch->port != 0)
		reading.unseen = watch_listens(watch->port, &reading.listener) < 0;
	if (full && watch->server.family != 0) {
		look_around(reading.listener, &owner, &reading.watchdog);
		if (watch->port == 0 || owner.pid != 0)
			reading.flow = watch_sockets(watch, &owner);
	}
	*ret = reading;
}
