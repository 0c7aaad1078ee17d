/*
 * One end of a connection to the hub (hub.h), as every process but the core has
 * it. It keeps what its process last said of each fact and says all of it again
 * whenever it connects, so that nobody has to ask, and nothing is lost when either
 * end is restarted. Never blocks.
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
 * Tries to connect to `path` (HUB_SOCKET), and goes on trying when peer_recv is
 * called. `conf` may be NULL. `wants`: HUB_WANTS bits. 0 or -errno of
 * what is needed beside the hub.
 */
int peer_init(struct peer *ret, const char *path, enum role role, const struct conf *conf,
              int64_t wants);

/*
 * Says one fact: `msg` with id, value, more, found_ms (0: now), text
 * and why, of which the texts are cleaned and cut here. since_ms is worked out: as
 * long as value stays the same it stays too. What cannot be sent now is said after
 * the next connect.
 */
void peer_say(struct peer *peer, const struct msg *msg);

/* All that this process can know has been said once since its start; call once. */
void peer_spoken(struct peer *peer);

/* Makes peer->fd readable when `fd` is, as well. 0 or -errno. */
int peer_watch(const struct peer *peer, int fd);

/* Takes one message from the hub. False when there is none now. A malformed one ends the
 * connection, which is made anew. */
bool peer_recv(struct peer *peer, struct msg *ret);

#endif
