/* Run by wna-mount. Reads one small file of root's on a local disk. Owns nothing. */
#include "efs_state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "str.h"

enum { STATE_MAX_BYTES = 64 * 1024 };

/* True if there is no such key; false if it is there and is no text of that value. */
static bool agrees(const cJSON *state, const char *key, const char *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(state, key);

	return !item || (cJSON_IsString(item) && strcmp(item->valuestring, value) == 0);
}

/* 2.x and later: efs-proxy --tls; 1.x and the option "stunnel": stunnel, which does nothing else. */
static int read_command(const cJSON *cmd, bool *ret_tls)
{
	const cJSON *word;
	bool tls = false;

	if (!cJSON_IsArray(cmd) || cJSON_GetArraySize(cmd) == 0)
		return -EBADMSG;
	cJSON_ArrayForEach(word, cmd)
	{
		const char *base;

		if (!cJSON_IsString(word))
			return -EBADMSG;
		base = strrchr(word->valuestring, '/');
		base = base ? base + 1 : word->valuestring;
		if (strcmp(base, "--tls") == 0 || strcmp(base, "stunnel") == 0 ||
		    strcmp(base, "stunnel4") == 0 || strcmp(base, "stunnel5") == 0)
			tls = true;
	}
	*ret_tls = tls;
	return 0;
}

int efs_state_parse(const char *json, size_t len, const char *file_system, const char *path,
                    struct efs_state *ret)
{
	cJSON *state = cJSON_ParseWithLength(json, len);
	const cJSON *pid, *access_point;
	struct efs_state found = { 0 };
	int rc = -EBADMSG;

	if (!cJSON_IsObject(state))
		goto out;
	pid = cJSON_GetObjectItemCaseSensitive(state, "pid");
	if (!cJSON_IsNumber(pid) || pid->valuedouble < 1 || pid->valuedouble > INT32_MAX ||
	    (double)(int64_t)pid->valuedouble != pid->valuedouble)
		goto out;
	found.pid = (int64_t)pid->valuedouble;
	if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(state, "files")) ||
	    read_command(cJSON_GetObjectItemCaseSensitive(state, "cmd"), &found.tls) < 0)
		goto out;
	if (!agrees(state, "fsId", file_system) || !agrees(state, "mountpoint", path))
		goto out;
	access_point = cJSON_GetObjectItemCaseSensitive(state, "accessPoint");
	if (access_point && !cJSON_IsNull(access_point) &&
	    (!cJSON_IsString(access_point) || !str_only(access_point->valuestring, "-") ||
	     !str_copy(found.access_point, sizeof found.access_point, access_point->valuestring)))
		goto out;
	*ret = found;
	rc = 0;
out:
	cJSON_Delete(state);
	return rc;
}

/* "/var/www/html/efs" is "var.www.html.efs" there. */
static bool state_name(const char *file_system, const char *path, unsigned port, char *ret,
                       size_t size)
{
	char dotted[LIMIT_PATH];
	const char *from = dotted;
	int n;

	if (!str_copy(dotted, sizeof dotted, path))
		return false;
	for (char *p = dotted; *p; p++) {
		if (*p == '/')
			*p = '.';
	}
	while (*from == '.')
		from++;
	n = snprintf(ret, size, "%s.%s.%u", file_system, from, port);
	return n > 0 && (size_t)n < size;
}

int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   struct efs_state *ret)
{
	char name[1 + LIMIT_NAME + LIMIT_PATH + 16] = "~";
	char text[STATE_MAX_BYTES];
	int dir_fd = -1, fd = -1, rc;
	struct stat st;
	ssize_t n;

	/* The name is put together from checked parts, yet it must stay one component. */
	if (strchr(file_system, '/') ||
	    !state_name(file_system, path, port, name + 1, sizeof name - 1))
		return -EINVAL;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, name + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		if (rc == -ENOENT && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			rc = -EINPROGRESS;
		goto out;
	}
	rc = -EPERM;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		goto out;
	rc = -EBADMSG;
	if (st.st_size <= 0 || st.st_size >= (off_t)sizeof text)
		goto out;
	n = pread(fd, text, sizeof text, 0);
	if (n != st.st_size)
		goto out;
	rc = efs_state_parse(text, (size_t)n, file_system, path, ret);
out:
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return rc;
}

int efs_state_finish(const char *dir, const char *file_system, const char *path, unsigned port,
                     int64_t idle_ms, int64_t now_ms)
{
	char name[1 + LIMIT_NAME + LIMIT_PATH + 16] = "~";
	int dir_fd, rc = 0;
	struct stat st;
	int64_t at_ms;

	if (strchr(file_system, '/') ||
	    !state_name(file_system, path, port, name + 1, sizeof name - 1))
		return -EINVAL;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		rc = -errno;
	} else if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022)) {
		rc = -EPERM;
	} else {
		at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		if (now_ms >= at_ms && now_ms - at_ms < idle_ms)
			rc = -EINPROGRESS;
		/* The helper itself may be at just that; its file is not replaced. */
		else if (renameat2(dir_fd, name, dir_fd, name + 1, RENAME_NOREPLACE) < 0 &&
		         errno != EEXIST && errno != ENOENT)
			rc = -errno;
	}
	close(dir_fd);
	return rc;
}
