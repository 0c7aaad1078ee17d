/* Every process; never blocks. Owns its socket. */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "str.h"

/* WATCHDOG_PID, if there, says whom the wish is for (sd_watchdog_enabled(3)). */
static int64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t value;

	if (pid && (!str_int64(pid, 1, INT32_MAX, &value) || value != getpid()))
		return 0;
	if (!usec || !str_int64(usec, 3000, INT64_MAX, &value))
		return 0;
	return value / 3000;
}

static int address(const char *text, struct sockaddr_un *ret, socklen_t *ret_len)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof ret->sun_path)
		return -EINVAL;
	memset(ret, 0, sizeof *ret);
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, text, len);
	if (text[0] == '@')
		ret->sun_path[0] = '\0';
	else
		len++; /* a path counts its NUL, an abstract name has none */
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

int notify_open(struct notify *ret)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct notify notify = { .fd = -1 };
	int rc = 0;

	if (where) {
		rc = address(where, &notify.addr, &notify.addr_len);
		if (rc == 0) {
			notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
			if (notify.fd < 0)
				rc = -errno;
			else
				notify.watchdog_ms = watchdog_ms();
		}
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*ret = notify;
	return rc;
}

int notify_send(const struct notify *notify, const char *text)
{
	ssize_t n;

	if (notify->fd < 0)
		return 0;
	do {
		n = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		           (const struct sockaddr *)&notify->addr, notify->addr_len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
