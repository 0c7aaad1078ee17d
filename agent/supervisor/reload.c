/*
 * wnad, on SIGHUP or the core's order. Reads local files only; what is not
 * understood or not possible changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "clock.h"
#include "conf_load.h"
#include "listener.h"
#include "log.h"
#include "rundir.h"
#include "str.h"
#include "supervisor.h"

/* All that a new configuration brings with it, until it is sure to be taken. */
struct change {
	struct conf conf;
	struct users users;
	int conf_fd;
	int listen_fd; /* -1: the address is the same */
	bool back;     /* it is the one that was retired last, not a new one */
	unsigned parts;
};

/* What `wnactl check` looks at, but the insides of certificates; the users only if their
 * part changed. */
static bool read_conf(const struct supervisor *sv, struct change *change, char *why, size_t size)
{
	struct conf_draft *draft = conf_read(sv->options.conf_file);
	struct sb sb;
	bool good;

	if (!draft) {
		str_copy(why, size, "out of memory");
		return false;
	}
	conf_check_machine(draft, "/proc/self/mountinfo", NULL);
	change->conf = draft->conf;
	if (sv->options.debug)
		change->conf.agent.log_level = LOG_LEVEL_DEBUG;
	change->parts = conf_changed_parts(&sv->conf, &change->conf);
	if (change->parts & PART_HOOKS)
		conf_check_users(draft);
	good = draft->problems.count == 0;
	sb_init(&sb, why, size);
	if (draft->problems.count > 1)
		sb_printf(&sb, "%d problems, the first: ", draft->problems.count);
	sb_put(&sb, draft->problems.item[0].text);
	conf_draft_free(draft);
	return good;
}

static bool prepare(const struct supervisor *sv, struct change *change, char *why, size_t size)
{
	char missing[LIMIT_NAME] = "", address[NET_ADDR_TEXT];
	int rc;

	if (!read_conf(sv, change, why, size))
		return false;
	if (change->parts & PART_HOOKS) {
		rc = users_load(&change->conf, &change->users, missing);
		if (rc < 0) {
			snprintf(why, size, "hooks.user: user %s: %s", missing, strerror(-rc));
			return false;
		}
	}
	/* First of all what may fail: a new address that cannot be bound. */
	if (!listener_fits(sv->listen_fd, &change->conf.health.listen)) {
		/* Back before anybody took over at the other address: ours still. */
		change->back = sv->retired_fd >= 0 &&
		               listener_fits(sv->retired_fd, &change->conf.health.listen);
		change->listen_fd =
		        change->back ? sv->retired_fd
		                     : listener_bind(&change->conf.health.listen, sv->listen_fd);
		if (change->listen_fd < 0) {
			net_endpoint_text(&change->conf.health.listen, address, sizeof address);
			snprintf(why, size, "health.listen: cannot listen on %s: %s", address,
			         strerror(-change->listen_fd));
			return false;
		}
	}
	change->conf_fd = conf_to_memfd(&change->conf);
	if (change->conf_fd < 0) {
		snprintf(why, size, "cannot pass it on: %s", strerror(-change->conf_fd));
		return false;
	}
	return true;
}

static void commit(struct supervisor *sv, const struct change *change, int64_t now)
{
	sv->conf = change->conf;
	sv->users = change->users;
	sv->hooks_why[0] = '\0';
	close(sv->conf_fd);
	sv->conf_fd = change->conf_fd;
	if (change->listen_fd >= 0) {
		/* A second change before anybody took over: the one between was never used. */
		if (change->back)
			sv->retired_fd = -1;
		if (change->back || sv->retired_fd >= 0)
			listener_retire(&sv->listen_fd);
		else
			sv->retired_fd = sv->listen_fd;
		sv->listen_fd = change->listen_fd;
		sv->store_stale = true;
		sv->stored = false;
	}
	log_init("wnad", (enum log_level)sv->conf.agent.log_level);
	sv->conf_loads++;
	children_apply(sv, change->parts, now);
}

/* What could not be had at the start, or has been taken away since. */
static unsigned look_again(struct supervisor *sv)
{
	int rc = rundir_make(&sv->users, supervisor_lacks);

	if (rc < 0)
		supervisor_lacks(CONF_RUN_DIR, rc);
	if (sv->control_fd >= 0 || !supervisor_control(sv))
		return 0;
	return PART_HEALTH; /* the core's */
}

void reload(struct supervisor *sv, int64_t now)
{
	struct change change = { .users = sv->users, .conf_fd = -1, .listen_fd = -1 };
	char why[LIMIT_FACT_WHY] = "", reloading[64];

	snprintf(reloading, sizeof reloading, "RELOADING=1\nMONOTONIC_USEC=%lld",
	         (long long)clock_us());
	if (sv->ready && notify_send(&sv->notify, reloading, -1) == 0)
		sv->reload_unsaid = true;
	if (prepare(sv, &change, why, sizeof why)) {
		log_info("agent: took the new configuration%s",
		         change.parts ? "" : ", which says what the old one said");
		change.parts |= look_again(sv);
		commit(sv, &change, now);
	} else {
		if (change.listen_fd >= 0 && !change.back)
			close(change.listen_fd);
		log_error("agent: kept the old configuration: %s", why);
	}
	sv->conf_tries++;
	str_copy(sv->conf_why, sizeof sv->conf_why, why);
	report_again(sv);
}
