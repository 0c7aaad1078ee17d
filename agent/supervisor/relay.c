/* wnad; never blocks. Owns nothing: the sockets belong to the children. */
#include "relay.h"

#include <errno.h>
#include <sys/socket.h>

#include "children.h"
#include "log.h"

/* Per turn and child, so that a worker that floods us starves nobody. */
enum { MESSAGES_PER_TURN = 64 };

static int receive(int fd, void *data, size_t size)
{
	ssize_t n;

	do {
		n = recv(fd, data, size, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -EPIPE;
	if (n == 0)
		return -EPIPE;
	return n == (ssize_t)size ? 0 : -EBADMSG;
}

/* To the core in charge, and to one that is about to take over. When wnad stops, the
 * core's answer is the one it had: that its workers go is no news about the node. */
static void to_cores(struct supervisor *sv, const struct envelope *envelope)
{
	if (sv->stopping)
		return;
	for (unsigned slot = 0; slot < ROLE_SLOTS_MAX; slot++) {
		const struct child *core = &sv->children[ROLE_CORE][slot];

		if (core->fd >= 0 &&
		    send(core->fd, envelope, sizeof *envelope, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			sv->relay_dropped++;
	}
}

void relay_own(struct supervisor *sv, const struct msg *msg)
{
	struct envelope envelope = { .role = ROLE_WNAD, .msg = *msg };

	to_cores(sv, &envelope);
}

static void tell(struct child *child, const struct msg *msg)
{
	if (child->fd >= 0 && msg_send(child->fd, msg) < 0)
		log_debug("%s: took no message", role_name(child->role));
}

static void send_tell(struct child *child, unsigned key, int64_t value)
{
	struct msg msg = { .type = MSG_TELL, .id = (uint16_t)key, .value = value };

	tell(child, &msg);
}

void relay_tells(struct supervisor *sv, struct child *child)
{
	for (unsigned key = 0; key < TELL_MAX; key++) {
		if (sv->told[child->role][key].is_set)
			send_tell(child, key, sv->told[child->role][key].value);
	}
}

/* Asks all resident workers to send their facts again. */
static void relay_refresh(struct supervisor *sv)
{
	struct msg msg = { .type = MSG_REFRESH };

	for (enum role role = 0; role < ROLE_MAX; role++) {
		const struct role_info *info = role_info(role);

		if (info && info->resident && role != ROLE_CORE)
			tell(&sv->children[role][0], &msg);
	}
}

static void order_tell(struct supervisor *sv, const struct order *order)
{
	const struct role_info *info = role_info((enum role)order->arg);

	if (!info || !info->resident || order->arg == ROLE_CORE || order->key == 0 ||
	    order->key >= TELL_MAX) {
		log_debug("core: told a role or key that does not exist");
		return;
	}
	sv->told[order->arg][order->key] = (struct told){ true, order->value };
	send_tell(&sv->children[order->arg][0], order->key, order->value);
}

/* A core that starts, or is about to take over, cannot know what had its hook. One
 * that ordered the last one can: wna-rds may have begun to count anew meanwhile. */
static void order_hook(struct supervisor *sv, const struct order *order, int64_t now)
{
	pid_t core = sv->children[ROLE_CORE][sv->core].pid;

	if (order->value != 0 && order->value == sv->hooked && core != sv->hooked_by) {
		log_debug("hook: ordered again for change %lld", (long long)order->value);
		return;
	}
	sv->hooked = order->value;
	sv->hooked_by = core;
	children_order(sv, ROLE_HOOK, order->arg, now);
}

static void obey(struct supervisor *sv, const struct order *order, int64_t now)
{
	switch ((enum order_verb)order->verb) {
	case ORDER_MOUNT: children_order(sv, ROLE_MOUNT, order->arg, now); break;
	case ORDER_PROBE: children_order(sv, ROLE_PROBE, order->arg, now); break;
	case ORDER_HOOK: order_hook(sv, order, now); break;
	case ORDER_TELL: order_tell(sv, order); break;
	case ORDER_REFRESH: relay_refresh(sv); break;
	case ORDER_RELOAD: sv->reload_wanted = true; break;
	case ORDER_VERDICT:
		sv->healthz = order->arg;
		sv->readyz = order->key;
		sv->inherited = order->value == 0;
		report_note(sv);
		break;
	case ORDER_BEAT:
	case ORDER_VERB_MAX: break;
	}
}

void relay_early(struct child *core, int64_t now)
{
	for (unsigned i = 0; i < core->early_count; i++)
		obey(core->sv, &core->early[i], now);
	core->early_count = 0;
}

static void take_order(struct child *core, const struct order *order, int64_t now)
{
	struct supervisor *sv = core->sv;

	if (order->verb == ORDER_BEAT)
		ladder_alive(&core->ladder, now);
	if (sv->stopping)
		return;
	if (order->verb == ORDER_BEAT) {
		if (!core->beaten)
			children_core_beats(sv, core, now);
	} else if (core->slot == sv->core) {
		obey(sv, order, now);
	} else if (!core->beaten && core->early_count < CHILD_EARLY_MAX) {
		/* About to take over. One that has been replaced has no say. */
		core->early[core->early_count++] = *order;
	}
}

static int from_core(struct child *core, int64_t now)
{
	struct order order;
	int rc = order_recv(core->fd, &order);

	if (rc == 0)
		take_order(core, &order, now);
	return rc;
}

static int from_worker(struct child *child, int64_t now)
{
	struct envelope envelope = { .role = (uint16_t)child->role, .slot = (uint16_t)child->slot };
	int rc = receive(child->fd, &envelope.msg, sizeof envelope.msg);

	if (rc == -EAGAIN || rc == -EPIPE)
		return rc;
	ladder_alive(&child->ladder, now);
	if (rc == 0 && envelope.msg.type != MSG_ALIVE)
		to_cores(child->sv, &envelope);
	return rc;
}

void relay_receive(struct child *child, int64_t now)
{
	for (int i = 0; i < MESSAGES_PER_TURN && child->fd >= 0; i++) {
		int rc = child->role == ROLE_CORE ? from_core(child, now) : from_worker(child, now);

		if (rc == -EAGAIN)
			return;
		if (rc == -EBADMSG) {
			log_debug("%s: sent a malformed datagram", role_name(child->role));
		} else if (rc < 0) {
			/* Usually it is ending; if not, it can be of no more use. */
			child_close(child);
			ladder_fail(&child->ladder, now + CHILD_FAREWELL_MS);
			return;
		}
	}
}
