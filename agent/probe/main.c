/*
 * wna-probe SLOT: asks the mounted file system for one sign of life. Run by
 * wnad as user wna-probe without capabilities, one at a time. May sleep in NFS
 * for ever, killable: that is what it is for. Owns nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mountinfo.h"
#include "sign.h"
#include "worker.h"

enum { GRACE_S = 5 };

/*
 * Should wnad be gone or stopped: the alarm's default action is fatal, so it
 * ends even a sleep in the kernel that only SIGKILL ends otherwise.
 */
static void limit_life(int64_t timeout_ms)
{
	alarm((unsigned)((timeout_ms + 999) / 1000) + GRACE_S);
}

/* 1 and *ret filled if something is mounted on the path, 0 if not, -errno. */
static int look(const char *path, struct mountinfo *ret)
{
	char *text = NULL;
	size_t len = 0;
	int rc = mountinfo_read("/proc/self/mountinfo", &text, &len);

	if (rc == 0)
		rc = mountinfo_topmost(text, len, path, ret);
	free(text);
	return rc;
}

int main(int argc, char **argv)
{
	char mark[LIMIT_FACT_TEXT], why[LIMIT_FACT_WHY] = "";
	const struct conf_mount *conf;
	struct mountinfo there = { 0 };
	struct worker worker;
	int64_t start, took, other = -1;
	int rc;

	worker_init(&worker, ROLE_PROBE, argc, argv);
	conf = &worker.conf->mount;
	if (!conf->enabled)
		return 0;
	limit_life(conf->probe_timeout_ms);

	rc = look(conf->path, &there);
	if (rc == -EBADMSG) {
		/* Something is there, and it is not what wna-mount could read. */
		snprintf(why, sizeof why, "a line of mountinfo about this path cannot be read");
		worker_fact(&worker, FACT_PROBE_ID, 0, -1, "unreadable", why);
		worker_fact(&worker, FACT_PROBE, 0, rc, "", why);
		return 0;
	}
	if (rc < 0) {
		log_error("probe: mountinfo: %s", strerror(-rc));
		return 1;
	}
	if (rc == 0) {
		worker_fact(&worker, FACT_PROBE_ID, 0, 0, "", "");
		worker_fact(&worker, FACT_PROBE, 0, -ENODEV, "", "nothing is mounted");
		return 0;
	}
	/* Known whether the file system answers or not, so it is told first. */
	worker_fact(&worker, FACT_PROBE_ID, 0, there.id, mountinfo_mark(&there, mark, sizeof mark),
	            "");

	start = clock_us();
	rc = sign_of_life(conf->path, conf->probe_file, there.id, &other, why, sizeof why);
	took = clock_us() - start;
	if (other >= 0)
		worker_fact(&worker, FACT_PROBE_ID, 0, other, "another mount", why);
	worker_fact(&worker, FACT_PROBE, 0, rc < 0 ? rc : took, "", why);
	return 0;
}
