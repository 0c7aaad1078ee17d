/*
 * systemd's notification protocol by hand (sd_notify(3), "Notes": the protocol
 * is stable): datagrams of newline-separated assignments to NOTIFY_SOCKET,
 * which is a path or, beginning with '@', an abstract name. Never waits.
 */
#ifndef WNA_NOTIFY_H
#define WNA_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: nobody listens, all calls succeed and do nothing */
	struct sockaddr_un addr;
	socklen_t addr_len;
	int64_t watchdog_ms; /* how often WATCHDOG=1 is due: a third of WATCHDOG_USEC; 0: never */
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment and
 * removes them, so that no child inherits them. 0 also when there is none;
 * -EINVAL for an address that is not one, -errno; *ret is usable either way.
 */
int notify_open(struct notify *ret);

/* One datagram. 0; -EAGAIN if systemd does not read just now; -errno. */
int notify_send(const struct notify *notify, const char *text);

#endif
