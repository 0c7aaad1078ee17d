/* Run by wna-mount. Reads one small file on a local disk. Owns nothing. */
#include "mount.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "str.h"

enum { STATE_MAX_BYTES = 64 * 1024, NAME_SIZE = 1 + LIMIT_NAME + LIMIT_PATH + 16 };

/* True if there is no such key, or if it is a text with that value. Slashes may follow: mount.efs
 * writes the mount point as it was given. */
static bool agrees(const cJSON *state, const char *key, const char *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(state, key);
	size_t len = strlen(value);

	return !item || (cJSON_IsString(item) && strncmp(item->valuestring, value, len) == 0 &&
	                 strspn(item->valuestring + len, "/") == strlen(item->valuestring + len));
}

/* Since 2.x: efs-proxy --tls. In 1.x, and with the option "stunnel": stunnel, always with TLS. */
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

/* The time in `key`, which is a number of seconds; `none` if there is no such key. */
static int64_t time_of(const cJSON *state, const char *key, int64_t none)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(state, key);

	if (!item)
		return none;
	return cJSON_IsNumber(item) && item->valuedouble > 0 && item->valuedouble < 1e12
	               ? (int64_t)(item->valuedouble * 1000)
	               : 0;
}

int efs_state_parse(const char *json, size_t len, const char *file_system, const char *path,
                    struct efs_state *ret)
{
	cJSON *state = cJSON_ParseWithLength(json, len);
	const cJSON *access_point;
	struct efs_state found = { 0 };
	int rc = -EBADMSG;

	if (!cJSON_IsObject(state))
		goto out;
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
	found.mount_ms = time_of(state, "mount_time", 0);
	found.unmount_ms = time_of(state, "unmount_time", -1);
	*ret = found;
	rc = 0;
out:
	cJSON_Delete(state);
	return rc;
}

int efs_state_mark(const char *dir, const char *name, const char *json, int64_t unmount_ms)
{
	cJSON *state = cJSON_Parse(json);
	char *text = NULL;
	int rc = -ENOMEM;

	cJSON_DeleteItemFromObjectCaseSensitive(state, "unmount_time");
	cJSON_DeleteItemFromObjectCaseSensitive(state, "unmount_count");
	if (!state || (unmount_ms >= 0 &&
	               !cJSON_AddNumberToObject(state, "unmount_time", (double)unmount_ms / 1000)))
		goto out;
	text = cJSON_PrintUnformatted(state);
	if (text)
		rc = file_write(dir, name, text, strlen(text));
out:
	free(text);
	cJSON_Delete(state);
	return rc;
}

bool efs_state_name(const char *file_system, const char *path, unsigned port, char *ret,
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

/* Whether the file has not been written for `idle_ms`. A time in the future is one from before the
 * clock was set back. */
static bool is_idle(int fd, int64_t idle_ms, int64_t now_ms)
{
	struct stat st;
	int64_t at_ms;

	if (fstat(fd, &st) < 0)
		return false;
	at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return now_ms < at_ms || now_ms - at_ms >= idle_ms;
}

static int read_state(int fd, const char *file_system, const char *path, char *text,
                      struct efs_state *ret)
{
	ssize_t n = file_read(fd, text, STATE_MAX_BYTES);

	return n <= 0 ? -EBADMSG : efs_state_parse(text, (size_t)n, file_system, path, ret);
}

int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   int64_t idle_ms, int64_t now_ms, struct efs_state *ret)
{
	char begun[NAME_SIZE] = "~", *done = begun + 1, text[STATE_MAX_BYTES];
	int dir_fd, fd, rc;
	bool finished;

	/* The file's name must be one component of a path. */
	if (strchr(file_system, '/') ||
	    !efs_state_name(file_system, path, port, done, sizeof begun - 1))
		return -EINVAL;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = file_open(dir_fd, done, FILE_OF_ROOT);
	finished = fd != -ENOENT;
	if (!finished)
		fd = file_open(dir_fd, begun, FILE_OF_ROOT);
	/* The helper may have given it the final name between the two. */
	if (fd == -ENOENT) {
		fd = file_open(dir_fd, done, FILE_OF_ROOT);
		finished = true;
	}
	rc = fd;
	if (fd < 0)
		goto out;
	rc = !finished && !is_idle(fd, idle_ms, now_ms)
	             ? -EINPROGRESS
	             : read_state(fd, file_system, path, text, ret);
	close(fd);
	/* A finished file is not replaced: the helper may do the same at this moment. */
	if (rc == 0 && !finished && renameat2(dir_fd, begun, dir_fd, done, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST && errno != ENOENT)
		rc = -errno;
	if (rc == 0 && ret->unmount_ms >= 0) {
		rc = efs_state_mark(dir, done, text, -1);
		if (rc == 0)
			log_info("mount: the proxy on port %u serves the mount again, and stays",
			         port);
	}
out:
	close(dir_fd);
	return rc;
}
