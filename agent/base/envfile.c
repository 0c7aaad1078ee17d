/* wna-rds and wna-hooks; blocks on a local disk only; owns nothing. */
#include "envfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "str.h"

int envfile_read(const char *path, char *ret, size_t size)
{
	ssize_t n = file_load(AT_FDCWD, path, FILE_OF_ANYBODY, ret, size);

	if (n >= 0 && strlen(ret) == (size_t)n)
		return 0;
	ret[0] = '\0';
	return n < 0 ? (int)n : -EINVAL;
}

bool envfile_get(const char *text, const char *key, char *ret, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len > key_len && line[key_len] == '=' && strncmp(line, key, key_len) == 0) {
			const char *value = line + key_len + 1;
			size_t value_len = len - key_len - 1;
			char copy[256];

			if (value_len >= size || value_len >= sizeof copy)
				return false;
			memcpy(copy, value, value_len);
			copy[value_len] = '\0';
			if (value_len > 0 && !str_only(copy, "._:/-"))
				return false;
			memcpy(ret, copy, value_len + 1);
			return true;
		}
		line += len;
		line += *line == '\n';
	}
	return false;
}
