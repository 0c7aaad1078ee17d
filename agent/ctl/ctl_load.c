/* Run by wnactl as root. Blocks on local files and on systemd. Owns nothing beyond a call. */
#include "ctl_load.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf_load.h"
#include "ctl_certs.h"
#include "ctl_conf.h"
#include "log.h"
#include "snapshot.h"
#include "str.h"

#define UNIT "web-node-agent"

enum { UNITS_MOST = ROLE_MAX + 4 };

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

/* Runs a command to its end. */
static int run(char *const argv[])
{
	int status = -1, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* A property of a unit as systemctl shows it; empty if it cannot be had. Returns `ret`. */
static char *property(const char *unit, const char *name, char *ret, size_t size)
{
	char command[256];
	FILE *answer;

	ret[0] = '\0';
	snprintf(command, sizeof command, "systemctl show --property=%s --value %s 2>/dev/null",
	         name, unit);
	answer = popen(command, "re");
	if (answer && !fgets(ret, (int)size, answer))
		ret[0] = '\0';
	if (answer)
		pclose(answer);
	str_copy(ret, size, str_trim(ret));
	return ret;
}

/* The port belongs to the socket unit, and the key only says what is expected. */
static void compare_listener(const struct ctl *ctl, const struct conf *conf)
{
	char is[256], want[NET_ADDR_TEXT], all[NET_ADDR_TEXT];
	const struct net_endpoint *listen = &conf->health.listen;
	struct net_endpoint any = { .addr = { .family = AF_INET6 }, .port = listen->port };

	property(UNIT "-health.socket", "Listen", is, sizeof is);
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

static void compare_hooks_user(const struct ctl *ctl, const struct conf *conf)
{
	char is[256];

	if (!conf->hooks.enabled)
		return;
	property(UNIT "-hooks.service", "User", is, sizeof is);
	if (!is[0])
		str_copy(is, sizeof is, "root");
	if (strcmp(is, conf->hooks.user) == 0)
		return;
	fprintf(ctl->err,
	        "hooks.user: is %s, and the service runs as %s. To make them agree:\n"
	        "  systemctl edit " UNIT "-hooks.service\n    [Service]\n    User=%s\n"
	        "  systemctl restart " UNIT "-hooks\n",
	        conf->hooks.user, is, conf->hooks.user);
}

struct units {
	char names[ROLE_MAX][64];
	char *argv[UNITS_MOST];
	int count;
};

static void add_unit(struct units *units, enum role role)
{
	char *name = units->names[role];

	snprintf(name, sizeof units->names[role], UNIT "-%s.service", role_name(role));
	units->argv[3 + units->count++] = name;
}

static int systemctl(struct units *units, const char *verb)
{
	units->argv[0] = (char *)"systemctl";
	units->argv[1] = (char *)"--no-block";
	units->argv[2] = (char *)verb;
	return units->count > 0 ? run(units->argv) : 0;
}

/* Whether the role's process has to start anew for the new configuration. The core cannot
 * read it after its start; the others take a new log level up by themselves. */
static bool is_other(const struct snapshot *old, const struct snapshot *now, enum role role)
{
	return !old || strcmp(old->why, now->why) != 0 ||
	       snapshot_differs(&old->conf, &now->conf, role) ||
	       (role == ROLE_CORE && old->conf.agent.log_level != now->conf.agent.log_level);
}

/* Restarts the services whose configuration is another. The others look at it, and try
 * again now what waits for a back-off; one that is off starts. */
static int apply_units(const struct snapshot *old, const struct snapshot *now)
{
	struct units other = { .count = 0 }, same = { .count = 0 };
	int rc;

	for (enum role role = 0; role < ROLE_CTL; role++) {
		if (is_other(old, now, role))
			add_unit(&other, role);
		else if (role != ROLE_CORE && snapshot_wants(&now->conf, role))
			add_unit(&same, role);
	}
	rc = systemctl(&other, "restart");
	return rc < 0 ? rc : systemctl(&same, "reload-or-restart");
}

/* Whether the problems forbid this load. */
static bool is_refused(struct conf_draft *draft, bool first)
{
	int files = draft->problems.count;

	conf_check_machine(draft, "/proc/self/mountinfo", ctl_certs_fault);
	conf_check_users(draft);
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
	if (code != CTL_OK || !has_systemd())
		goto out;
	compare_listener(ctl, &now.conf);
	compare_hooks_user(ctl, &now.conf);
	if (apply && apply_units(old, &now) < 0) {
		fprintf(ctl->err, "wnactl: systemctl did not take the reload\n");
		code = CTL_NO;
	}
out:
	snapshot_unmap(old);
	conf_draft_free(draft);
	return code;
}
