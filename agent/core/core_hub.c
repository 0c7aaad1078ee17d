/* wna-core. Never blocks. Owns the connections of the hub; the listener is the caller's. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"
#include "log.h"
#include "trust.h"

enum {
	PEERS = LIMIT_PEERS,
	PER_USER = 4, /* connections of one user; of root PER_ROOT */
	PER_ROOT = 12,
	MESSAGES = 16, /* taken from one peer per turn of the loop */
	RATE = 1000,   /* messages per second and peer */
	COMPLAIN_MS = 10000,
};

struct peer_of_hub {
	struct event event;
	int fd; /* -1: free */
	uid_t uid;
	pid_t pid;
	enum role role; /* ROLE_MAX before its hello */
	int64_t wants;
	int64_t since_ms;
	int64_t second_ms; /* the rate: messages since then */
	unsigned messages;
};

static struct {
	struct event_base *base;
	struct event accept_event;
	struct hub_users users;
	struct core *core;
	void (*moved)(void);
	struct peer_of_hub peer[PEERS];
	int64_t complained_ms;
	char answer[STATUS_BYTES];
} hub;

/* The user of the hooks is the operator's (`own` false) and may be a directory server's, which
 * is asked only if /etc/passwd does not have it. */
static uid_t user_of(const char *name, bool own)
{
	const struct passwd *entry = NULL;
	struct local_user user;

	if (trust_local_user(name, &user))
		return user.uid;
	if (!own)
		entry = getpwnam(name);
	return entry ? entry->pw_uid : (uid_t)-1;
}

void hub_users_find(const struct conf *conf, struct hub_users *ret)
{
	ret->by_name = false;
	for (int role = 0; role < ROLE_MAX; role++) {
		const char *user = role_of(role)->user;

		if (role == ROLE_HOOKS)
			ret->of[role] =
			        conf->hooks.enabled ? user_of(conf->hooks.user, false) : (uid_t)-1;
		else
			ret->of[role] = !user ? 0 : user[0] ? user_of(user, true) : (uid_t)-1;
	}
}

/* At most every COMPLAIN_MS: a peer that connects again and again must not fill the journal. */
static void complain(const struct peer_of_hub *peer, const char *why)
{
	int64_t now_ms = clock_ms();

	if (now_ms - hub.complained_ms < COMPLAIN_MS)
		return;
	hub.complained_ms = now_ms;
	log_warning("hub: %s (uid %u): %s, disconnected",
	            peer->role < ROLE_MAX ? role_of(peer->role)->exe : "a peer",
	            (unsigned)peer->uid, why);
}

/* What the page shows of a finder's connection. */
static void note_link(const struct peer_of_hub *peer, bool up, bool other_conf)
{
	if (peer->role < ROLE_CTL)
		core_link(hub.core, peer->role, up, other_conf, peer->pid, clock_wall_ms());
}

static void end(struct peer_of_hub *peer, const char *why)
{
	if (why)
		complain(peer, why);
	note_link(peer, false, false);
	event_del(&peer->event);
	close(peer->fd);
	peer->fd = -1;
}

/* A peer that does not read is disconnected, and hears all when it has connected again. */
static void tell(struct peer_of_hub *peer, const struct msg *msg)
{
	if (hub_send(peer->fd, msg) < 0)
		end(peer, NULL);
}

static bool wants(const struct peer_of_hub *peer, unsigned id)
{
	return peer->fd >= 0 && peer->role < ROLE_MAX && (peer->wants & HUB_WANTS(id));
}

/* To all that want to hear it; id 0: the verdict. */
static void tell_all(unsigned id, const struct msg *msg)
{
	for (int i = 0; i < PEERS; i++) {
		if (wants(&hub.peer[i], id))
			tell(&hub.peer[i], msg);
	}
}

void hub_tell_verdict(void)
{
	struct msg msg;

	core_verdict(hub.core, &msg);
	tell_all(0, &msg);
}

/* All that a new listener wants to hear, as it is now. */
static void tell_state(struct peer_of_hub *peer)
{
	struct msg msg;

	if (peer->wants == 0)
		return;
	for (unsigned id = FACT_NONE + 1; id < FACT_MAX; id++) {
		for (unsigned slot = 0; wants(peer, id) && slot < fact_info((uint16_t)id)->slots;
		     slot++) {
			if (core_fact(hub.core, (enum fact_id)id, slot, &msg))
				tell(peer, &msg);
		}
	}
	if (wants(peer, 0)) {
		core_verdict(hub.core, &msg);
		tell(peer, &msg);
	}
	msg = (struct msg){ .type = HUB_SPOKEN };
	if (peer->fd >= 0)
		tell(peer, &msg);
}

static bool may_claim(const struct peer_of_hub *peer, enum role role)
{
	return role == ROLE_CTL || hub.users.by_name ||
	       (peer->uid != (uid_t)-1 && hub.users.of[role] == peer->uid);
}

