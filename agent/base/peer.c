/* Every process but the core. Never blocks. Owns one connection to the hub. */
#include "peer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "fact.h"
#include "snapshot.h"
#include "str.h"

enum {
	LASTED_MS = 1000, /* a connection that ends earlier was refused */
	RETRY_MIN_MS = 50,
	/* Far below CORE_ACCEPT_MS: each finder is connected again before a restarted core
	 * answers, also after many restarts in a row. */
	RETRY_MAX_MS = 200,
};

int peer_watch(const struct peer *peer, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(peer->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void set_timer(const struct peer *peer, int64_t in_ms)
{
	struct itimerspec at = { .it_value = { .tv_sec = in_ms / 1000,
		                               .tv_nsec = in_ms % 1000 * 1000000 } };

	timerfd_settime(peer->timer_fd, 0, &at, NULL);
}

static int open_hub(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (!str_copy(sun.sun_path, sizeof sun.sun_path, path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void end(struct peer *peer)
{
	if (peer->hub_fd >= 0)
		close(peer->hub_fd);
	peer->hub_fd = -1;
}

/* Sends all facts at once: the socket's buffer has room for them, also before the accept. */
static int say_all(const struct peer *peer)
{
	const struct msg spoken = { .type = HUB_SPOKEN };
	int rc = hub_send(peer->hub_fd, &peer->hello);

	for (unsigned i = 0; rc == 0 && i < peer->count; i++)
		rc = hub_send(peer->hub_fd, &peer->said[i]);
	if (rc == 0 && peer->spoken)
		rc = hub_send(peer->hub_fd, &spoken);
	return rc;
}

static void retry_later(const struct peer *peer)
{
	set_timer(peer, clock_backoff(peer->attempt, RETRY_MIN_MS, RETRY_MAX_MS, clock_random()));
}

static void try_connect(struct peer *peer)
{
	peer->attempt += peer->attempt < 16;
	peer->hub_fd = open_hub(peer->path);
	if (peer->hub_fd >= 0 && peer_watch(peer, peer->hub_fd) == 0 && say_all(peer) == 0) {
		peer->connected_ms = clock_ms();
		return;
	}
	end(peer);
	retry_later(peer);
}

/* Connects again: at once after a connection that lasted, and later and later to a hub that
 * refuses. */
static void broken(struct peer *peer)
{
	end(peer);
	if (clock_ms() - peer->connected_ms < LASTED_MS) {
		retry_later(peer);
		return;
	}
	peer->attempt = 0;
	try_connect(peer);
}

int peer_init(struct peer *ret, const char *path, enum role role, const struct conf *conf,
              int64_t wants)
{
	memset(ret, 0, sizeof *ret);
	ret->hub_fd = ret->timer_fd = -1;
	ret->hello = (struct msg){ .type = HUB_HELLO, .id = (uint16_t)role };
	ret->hello.value = conf ? snapshot_hash(conf, role) : 0;
	ret->hello.more[0] = wants;
	str_copy(ret->hello.text, sizeof ret->hello.text, hub_contract);
	if (!str_copy(ret->path, sizeof ret->path, path))
		return -ENAMETOOLONG;
	ret->fd = epoll_create1(EPOLL_CLOEXEC);
	ret->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ret->fd < 0 || ret->timer_fd < 0 || peer_watch(ret, ret->timer_fd) < 0)
		return -errno;
	try_connect(ret);
	return 0;
}

static struct msg *place_of(struct peer *peer, const struct msg *msg)
{
	for (unsigned i = 0; i < peer->count; i++) {
		struct msg *said = &peer->said[i];

		if (said->id == msg->id &&
		    (msg->id != FACT_CHECK || strcmp(said->text, msg->text) == 0))
			return said;
	}
	return NULL;
}

/* Nothing but the times may differ. */
static bool same_news(const struct msg *a, const struct msg *b)
{
	return a->id == b->id && a->value == b->value &&
	       memcmp(a->more, b->more, sizeof a->more) == 0 && strcmp(a->text, b->text) == 0 &&
	       strcmp(a->why, b->why) == 0;
}

void peer_say(struct peer *peer, const struct msg *msg)
{
	struct msg fact = *msg;
	struct msg *said;
	bool old;

	fact.type = HUB_FACT;
	fact.zero = 0;
	str_clean(fact.text, sizeof fact.text, msg->text, strnlen(msg->text, sizeof msg->text));
	str_clean(fact.why, sizeof fact.why, msg->why, strnlen(msg->why, sizeof msg->why));
	if (fact.found_ms == 0)
		fact.found_ms = clock_ms();
	said = place_of(peer, &fact);
	fact.since_ms = said && said->value == fact.value ? said->since_ms : fact.found_ms;
	if (!said) {
		if (peer->count == PEER_FACTS)
			return;
		said = &peer->said[peer->count++];
	}
	old = same_news(said, &fact) && !fact_info(fact.id)->ages;
	*said = fact;
	if (!old && peer->hub_fd >= 0 && hub_send(peer->hub_fd, said) < 0)
		broken(peer);
}

void peer_spoken(struct peer *peer)
{
	const struct msg spoken = { .type = HUB_SPOKEN };

	peer->spoken = true;
	if (peer->hub_fd >= 0 && hub_send(peer->hub_fd, &spoken) < 0)
		broken(peer);
}

bool peer_recv(struct peer *peer, struct msg *ret)
{
	uint64_t times;
	int rc;

	if (peer->hub_fd < 0) {
		if (read(peer->timer_fd, &times, sizeof times) == (ssize_t)sizeof times)
			try_connect(peer);
		return false;
	}
	rc = hub_recv(peer->hub_fd, ret);
	if (rc == 0)
		return true;
	if (rc != -EAGAIN)
		broken(peer);
	return false;
}
