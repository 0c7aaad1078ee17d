/*
 * The two listening sockets of the core: health checks over TCP and the hub. systemd
 * owns them and passes them on (sd_listen_fds(3)), hence no restart of the core refuses a
 * connect; outside of systemd the core opens them itself.
 */
#ifndef CORE_LISTENERS_H
#define CORE_LISTENERS_H

#include "net.h"

struct core_listeners {
	int health, hub;   /* -1: none was passed */
	unsigned unserved; /* passed beside them, and closed here */
};

/* Takes what systemd passed, by name: "health" and "hub" (FileDescriptorName= of the
 * socket units), made non-blocking, and the variables out of the environment. */
void core_listeners_take(struct core_listeners *ret);

/* Opens what is missing: `health` if its port is not 0, `hub` if it is not NULL.
 * 0 or -errno. */
int core_listeners_open(struct core_listeners *listeners, const struct net_endpoint *health,
                        const char *hub);

#endif
