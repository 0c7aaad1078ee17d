/*
 * The two listening sockets that wnad owns and every core inherits: health
 * checks over TCP, wnactl over a Unix socket. They outlive every core, and the
 * TCP one outlives wnad in systemd's descriptor store.
 */
#ifndef SUPERVISOR_LISTENER_H
#define SUPERVISOR_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "net.h"

/* Its name in the descriptor store. */
#define LISTENER_NAME "health"

/*
 * Takes the passed descriptors (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS,
 * LISTEN_FDNAMES from fd 3 on), keeps the first one named "health" that
 * listener_fits(), closes all others, which ends a "health" that listens elsewhere,
 * and removes the variables. The descriptor, or -1 if none fits; *ret_others: how many were closed.
 */
int listener_inherit(const struct net_endpoint *endpoint, int *ret_others);

/* Whether `fd` is a listening TCP socket on exactly this address and port. */
bool listener_fits(int fd, const struct net_endpoint *endpoint);

/*
 * Binds and listens: non-blocking, SO_REUSEADDR, also on an address that the
 * machine does not have yet (IP_FREEBIND), since the agent must not wait for the
 * network; [::] takes IPv4 as well. `beside`: a listener of ours (else -1) that is
 * to be replaced and may have the same port on an address that overlaps; both then
 * listen until it is closed. The caller's descriptor, or -errno.
 */
int listener_bind(const struct net_endpoint *endpoint, int beside);

/* Ends a listener for everybody who has it, a core that still drains among them, and
 * closes it: *fd becomes -1. Does nothing if it is. */
void listener_retire(int *fd);

/* The control socket, 0660 root:gid, replacing one that is there. Its folder is
 * root's. The caller's descriptor, or -errno. */
int listener_control(const char *path, gid_t gid);

#endif
