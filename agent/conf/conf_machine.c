/*
 * For wnactl. Compares a configuration with the machine. Looks at local files, at
 * mountinfo and at /etc/passwd, and touches a file only if it does not lie on a
 * network file system; for the user of the hooks it asks the name service.
 */
#include <errno.h>
#include <linux/limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_load.h"
#include "localpath.h"
#include "str.h"
#include "trust.h"

struct look {
	struct conf_draft *draft;
	const char *mountinfo;
	const char *(*certs_fault)(const char *path, const char **ret_remark);
	char place[PATH_MAX]; /* of the path looked at last */
	char why[LIMIT_FACT_WHY];
};

/* 0 with look->place, or -errno with look->why; see localpath_resolve. */
static int resolve(struct look *look, const char *path)
{
	const struct conf_mount *mount = &look->draft->conf.mount;

	return localpath_resolve(look->mountinfo, mount->enabled ? mount->path : "", path,
	                         look->place, sizeof look->place, look->why, sizeof look->why);
}

/* look->why without the path at its start, since our messages name the path. */
static const char *reason(const struct look *look, const char *path)
{
	size_t len = strlen(path);

	if (strncmp(look->why, path, len) == 0 && strncmp(look->why + len, ": ", 2) == 0)
		return look->why + len + 2;
	return look->why;
}

/* Owned by root, and readable by the group of its reader's user alone. */
static void check_secret(struct look *look, const char *section, const char *key, const char *path,
                         const char *reader)
{
	const char *wrong = NULL;
	char word[160];
	struct local_user user;
	struct stat st;

	if (resolve(look, path) < 0)
		wrong = reason(look, path);
	else if (lstat(path, &st) < 0)
		wrong = str_errno(errno, word, sizeof word);
	else if (S_ISLNK(st.st_mode))
		wrong = "it is a symbolic link";
	else if (!S_ISREG(st.st_mode))
		wrong = "it is not a regular file";
	else if (st.st_uid != 0)
		wrong = "it is not root's";
	else if (st.st_mode & (S_IRWXO | S_IWGRP))
		wrong = "it is open to others";
	else if (st.st_size == 0)
		wrong = "it is empty";
	else if (trust_local_user(reader, &user) &&
	         (st.st_gid != user.gid || !(st.st_mode & S_IRGRP))) {
		snprintf(word, sizeof word, "%s cannot read it: chgrp %s FILE; chmod 0640 FILE",
		         reader, reader);
		wrong = word;
	}
	if (wrong)
		conf_blame(look->draft, CONF_SECRET, section, -1, key,
		           "expected a regular file root:%s with mode 0640, got %s: %s", reader,
		           path, wrong);
}

/* `bit` is S_IROTH or S_IXOTH. */
static bool may(const struct stat *st, mode_t bit, const struct local_user *user)
{
	if (st->st_mode & bit)
		return true;
	return user && ((user->uid == st->st_uid && st->st_mode & bit << 6) ||
	                (user->gid == st->st_gid && st->st_mode & bit << 3));
}

/* What keeps `user` (NULL: anybody) from reading the regular file that look->place
 * names; NULL if nothing does. */
static const char *unreadable(struct look *look, const struct local_user *user)
{
	char *place = look->place, *slash = place;
	struct stat st;

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (stat(place, &st) < 0 || !may(&st, S_IXOTH, user))
			return "the user may not enter a folder above it";
		*slash = '/';
	}
	if (stat(place, &st) < 0)
		return "it is not there";
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (st.st_size == 0)
		return "it is empty";
	return may(&st, S_IROTH, user) ? NULL : "its mode forbids it";
}

static void check_readable(struct look *look, const char *section, const char *key,
                           const char *path, const char *name)
{
	const char *wrong, *remark = NULL;
	struct local_user user;

	if (resolve(look, path) < 0)
		wrong = reason(look, path);
	else
		wrong = unreadable(look, trust_local_user(name, &user) ? &user : NULL);
	if (!wrong && look->certs_fault)
		wrong = look->certs_fault(path, &remark);
	if (remark)
		conf_blame(look->draft, CONF_OK, section, -1, key, "%s: %s", path, remark);
	if (wrong)
		conf_blame(look->draft, CONF_UNREADABLE, section, -1, key,
		           "expected a file of certificates that user %s can read, got %s: %s",
		           name, path, wrong);
}

