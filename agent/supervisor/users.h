/*
 * The agent's users, looked up once at start: later lookups could wait for a
 * directory service, and nothing about them may change under a running agent.
 */
#ifndef SUPERVISOR_USERS_H
#define SUPERVISOR_USERS_H

#include <sys/types.h>

#include "conf.h"
#include "role.h"

struct user {
	char name[LIMIT_NAME];
	uid_t uid;
	gid_t gid;
};

/* One per role; ROLE_WNAD and ROLE_MOUNT are root, ROLE_HOOK as configured. */
struct users {
	struct user of[ROLE_MAX];
};

/*
 * Looks them all up. 0; -ENOENT with the missing user's name in `ret_missing`
 * (LIMIT_NAME bytes); -EPERM likewise if a user that must not be root is;
 * -errno. The hook's user matters only where hooks are enabled.
 */
int users_load(const struct conf *conf, struct users *ret, char *ret_missing);

#endif
