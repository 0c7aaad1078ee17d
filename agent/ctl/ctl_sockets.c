/*
 * Run by wnactl database connections. Reads local files of /run and /proc, and the kernel's
 * list of sockets. Owns nothing beyond a call.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "file.h"
#include "snapshot.h"
#include "sockdiag.h"
#include "str.h"
#include "trust.h"

enum { ROWS = 4096, RDS_JSON = 8192 };

struct row {
	struct sockdiag_socket socket;
	char process[32]; /* "php-fpm 812"; empty: no process of it can be read */
};

struct list {
	int count, more; /* more: beyond ROWS */
	struct row row[ROWS];
};

static void take(void *arg, const struct sockdiag_socket *socket)
{
	struct list *list = arg;

	if (list->count == ROWS)
		list->more++;
	else if (socket->inode != 0)
		list->row[list->count++].socket = *socket;
}

static void name_socket(struct list *list, uint32_t inode, int pid)
{
	char path[32], comm[24], name[24];

	for (int i = 0; i < list->count; i++) {
		if (list->row[i].socket.inode != inode)
			continue;
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, comm, sizeof comm) <= 0)
			continue;
		str_trim(comm);
		str_clean(name, sizeof name, comm, strlen(comm));
		snprintf(list->row[i].process, sizeof list->row[i].process, "%s %d", name, pid);
	}
}

/* Processes of other users cannot be read without root's rights. */
static void name_all(struct list *list)
{
	static const char mark[] = "socket:[";
	char link[32];
	glob_t found;
	ssize_t len;

	if (glob("/proc/[0-9]*/fd/[0-9]*", GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];

		len = readlink(path, link, sizeof link - 1);
		link[len > 0 ? len : 0] = '\0';
		if (strncmp(link, mark, sizeof mark - 1) == 0)
			name_socket(list, (uint32_t)strtoul(link + sizeof mark - 1, NULL, 10),
			            (int)strtol(path + sizeof "/proc/" - 1, NULL, 10));
	}
	globfree(&found);
}

/* An address of rds.json; family 0 if it is not known. */
static struct net_addr known(const cJSON *json, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
	struct net_addr addr = { .family = 0 };

	if (text)
		net_addr_parse(text, &addr);
	return addr;
}

static const char *state_of(uint8_t state)
{
	switch (state) {
	case TCP_ESTABLISHED: return "established";
	case TCP_SYN_SENT: return "connecting";
	default: return "closed by the server";
	}
}

static enum ctl_exit show(const struct ctl *ctl, const struct list *list, const cJSON *rds)
{
	struct net_addr writer = known(rds, "writer"), former = known(rds, "previous_writer");
	struct net_addr other = known(rds, "previous_writer_other_family");
	char remote[NET_ADDR_TEXT], user[32];
	int stale = 0;

	fprintf(ctl->out, "%-22s %-21s %-12s %s\n", "ADDRESS", "STATE", "USER", "PROCESS");
	for (int i = 0; i < list->count; i++) {
		const struct row *row = &list->row[i];
		const struct net_addr *addr = &row->socket.remote.addr;
		bool is_writer = net_addr_equal(addr, &writer);
		bool is_stale = !is_writer &&
		                (net_addr_equal(addr, &former) || net_addr_equal(addr, &other));

		stale += is_stale;
		fprintf(ctl->out, "%-22s %-21s %-12s %-18s%s\n",
		        net_endpoint_text(&row->socket.remote, remote, sizeof remote),
		        state_of(row->socket.state),
		        trust_user_name(row->socket.uid, user, sizeof user), row->process,
		        is_writer  ? " writer"
		        : is_stale ? " stale"
		                   : "");
	}
	fprintf(ctl->out, "connections: %d, stale: %d\n", list->count + list->more, stale);
	if (writer.family == 0)
		fprintf(ctl->err, "wnactl: the database's writer is not known\n");
	return CTL_OK;
}

enum ctl_exit connections_show(const struct ctl *ctl)
{
	static struct list list;
	const struct snapshot *snapshot;
	char path[512], text[RDS_JSON];
	enum ctl_exit exit = CTL_OFF;
	cJSON *rds = NULL;
	int rc;

	snprintf(path, sizeof path, "%s/config", ctl->run_dir);
	snapshot = snapshot_map(path);
	if (!snapshot) {
		fprintf(ctl->err, "wnactl: %s: %s\n", path, strerror(errno));
		return CTL_UNREACHABLE;
	}
	if (!snapshot->conf.rds.enabled) {
		fprintf(ctl->err, "wnactl: no database is configured\n");
		goto out;
	}
	rc = sockdiag_list(SOCKDIAG_STATE(TCP_ESTABLISHED) | SOCKDIAG_STATE(TCP_SYN_SENT) |
	                           SOCKDIAG_STATE(TCP_CLOSE_WAIT),
	                   0, (uint16_t)snapshot->conf.rds.port, take, &list);
	if (rc < 0) {
		fprintf(ctl->err, "wnactl: sockets cannot be listed: %s\n", strerror(-rc));
		exit = CTL_UNREACHABLE;
		goto out;
	}
	name_all(&list);
	snprintf(path, sizeof path, "%s/rds/rds.json", ctl->run_dir);
	if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text) > 0)
		rds = cJSON_Parse(text);
	exit = show(ctl, &list, rds);
	cJSON_Delete(rds);
out:
	snapshot_unmap(snapshot);
	return exit;
}
