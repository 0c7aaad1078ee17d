/* wnad, at start and on reload; may wait for the name service. Owns nothing. */
#include "users.h"

#include <errno.h>
#include <pwd.h>

#include "roles.h"
#include "str.h"

static int lookup(const char *name, struct user *ret)
{
	char buf[4096];
	struct passwd entry, *found;
	int rc = getpwnam_r(name, &entry, buf, sizeof buf, &found);

	if (rc != 0)
		return -rc;
	if (!found)
		return -ENOENT;
	if (!str_copy(ret->name, sizeof ret->name, name))
		return -ENAMETOOLONG;
	ret->uid = entry.pw_uid;
	ret->gid = entry.pw_gid;
	return 0;
}

int users_load(const struct conf *conf, struct users *ret, char *ret_missing)
{
	struct users users = { 0 };
	int rc;

	for (enum role role = 0; role < ROLE_MAX; role++) {
		const struct role_info *info = role_info(role);
		const char *name = info ? info->user : NULL;

		str_copy(users.of[role].name, sizeof users.of[role].name, "root");
		if (role == ROLE_HOOK && conf->hooks.enabled)
			name = conf->hooks.user;
		if (!name)
			continue;
		rc = lookup(name, &users.of[role]);
		/* A worker of ours that came out as root would have every right. */
		if (rc == 0 && role != ROLE_HOOK && (!users.of[role].uid || !users.of[role].gid))
			rc = -EPERM;
		if (rc < 0) {
			str_copy(ret_missing, LIMIT_NAME, name);
			return rc;
		}
	}
	*ret = users;
	return 0;
}