static void take_hello(struct peer_of_hub *peer, const struct msg *msg)
{
	if (peer->role < ROLE_MAX || msg->id >= ROLE_MAX || msg->id == ROLE_CORE) {
		end(peer, "a bad hello");
		return;
	}
	if (strcmp(msg->text, hub_contract) != 0) {
		/* One of the two will be restarted soon; its facts grow old until then. */
		log_debug("hub: %s is of another build", role_of(msg->id)->exe);
		end(peer, NULL);
		return;
	}
	if (!may_claim(peer, (enum role)msg->id)) {
		end(peer, "claims a role that is not its user's");
		return;
	}
	for (int i = 0; i < PEERS; i++) {
		/* The finder was restarted; its old connection is dead, even if its end is not read yet. */
		if (msg->id != ROLE_CTL && hub.peer[i].fd >= 0 && hub.peer[i].role == msg->id)
			end(&hub.peer[i], NULL);
	}
	peer->role = (enum role)msg->id;
	peer->wants = msg->more[0];
	note_link(peer, true,
	          msg->value != snapshot_hash(hub.core->state.conf, (enum role)msg->id));
	tell_state(peer);
}

static void take_ask(struct peer_of_hub *peer, const struct msg *msg)
{
	size_t len;

	if (msg->id != ASK_STATUS) {
		end(peer, "asks a question that does not exist");
		return;
	}
	hub.core->counters.control++;
	len = status_render(hub.core, clock_ms(), clock_wall_ms(), hub.answer, sizeof hub.answer);
	if (send(peer->fd, hub.answer, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		end(peer, NULL);
}

static void take(struct peer_of_hub *peer, const struct msg *msg)
{
	int64_t now_ms = clock_ms(), wall_ms = clock_wall_ms();
	struct msg fact;
	unsigned slot;

	if (msg->type == HUB_HELLO) {
		take_hello(peer, msg);
	} else if (msg->type == HUB_ASK) {
		take_ask(peer, msg);
	} else if (peer->role >= ROLE_CTL) {
		end(peer, "reports without a role");
	} else if (msg->type == HUB_SPOKEN) {
		core_spoken(hub.core, peer->role, now_ms, wall_ms);
	} else if (msg->type == HUB_FACT &&
	           core_take(hub.core, peer->role, msg, now_ms, wall_ms, &slot) == 0 &&
	           core_fact(hub.core, (enum fact_id)msg->id, slot, &fact)) {
		tell_all(msg->id, &fact);
	}
}

static bool too_fast(struct peer_of_hub *peer)
{
	int64_t now_ms = clock_ms();

	if (now_ms - peer->second_ms >= 1000) {
		peer->second_ms = now_ms;
		peer->messages = 0;
	}
	return ++peer->messages > RATE;
}

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	struct peer_of_hub *peer = arg;
	struct msg msg;

	(void)fd;
	(void)what;
	for (int i = 0; i < MESSAGES && peer->fd >= 0; i++) {
		int rc = hub_recv(peer->fd, &msg);

		if (rc == -EAGAIN)
			break;
		if (rc == -EBADMSG) {
			hub.core->counters.bad_messages++;
			end(peer, "a malformed message");
		} else if (rc < 0) {
			end(peer, NULL);
		} else if (too_fast(peer)) {
			end(peer, "sends too many messages");
		} else {
			take(peer, &msg);
		}
	}
	hub.moved();
}

static bool has_role(const struct peer_of_hub *peer)
{
	return peer->role < ROLE_CTL;
}

/* A free place. A user with as many connections as it may hold loses the oldest of them, those of
 * finders last; hence no user can hold all places. */
static struct peer_of_hub *place_for(uid_t uid)
{
	struct peer_of_hub *spare = NULL, *oldest = NULL;
	int held = 0;

	for (int i = 0; i < PEERS; i++) {
		struct peer_of_hub *peer = &hub.peer[i];

		if (peer->fd < 0) {
			spare = peer;
		} else if (peer->uid == uid) {
			held++;
			if (!oldest || has_role(peer) < has_role(oldest) ||
			    (has_role(peer) == has_role(oldest) &&
			     peer->since_ms < oldest->since_ms))
				oldest = peer;
		}
	}
	if (oldest && (!spare || held >= (uid == 0 ? PER_ROOT : PER_USER))) {
		end(oldest, "too many connections of this user");
		return oldest;
	}
	return spare;
}

static struct ucred credentials_of(int fd)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred)
		cred.uid = (uid_t)-1;
	return cred;
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct peer_of_hub *peer;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred cred;

	(void)what;
	(void)arg;
	if (fd < 0)
		return;
	cred = credentials_of(fd);
	peer = place_for(cred.uid);
	if (!peer) {
		close(fd);
		return;
	}
	peer->fd = fd;
	peer->uid = cred.uid;
	peer->pid = cred.pid;
	peer->role = ROLE_MAX;
	peer->wants = 0;
	peer->since_ms = peer->second_ms = clock_ms();
	peer->messages = 0;
	event_assign(&peer->event, hub.base, fd, EV_READ | EV_PERSIST, on_message, peer);
	if (event_add(&peer->event, NULL) < 0)
		end(peer, NULL);
}

int hub_init(struct event_base *base, int listen_fd, const struct hub_users *users,
             struct core *core, void (*moved)(void))
{
	hub.base = base;
	hub.users = *users;
	hub.core = core;
	hub.moved = moved;
	for (int i = 0; i < PEERS; i++)
		hub.peer[i].fd = -1;
	event_assign(&hub.accept_event, base, listen_fd, EV_READ | EV_PERSIST, on_accept, NULL);
	return listen_fd >= 0 && event_add(&hub.accept_event, NULL) < 0 ? -ENOMEM : 0;
}

void hub_stop(void)
{
	event_del(&hub.accept_event);
	for (int i = 0; i < PEERS; i++) {
		if (hub.peer[i].fd >= 0)
			end(&hub.peer[i], NULL);
	}
}