static void check_local(struct look *look, int slot)
{
	const struct conf_check *check = &look->draft->conf.checks.item[slot];
	int rc;

	if ((check->type != CHECK_FILE && check->type != CHECK_DISK) || !*check->path)
		return;
	rc = resolve(look, check->path);
	/* What is not there yet may come; wna-check looks again. */
	if (rc == 0 || rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES)
		return;
	conf_blame(look->draft, rc == -EIO || rc == -EBADMSG ? CONF_UNREADABLE : CONF_RANGE,
	           "check", slot, "path", "expected a path on a local file system, got %s: %s",
	           check->path, look->why);
}

/* If a user may write a directory above the mount point, a link there would make root mount the
 * shared files on any directory of the machine. */
static void check_mount(struct look *look)
{
	const char *path = look->draft->conf.mount.path;
	char dir[LIMIT_PATH], wrong[TRUST_PATH], how[160];
	int fd, rc;

	str_copy(dir, sizeof dir, path);
	dir[strrchr(path, '/') > path ? strrchr(path, '/') - path : 1] = '\0';
	rc = resolve(look, dir);
	/* A missing directory will be made; a network file system is not touched: it may hang. */
	if (rc < 0 && rc != -ENOENT)
		return;
	rc = trust_open_dir(dir, 0, &fd, wrong);
	if (rc == 0)
		close(fd);
	else if (rc == -EPERM || rc == -ELOOP || rc == -ENOTDIR)
		conf_blame(look->draft, CONF_RANGE, "mount", -1, "path",
		           "expected a path below directories that root alone may write, got "
		           "%s: %s %s",
		           path, wrong, trust_explain_dir(wrong, rc, how, sizeof how));
}

static void check_user(struct conf_draft *draft)
{
	const struct conf_hooks *hooks = &draft->conf.hooks;
	struct passwd entry, *found = NULL;
	char buf[4096], word[128];
	int rc;

	if (!hooks->enabled || !*hooks->user)
		return;
	rc = getpwnam_r(hooks->user, &entry, buf, sizeof buf, &found);
	if (!found)
		conf_blame(draft, CONF_RANGE, "hooks", -1, "user",
		           "expected a user of this machine, got %s: %s", hooks->user,
		           rc ? str_errno(rc, word, sizeof word) : "it does not exist");
}

void conf_check_machine(struct conf_draft *draft, const char *mountinfo_path,
                        const char *(*certs_fault)(const char *path, const char **ret_remark))
{
	const struct conf_metrics *metrics = &draft->conf.metrics;
	const struct conf_rds *rds = &draft->conf.rds;
	struct look look = {
		.draft = draft,
		.mountinfo = mountinfo_path,
		.certs_fault = certs_fault,
	};

	if (rds->enabled && rds->auth == DB_AUTH_PASSWORD && *rds->password_file)
		check_secret(&look, "database", "password_file", rds->password_file, "wna-rds");
	if (rds->enabled && rds->tls == DB_TLS_VERIFY && *rds->tls_ca)
		check_readable(&look, "database", "tls_ca", rds->tls_ca, "wna-rds");
	if (metrics->enabled && *metrics->credentials_file)
		check_secret(&look, "metrics", "credentials_file", metrics->credentials_file,
		             "wna-cloud");
	if (metrics->enabled && *metrics->ca_file)
		check_readable(&look, "metrics", "ca_file", metrics->ca_file, "wna-cloud");
	if (draft->conf.mount.enabled && draft->conf.mount.path[0] == '/')
		check_mount(&look);
	for (int i = 0; i < draft->conf.checks.count; i++)
		check_local(&look, i);
	check_user(draft);
}
