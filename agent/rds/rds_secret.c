/* wna-rds. Blocks on a local disk only. A login token lies in a folder of wna-cloud's, which only the
 * group of wna-rds can enter; a server verifies it, thus its owner is not checked here. */
#include "rds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "localpath.h"

#define TOKEN_FILE LOGIN_DIR "/" LOGIN_FILE

/* The kernel would wait for a silent file server. */
static bool is_remote(const char *path)
{
	char place[PATH_MAX], why[LIMIT_FACT_WHY];

	return localpath_resolve("/proc/self/mountinfo", "", path, place, sizeof place, why,
	                         sizeof why) == -EREMOTE;
}

/* A descriptor, or -errno. */
static int open_secret(const struct conf_rds *conf)
{
	if (conf->auth == DB_AUTH_IAM)
		return file_open(AT_FDCWD, TOKEN_FILE, FILE_OF_ANYBODY);
	if (is_remote(conf->password_file))
		return -EREMOTE;
	return file_open(AT_FDCWD, conf->password_file, FILE_OF_SECRET);
}

int secret_read(const struct conf_rds *conf, char *ret, size_t size)
{
	int fd = open_secret(conf), rc = fd < 0 ? fd : 0;
	ssize_t got = rc < 0 ? 0 : pread(fd, ret, size, 0);
	size_t len;
	char *end;

	if (got < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		goto out;
	end = memchr(ret, '\n', (size_t)got);
	len = end ? (size_t)(end - ret) : (size_t)got;
	if (len > 0 && len < size && ret[len - 1] == '\r')
		len--;
	if (len == size)
		rc = -EMSGSIZE;
	else if (len == 0)
		rc = -ENODATA;
	else if (memchr(ret, '\0', len))
		rc = -EINVAL;
	else
		explicit_bzero(ret + len, size - len);
out:
	if (rc < 0)
		explicit_bzero(ret, size);
	return rc;
}

const char *secret_explain(const struct conf_rds *conf, int rc)
{
	if (conf->auth == DB_AUTH_IAM)
		return rc == -ENOENT ? "there is no login token yet; the log of wna-cloud says why"
		                     : "the login token cannot be read";
	switch (rc) {
	case -ENODATA: return "the password file is empty";
	case -EMSGSIZE: return "the password file's first line is too long";
	case -EINVAL: return "the password file is not text";
	case -EPERM: return "the password file is not root's, or others may read it";
	case -EREMOTE: return "the password file is on a network file system";
	case -ENOENT: return "there is no password file";
	case -EACCES: return "the password file is not readable by group wna-rds";
	default: return "the password file cannot be read";
	}
}

static void identify(int (*look)(const char *path, struct stat *st), const char *path, char *ret,
                     size_t size)
{
	struct stat st;

	ret[0] = '\0';
	if (look(path, &st) == 0)
		snprintf(ret, size, "%llx:%llx:%llx:%llx.%lx", (unsigned long long)st.st_dev,
		         (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
		         (unsigned long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

void file_id(const char *path, char *ret, size_t size)
{
	identify(stat, path, ret, size);
}

void secret_identify(const struct conf_rds *conf, char *ret, size_t size)
{
	ret[0] = '\0';
	/* wna-cloud, whose folder it is, could make a link to a silent file server. */
	if (conf->auth == DB_AUTH_IAM)
		identify(lstat, TOKEN_FILE, ret, size);
	else if (!is_remote(conf->password_file))
		file_id(conf->password_file, ret, size);
}
