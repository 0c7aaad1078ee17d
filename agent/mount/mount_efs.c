/* Run by wna-mount. Reads one small file on a local disk. Owns nothing. */
#include "mount.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
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

/* The number of seconds in `key`, as ms; `none` if the key is missing. */
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

int efs_state_note(const char *dir, const char *name, const char *json, pid_t pid)
{
	cJSON *state = cJSON_Parse(json);
	const cJSON *noted = cJSON_GetObjectItemCaseSensitive(state, "pid");
	char *text = NULL;
	int rc = 0;

	if (cJSON_IsNumber(noted) && noted->valueint == pid)
		goto out;
	rc = -EBADMSG;
	cJSON_DeleteItemFromObjectCaseSensitive(state, "pid");
	if (!cJSON_IsObject(state) || !cJSON_AddNumberToObject(state, "pid", pid))
		goto out;
	text = cJSON_PrintUnformatted(state);
	rc = text ? file_write(dir, name, text, strlen(text)) : -ENOMEM;
	rc = rc < 0 ? rc : 1;
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

bool efs_state_of_another(const char *dir, const char *file_system, unsigned port)
{
	size_t len = strlen(file_system);
	const struct dirent *entry;
	char end[16];
	bool found = false;
	DIR *files = opendir(dir);

	snprintf(end, sizeof end, ".%u", port);
	while (files && !found && (entry = readdir(files))) {
		const char *last = strrchr(entry->d_name, '.');

		found = last && strcmp(last, end) == 0 &&
		        strncmp(entry->d_name, file_system, len) == 0 && entry->d_name[len] == '.';
	}
	if (files)
		closedir(files);
	return found;
}

int efs_state_read(const char *dir, const char *file_system, const char *path, unsigned port,
                   struct efs_state *ret)
{
	char begun[NAME_SIZE] = "~", *done = begun + 1, text[STATE_MAX_BYTES];
	ssize_t n;
	int fd;

	/* The file's name must be one component of a path. */
	if (strchr(file_system, '/') ||
	    !efs_state_name(file_system, path, port, done, sizeof begun - 1))
		return -EINVAL;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = file_load(fd, done, FILE_OF_ROOT, text, sizeof text);
	if (n == -ENOENT && faccessat(fd, begun, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		n = -EINPROGRESS;
	/* The helper may have given it the final name between the two. */
	if (n == -ENOENT)
		n = file_load(fd, done, FILE_OF_ROOT, text, sizeof text);
	close(fd);
	if (n == 0 || n == -EFBIG)
		return -EBADMSG;
	return n < 0 ? (int)n : efs_state_parse(text, (size_t)n, file_system, path, ret);
}
