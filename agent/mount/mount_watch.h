/*
 * What the kernel's tables say about the mount, and the acts on its proxy. Included by the
 * keeper and its tests.
 */
#ifndef WNA_MOUNT_WATCH_H
#define WNA_MOUNT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mount_heal.h"
#include "net.h"
#include "sockdiag.h"

/* mount_watch.c */

/* The process that listens on the port of the mount, if it is a proxy by its name. */
struct watch_owner {
	pid_t pid; /* 0: none was found */
	unsigned count;
	uint64_t inode[256]; /* its sockets */
};

/* What one reading is about. */
struct watch {
	const char *path;
	struct net_addr server; /* of the mount; for a proxy 127.0.0.1 */
	uint16_t port;          /* of the proxy; 0: none */
	bool waits;             /* a probe waits: read whether the mount is idle */
};

/* `full`: also the sockets, and whether the watchdog runs. */
void watch_read(const struct watch *watch, bool full, struct heal_reading *ret);

/* The connections of an NFS mount together. */
struct watch_counts {
	int64_t recvs; /* replies that they have received */
	bool idle;     /* each is there, has been used before, and has a reply to each request */
};

/* The sum of the xprt lines of the mount on `path` in mountstats. False if it has none. */
bool watch_count(FILE *mountstats, const char *path, struct watch_counts *ret);

/* The inode of the socket that listens on 127.0.0.1, or on all addresses, with this port, in a
 * table like /proc/net/tcp; 0: none. */
uint64_t watch_listener(FILE *table, uint16_t port);

/* The same in the tables of this machine. 0; -errno they cannot be read. */
int watch_tables(uint16_t port, uint64_t *ret);

/* Whether the unit of efs-utils' watchdog has a process, by the control groups in this folder. */
bool watch_unit(const char *cgroups);

/* Finds the stunnel or efs-proxy that has the socket `listener`. False if there is none. */
bool watch_find(uint64_t listener, struct watch_owner *ret);

/* What the sockets of a mount show together. */
struct watch_flow {
	unsigned out, stuck, near; /* connections to the server; of those; of kernel and proxy */
	bool unread, unsent;
	int64_t out_ms, near_ms; /* shortest sent_ms of those to the server; to the proxy */
};

void watch_flow_add(struct watch_flow *flow, const struct watch *watch,
                    const struct watch_owner *owner, const struct sockdiag_socket *sock);
enum heal_flow watch_flow_of(const struct watch_flow *flow, const struct watch *watch);

/* mount_sockets.c: watch_tables by way of netlink. */
int watch_listens(uint16_t port, uint64_t *ret);

/* Whether the kernel's connections to the server, or to its proxy, have data that are not acknowledged
 * or not read. True if the kernel does not list them. */
bool watch_queued(const struct watch *watch);

/* What all sockets of this network namespace show. FLOW_UNKNOWN if the kernel does not list them. */
enum heal_flow watch_sockets(const struct watch *watch, const struct watch_owner *owner);

/*
 * mount_proxy.c: the proxy of efs-utils that serves the mount of `file_system` on `path` by
 * `port`, by its state file. Root alone can write that file, its configuration and its program;
 * another one is refused.
 */
struct proxy {
	const char *file_system, *path;
	uint16_t port;
	pid_t pid;         /* started by this process and not ended yet; 0: none */
	uint16_t started;  /* the port of the last one that was started; 0: none was */
	uint64_t listener; /* the socket that `owner` listens with; 0: not known */
	pid_t owner;
};

/* Where it connects to. 0 or -errno with a reason. */
int proxy_target(const struct proxy *proxy, char *ret_host, size_t host_size, uint16_t *ret_port,
                 char *ret_why, size_t why_size);

/* Whether it may be sent to another target: it uses TLS, and checks the name in the certificate. */
bool proxy_verifies(const struct proxy *proxy);

/* The pure part: the configuration has the name. */
bool proxy_checks_name(const char *configuration);

/* Whether the address may be one of a mount target: not of this machine, multicast or link-local.
 * IPv4 alone, since the line of the configuration is HOST:PORT. */
bool proxy_may_use(const struct net_addr *addr);

/* Replaces the host in its configuration; a proxy reads that at its start. The same. */
int proxy_redirect(const struct proxy *proxy, const char *host, char *ret_why, size_t why_size);

/* Kills the process that listens on the port, if it is a proxy, and if proxy_start could start it
 * again. The same, with the process. */
int proxy_kill(const struct proxy *proxy, pid_t *ret_pid, char *ret_why, size_t why_size);

/* Runs the command of the state file, in a session of its own: it outlives this process. The
 * same. */
int proxy_start(struct proxy *proxy, char *ret_why, size_t why_size);

/* Writes the process that listens with `listener` to the state file, if another one is there: for
 * that one the watchdog would start a second proxy, again and again. The watchdog may undo this
 * by an older copy of the file. 1 written; 0 or -errno. */
int proxy_note(struct proxy *proxy, uint64_t listener);

/* Takes the end of a proxy that this process has started. */
void proxy_reap(struct proxy *proxy);

/*
 * mount_copy.c: copies of the files of efs-utils about the proxy, in the folder `dir`, which only root
 * can enter; they belong to the mount with this `mark` (mountinfo_mark).
 */

/* Makes them, or makes them anew. 0 or -errno. */
int copy_keep(const struct proxy *proxy, const char *mark, const char *dir);

/* Puts them back if the state file is missing. 0; -EEXIST it is there; -ENOENT there are no copies of
 * this mount; -errno. */
int copy_restore(const struct proxy *proxy, const char *mark, const char *dir);

/*
 * mount_home.c: the note of a redirect. It outlives the keeper, since the configuration does as
 * well.
 */
struct home {
	char host[LIMIT_HOST];    /* the mount target in the proxy's configuration before; empty: it
	                           * is there */
	char away[NET_ADDR_TEXT]; /* what was written instead */
};

/* In the folder `dir`. 0 or -errno. */
int home_note(const char *dir, const struct home *home);

/* False: there is none. */
bool home_read(const char *dir, struct home *ret);

/* Empties it. */
void home_forget(const char *dir, struct home *home);

#endif
