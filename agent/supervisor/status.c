/* wnad; pure. */
#include "status.h"

#include "str.h"
#include "verdict.h"

/* Only what is not as it always is: a resident that does not run, a one-shot that
 * does. Probes run every few seconds and are news only when they do not end. */
static bool is_news(enum role role, bool resident, enum child_state state)
{
	if (resident)
		return state != CHILD_RUNNING;
	if (role == ROLE_PROBE)
		return state == CHILD_STUCK;
	return state != CHILD_OFF;
}

char *status_text(const struct status *status, char *ret, size_t size)
{
	struct sb sb;

	sb_init(&sb, ret, size);
	if (status->stopping)
		sb_put(&sb, "stopping; ");
	if (status->healthz < 0 || status->readyz < 0)
		sb_put(&sb, "no verdict yet");
	else
		sb_printf(&sb, "healthz %s, readyz %s", verdict_level_name(status->healthz),
		          verdict_level_name(status->readyz));
	for (enum role role = 0; role < ROLE_MAX; role++) {
		enum child_state state = status->roles[role].state;

		if (status->stopping && state == CHILD_OFF)
			continue; /* as it shall be */
		if (status->roles[role].wanted &&
		    is_news(role, status->roles[role].resident, state))
			sb_printf(&sb, "; %s %s", role_name(role), child_state_name(state));
	}
	if (status->restarts)
		sb_printf(&sb, "; %u restart%s", status->restarts, status->restarts > 1 ? "s" : "");
	if (status->stuck)
		sb_printf(&sb, "; %u stuck", status->stuck);
	if (status->conf_why[0])
		sb_printf(&sb, "; new configuration refused: %s", status->conf_why);
	return ret;
}
