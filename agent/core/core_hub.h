/*
 * The core's side of the hub (include/hub.h): who is connected, what each may say,
 * what each wants to hear. Fixed tables; a peer that does not read, says too much or
 * is of another build is disconnected, and connects again.
 */
#ifndef CORE_CORE_HUB_H
#define CORE_CORE_HUB_H

#include <stdint.h>
#include <sys/types.h>

#include "core.h"
#include "core_status.h"
#include "hub.h"

struct event_base;
struct hub;

/* Who may claim a role. (uid_t)-1: nobody. */
struct hub_users {
	uid_t of[ROLE_MAX];
	bool by_name; /* any user may claim any: for tests that run as one user */
};

struct hub_ops {
	/* After anything that may have moved the core. */
	void (*moved)(void *ctx);
	/* Renders the answer to ASK_STATUS; its length. */
	size_t (*status)(void *ctx, char *ret, size_t size);
	void *ctx;
};

/* Looks the users of the roles up; call before the sandbox. A user that does not exist
 * may claim nothing. */
void hub_users_find(const struct conf *conf, struct hub_users *ret);

/* `listen_fd`: a listening SOCK_SEQPACKET socket, non-blocking; -1: none. 0 or -errno. */
int hub_init(struct hub **ret, struct event_base *base, int listen_fd,
             const struct hub_users *users, struct core *core, const struct hub_ops *ops,
             struct status_counters *counters);

/* Tells the verdict of now to all that want to hear it. */
void hub_tell_verdict(struct hub *hub);

/* Accepts no more and disconnects all. */
void hub_stop(struct hub *hub);

#endif
