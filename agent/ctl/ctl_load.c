/* Run by wnactl as root. Blocks on local files and on systemd. Owns nothing beyond a call. */
#include "ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "snapshot.h"
#include "str.h"

#define UNIT "web-node-agent"

/* What systemd says of the units; empty: it does not say. */
struct units {
	char listen[256]; /* of the socket of health checks */
	char user[256];   /* of the hooks */
};

static void ask_systemd(struct units *ret)
{
	FILE *answer = popen("systemctl show --property=Listen,User " UNIT "-health.socket " UNIT
	                     "-hooks.service 2>/dev/null",
	                     "re");
	char line[256];

	memset(ret, 0, sizeof *ret);
	while (answer && fgets(line, sizeof line, answer)) {
		/* A drop-in without an empty ListenStream= has two; the core answers on the first. */
		if (strncmp(line, "Listen=", 7) == 0 && !ret->listen[0])
			str_copy(ret->listen, sizeof ret->listen, str_trim(line + 7));
		/* Both units have this property; that of the hooks comes last. */
		if (strncmp(line, "User=", 5) == 0)
			str_copy(ret->user, sizeof ret->user, str_trim(line + 5));
	}
	if (answer)
		pclose(answer);
}

/* The port belongs to the socket unit, and the key only says what is expected. */
static void compare_listener(const struct ctl *ctl, const struct conf *conf, const char *is)
{
	char want[NET_ADDR_TEXT], all[NET_ADDR_TEXT];
	const struct net_endpoint *listen = &conf->health.listen;
	struct net_endpoint any = { .addr = { .family = AF_INET6 }, .port = listen->port };

	net_endpoint_text(listen, want, sizeof want);
	net_endpoint_text(&any, all, sizeof all);
	if (!is[0] || strncmp(is, want, strlen(want)) == 0 ||
	    (strncmp(want, "0.0.0.0:", 8) == 0 && strncmp(is, all, strlen(all)) == 0))
		return;
	fprintf(ctl->err,
	        "health.listen: is %s, and systemd listens on %s. To make them agree:\n"
	        "  systemctl edit " UNIT "-health.socket\n"
	        "    [Socket]\n    ListenStream=\n    ListenStream=%s\n"
	        "  systemctl stop " UNIT "; systemctl start " UNIT "\n",
	        want, is, want);
}

static void compare_hooks_user(const struct ctl *ctl, const struct conf *conf, const char *is)
{
	if (!conf->hooks.enabled)
		return;
	if (!is[0])
		is = "root";
	if (strcmp(is, conf->hooks.user) == 0)
		return;
	fprintf(ctl->err,
	        "hooks.user: is %s, and the service runs as %s. To make them agree:\n"
	        "  systemctl edit " UNIT "-hooks.service\n    [Service]\n    User=%s\n"
	        "  systemctl restart " UNIT "-hooks\n",
	        conf->hooks.user, is, conf->hooks.user);
}

/* Whether the role's process must be restarted for the new configuration. The core cannot
 * read it after its start; the others read a new log level themselves. */
static bool is_other(const struct snapshot *old, const struct snapshot *now, enum role role)
{
	return !old || strcmp(old->why, now->why) != 0 ||
	       snapshot_differs(&old->conf, &now->conf, role) ||
	       (role == ROLE_CORE && old->conf.agent.log_level != now->conf.agent.log_level);
}

static int systemctl(const char *verb, const char *units)
{
	char command[640];

	if (!units[0])
		return 0;
	snprintf(command, sizeof command, "systemctl --no-block %s%s", verb, units);
	return system(command) == 0 ? 0 : -EIO;
}

/* Restarts the services whose part of the configuration changed. The others are reloaded: they
 * read the rest, and try again now what waits for a back-off; a service that is off starts. */
static int apply_units(const struct snapshot *old, const struct snapshot *now)
{
	char others[256], sames[256];
	struct sb other, same;
	int rc;

	sb_init(&other, others, sizeof others);
	sb_init(&same, sames, sizeof sames);
	for (enum role role = 0; role < ROLE_CTL; role++) {
		if (is_other(old, now, role))
			sb_printf(&other, " " UNIT "-%s.service", role_name(role));
		else if (role != ROLE_CORE && snapshot_wants(&now->conf, role))
			sb_printf(&same, " " UNIT "-%s.service", role_name(role));
	}
	rc = systemctl("restart", others);
	return rc < 0 ? rc : systemctl("reload-or-restart", sames);
}

/* Whether the problems forbid this load. */
static bool is_refused(struct conf_draft *draft, bool first)
{
	int files = draft->problems.count;

	conf_check_machine(draft, "/proc/self/mountinfo", ctl_certs_fault);
	return files > 0 || (!first && draft->problems.count > 0);
}

static int write_snapshot(const struct ctl *ctl, const char *path, struct snapshot *snapshot)
{
	int rc = snapshot_write(path, snapshot);

	if (rc < 0)
		fprintf(ctl->err, "wnactl: %s: %s\n", path, strerror(-rc));
	return rc < 0 ? CTL_NO : CTL_OK;
}

int ctl_load(const struct ctl *ctl, const char *file, bool apply)
{
	static struct snapshot now; /* large */
	struct conf_draft *draft = conf_read(file);
	const struct snapshot *old;
	struct units units;
	char path[LIMIT_PATH];
	int code = CTL_OK;
	bool refused;

	if (!draft) {
		fprintf(ctl->err, "wnactl: %s: %s\n", file, strerror(ENOMEM));
		return CTL_NO;
	}
	snprintf(path, sizeof path, "%.*s/config", LIMIT_PATH - 16, ctl->run_dir);
	old = snapshot_map(path);
	refused = is_refused(draft, !old || old->why[0]);
	conf_check_meaning(draft);
	ctl_tell_problems(ctl, draft);
	if (refused) {
		code = (int)draft->problems.item[0].error;
		str_copy(now.why, sizeof now.why, draft->problems.item[0].text);
		conf_defaults(&now.conf);
		if (!old || old->why[0])
			write_snapshot(ctl, path, &now);
		goto out;
	}
	now.conf = draft->conf;
	code = write_snapshot(ctl, path, &now);
	if (code != CTL_OK || access("/run/systemd/system", F_OK) < 0)
		goto out;
	ask_systemd(&units);
	compare_listener(ctl, &now.conf, units.listen);
	compare_hooks_user(ctl, &now.conf, units.user);
	if (apply && apply_units(old, &now) < 0) {
		fprintf(ctl->err, "wnactl: systemctl refused the reload\n");
		code = CTL_NO;
	}
out:
	snapshot_unmap(old);
	conf_draft_free(draft);
	return code;
}
