/* Run by wna-mount as root. Reads and writes one small file on a tmpfs. Owns the note of a
 * redirect. */
#include "mount_watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "str.h"

#define NOTE "redirect"

int home_note(const char *dir, const struct home *home)
{
	char text[sizeof home->host + sizeof home->away + 2];
	int n = snprintf(text, sizeof text, "%s %s", home->host, home->away);

	return file_write(dir, NOTE, text, (size_t)n);
}

bool home_read(const char *dir, struct home *ret)
{
	char text[LIMIT_HOST + NET_ADDR_TEXT + 2], *away;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct net_addr addr;
	ssize_t n = -1;

	if (fd >= 0) {
		n = file_load(fd, NOTE, FILE_OF_ROOT, text, sizeof text);
		close(fd);
	}
	away = n > 0 ? strchr(text, ' ') : NULL;
	if (!away)
		return false;
	*away++ = '\0';
	return net_addr_parse(away, &addr) && str_copy(ret->host, sizeof ret->host, text) &&
	       str_copy(ret->away, sizeof ret->away, away);
}

void home_forget(const char *dir, struct home *home)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*home = (struct home){ 0 };
	if (fd < 0)
		return;
	unlinkat(fd, NOTE, 0);
	close(fd);
}
