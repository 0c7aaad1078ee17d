/* wna-mount and the simulator; pure. What the keeper says about the mount and its service. */
#include "mount_keeper.h"
#include "str.h"

static void report_doing(const struct keeper *keeper, bool pending, int64_t *ret)
{
	enum mount_doing doing = MOUNT_IDLE;
	int64_t due_ms = keeper->probe_ms;

	if (keeper->attempt.state == KEEPER_STUCK) {
		doing = MOUNT_HELPER_STUCK;
		due_ms = keeper->attempt.due_ms;
	} else if (keeper->attempt.state != KEEPER_OFF && !keeper->guarding) {
		doing = MOUNT_MOUNTING;
		due_ms = 0;
	} else if (!keeper_ours(keeper) || pending) {
		doing = MOUNT_WAITING;
		due_ms = keeper_there(keeper) ? keeper->looked_ms + keeper_say_ms(keeper)
		                              : keeper->retry_ms;
	} else if (keeper->probe.state == KEEPER_STUCK) {
		doing = MOUNT_PROBE_STUCK;
		due_ms = keeper->probe.due_ms;
	} else if (keeper->asked) {
		doing = MOUNT_PROBING;
		due_ms = 0;
	}
	ret[MOUNT_DOING] = doing;
	ret[MOUNT_DUE_MS] = due_ms;
}

void keeper_report(const struct keeper *keeper, int64_t now_ms, struct msg *ret)
{
	bool pending = keeper->losing || keeper_pending(keeper, now_ms);
	struct msg msg = { .type = HUB_FACT, .id = FACT_MOUNT, .found_ms = now_ms };

	msg.value = pending ? MOUNT_ABSENT : keeper->look.state;
	msg.more[MOUNT_SIGN] = MOUNT_NOT_PROBED;
	if (msg.value == MOUNT_ABSENT) {
		str_copy(msg.why, sizeof msg.why, keeper->why);
	} else {
		bool bad = keeper->sign_why[0] != '\0';

		msg.more[MOUNT_SIGN] = keeper->sign;
		msg.more[MOUNT_SIGN_MS] = keeper->sign_ms;
		str_copy(msg.text, sizeof msg.text, keeper->look.text);
		str_copy(msg.why, sizeof msg.why, bad ? keeper->sign_why : keeper->look.why);
	}
	report_doing(keeper, pending, msg.more);
	*ret = msg;
}

static const char *explain(const struct keeper *keeper)
{
	if (keeper->heal.state == SERVICE_SLOW)
		return "a probe waits, but other requests are answered";
	switch (keeper->heal.cause) {
	case CAUSE_DEAD_PROXY: return "no process listens on the port of the proxy";
	case CAUSE_STUCK:
		return "the mount target accepts new connections, but does not acknowledge the "
		       "present one";
	case CAUSE_FROZEN_PROXY:
		return "the mount target accepts new connections, but the proxy forwards nothing";
	case CAUSE_STALLED: return "the server acknowledges requests, but answers none";
	case CAUSE_TARGET_DOWN:
		return keeper->heal.other
		               ? "the mount target accepts no connection, another one does"
		               : "the mount target accepts no connection";
	case CAUSE_UNKNOWN: return "no request is answered";
	default: return "";
	}
}

void keeper_report_service(const struct keeper *keeper, struct msg *ret)
{
	const struct heal *heal = &keeper->heal;
	int64_t due_ms = heal_due_ms(keeper);
	struct msg msg = { .type = HUB_FACT, .id = FACT_MOUNT_SERVICE, .value = heal->state };

	msg.more[SERVICE_CAUSE] = heal->cause;
	msg.more[SERVICE_TRIES] = heal->tries;
	msg.more[SERVICE_REPAIRS] = heal->repairs;
	msg.more[SERVICE_DUE_MS] = due_ms == INT64_MAX ? 0 : due_ms;
	str_copy(msg.text, sizeof msg.text, heal->told);
	str_copy(msg.why, sizeof msg.why, explain(keeper));
	*ret = msg;
}
