/*
 * The connection of a process to the hub (hub.h). It keeps the last state of each fact of its
 * process, and sends all of them whenever it connects: nothing is lost when either end is
 * restarted. Never blocks.
 */
#ifndef WNA_PEER_H
#define WNA_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "hub.h"

enum { PEER_FACTS = 64 }; /* facts and instances that one process may own */

struct peer {
	int fd;       /* readable when peer_recv has something to do; for the caller's loop */
	int hub_fd;   /* -1: not connected */
	int timer_fd; /* the next try to connect */
	int64_t connected_ms;
	unsigned attempt; /* tries since a connection that lasted */
	bool spoken;
	struct msg hello;
	char path[108];
	unsigned count;
	struct msg said[PEER_FACTS];
};

/*
 * Tries to connect to `path` (HUB_SOCKET); peer_recv tries again. `conf` may be NULL.
 * `wants`: HUB_WANTS bits. 0, also without a hub; -errno without descriptors or memory.
 */
int peer_init(struct peer *ret, const char *path, enum role role, const struct conf *conf,
              int64_t wants);

/*
 * Sends one fact: `msg` with id, value, more, found_ms (0: now), text and why. The texts are
 * cleaned and cut here, and since_ms is set: it stays while the value stays. What cannot be
 * sent now is sent after the next connect. A fact that cannot grow old is not sent again
 * unchanged.
 */
void peer_say(struct peer *peer, const struct msg *msg);

/* Tells the hub that all facts have been sent once since the start of this process; call once. */
void peer_spoken(struct peer *peer);

/* Makes peer->fd readable when `fd` is, as well. 0 or -errno. */
int peer_watch(const struct peer *peer, int fd);

/* Takes one message from the hub. False when there is none now. A malformed one ends the
 * connection, which is made anew. */
bool peer_recv(struct peer *peer, struct msg *ret);

#endif
