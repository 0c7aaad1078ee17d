/*
 * wna-mount SLOT: sees to it that the configured file system is mounted, once,
 * and reports. Run by wnad as root, one at a time. May block on DNS, on
 * libmount's helper and on the disk below the mount point; never looks at the
 * mount itself. Owns nothing that outlives it but the mount, its helper and the
 * immutable flag.
 *
 * wna-mount --release: takes that flag back everywhere. Run by wnad --purge.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "efs_state.h"
#include "former.h"
#include "guard.h"
#include "judge.h"
#include "log.h"
#include "place.h"
#include "region.h"
#include "str.h"
#include "words.h"
#include "worker.h"

#define EFS_HELPER "/sbin/mount.efs"

struct job {
	struct worker worker;
	const struct conf_mount *conf;
	struct target target;
};

static int resolve(void *arg, const char *host, struct net_addr *ret, size_t max, size_t *ret_count,
                   char *ret_why, size_t why_size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char why[LIMIT_FACT_WHY];
	size_t count = 0;
	int rc;

	(void)arg;
	snprintf(why, sizeof why, "no answer from DNS for %.100s", host);
	words_set(MOUNT_UNVERIFIED, why);
	rc = getaddrinfo(host, NULL, &hints, &list);
	if (rc != 0) {
		str_copy(ret_why, why_size, gai_strerror(rc));
		return -ENOENT;
	}
	for (const struct addrinfo *at = list; at && count < max; at = at->ai_next)
		net_addr_from_sockaddr(at->ai_addr, &ret[count++]);
	freeaddrinfo(list);
	*ret_count = count;
	return 0;
}

/* The file behind /dev/loopN; false if the mount is of no loop device. */
static bool backing_file(const struct mountinfo *there, char *ret, size_t size)
{
	char path[80], text[LIMIT_PATH];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/loop/backing_file", there->major,
	         there->minor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return str_copy(ret, size, str_trim(text));
}

static void report_guard(const struct job *job)
{
	struct guard guard;

	guard_set(job->conf->path, job->conf->guard, CONF_STATE_DIR, &guard);
	worker_fact(&job->worker, FACT_MOUNT_GUARD, 0, guard.immutable, "", guard.why);
	log_debug("mount: %s is %simmutable%s%s", job->conf->path, guard.immutable ? "" : "not ",
	          guard.why[0] ? ": " : "", guard.why);
}

/* `there`: the mount, if it is right. */
static void report(const struct job *job, enum mount_state state, const struct mountinfo *there,
                   const char *text, const char *why)
{
	char mark[LIMIT_FACT_TEXT];

	/* First: what is ended from here on has nothing else to say of the mount. */
	words_forget();
	/* Between the two the core must never see a right mount of id 0, which a
	 * probe that finds nothing would agree with. */
	if (state == MOUNT_RIGHT)
		worker_fact(&job->worker, FACT_MOUNT_ID, 0, there->id,
		            mountinfo_mark(there, mark, sizeof mark), "");
	worker_fact(&job->worker, FACT_MOUNT, 0, state, text, why);
	if (state != MOUNT_RIGHT)
		worker_fact(&job->worker, FACT_MOUNT_ID, 0, 0, "", "");
	/* The core logs changes of facts; an attempt that repeats is no news here. */
	log_debug("mount: %s: %s %s %s", job->conf->path, mount_state_name(state), text, why);
}

/* 1 and *ret filled if something is mounted on the path, 0 if not, -errno. */
static int look(const struct job *job, struct mountinfo *ret, char **ret_text, size_t *ret_len)
{
	int rc = mountinfo_read("/proc/self/mountinfo", ret_text, ret_len);

	if (rc < 0)
		return rc;
	return mountinfo_topmost(*ret_text, *ret_len, job->conf->path, ret);
}

/*
 * Looks, judges and reports if anything is there, or may be there. 1 reported
 * as right, 2 reported otherwise, 0 nothing is mounted, -errno.
 */
static int verify(const struct job *job, struct mountinfo *ret)
{
	struct judge_env env = { .state_dir = EFS_STATE_DIR,
		                 .idle_ms = job->conf->timeout_ms,
		                 .wall_ms = clock_wall_ms(),
		                 .resolve = resolve };
	char *text = NULL, backing[LIMIT_PATH];
	struct finding finding;
	size_t len = 0;
	int rc = look(job, ret, &text, &len);

	if (rc == 1) {
		env.mountinfo = text;
		env.mountinfo_len = len;
		if (backing_file(ret, backing, sizeof backing))
			env.backing = backing;
		judge(&job->target, job->conf->path, ret, &env, &finding);
		report(job, finding.state, ret, finding.text, finding.why);
		rc = finding.state == MOUNT_RIGHT ? 1 : 2;
	} else if (rc == -EBADMSG) {
		/* Unknown is not nothing: it must not be mounted over. */
		report(job, MOUNT_WRONG, NULL, "",
		       "a line of mountinfo about this path cannot be read");
		rc = 2;
	}
	free(text);
	return rc;
}

static void heard(void *arg, const char *line)
{
	const struct job *job = arg;
	char span[32], why[LIMIT_FACT_WHY];

	clock_span(job->conf->timeout_ms, span, sizeof span);
	snprintf(why, sizeof why, "ended by wnad; its limit is %s%s%.90s", span,
	         line[0] ? ": " : "", line);
	words_set(MOUNT_MISSING, why);
}

/*
 * Of a right mount: the helper sets it itself, or has been told in its
 * configuration not to. One that was found so may have been tuned by somebody.
 */
static void read_ahead(const struct job *job, const struct mountinfo *there, bool adopted)
{
	int kib;

	if (strncmp(job->target.type, "nfs", 3) != 0)
		return;
	kib = attach_read_ahead(there, adopted);
	if (kib < 0)
		log_warning("mount: read-ahead of %u:%u not set: %s", there->major, there->minor,
		            strerror(-kib));
	else if (kib > 0)
		log_debug("mount: read-ahead of %u:%u is %d KiB", there->major, there->minor, kib);
}

/* After a mount that has been seen to be right. */
static void settle(const struct job *job, const struct mountinfo *there, int64_t took_ms)
{
	char span[32], what[LIMIT_FACT_TEXT];

	log_info("mount: %s mounted on %s in %s", judge_describe(there, what, sizeof what),
	         job->conf->path, clock_span(took_ms, span, sizeof span));
	read_ahead(job, there, false);
}

/* Nothing is mounted: mounts, and looks again, whatever the helper said. */
static void mount_it(struct job *job)
{
	char why[LIMIT_FACT_WHY] = "";
	int64_t start = clock_ms();
	struct attach attached;
	struct mountinfo there;
	int rc;

	words_set(MOUNT_MISSING, "the directory of the mount did not answer");
	if (place_make(job->conf->path, why, sizeof why) < 0) {
		report(job, MOUNT_MISSING, NULL, "", why);
		return;
	}
	report_guard(job);
	if (job->target.blocked[0] != '\0') {
		report(job, MOUNT_MISSING, NULL, "", job->target.blocked);
		return;
	}
	rc = former_note(FORMER_FILE);
	if (rc < 0)
		log_warning("mount: " FORMER_FILE ": %s", strerror(-rc));
	heard(job, "");
	rc = attach(&job->target, job->conf->path, heard, job, &attached);
	former_forget(FORMER_FILE);
	if (rc < 0) {
		snprintf(why, sizeof why, "the mount could not be started: %s", strerror(-rc));
		report(job, MOUNT_MISSING, NULL, "", why);
		return;
	}
	rc = verify(job, &there);
	if (rc == 1) {
		settle(job, &there, clock_ms() - start);
	} else if (rc == 0) {
		if (attached.status == 0)
			snprintf(why, sizeof why,
			         "reported as success, but nothing is mounted%s%.100s",
			         attached.said[0] ? ": " : "", attached.said);
		else if (attached.said[0] != '\0')
			str_copy(why, sizeof why, attached.said);
		else
			snprintf(why, sizeof why, "the mount failed without a word, status %d",
			         attached.status);
		report(job, MOUNT_MISSING, NULL, "", why);
	}
}

static void waiting(void *arg, int pid)
{
	const struct job *job = arg;
	char why[LIMIT_FACT_WHY];

	snprintf(why, sizeof why, "the helper of an earlier start has not ended (process %d)", pid);
	words_set(MOUNT_MISSING, why);
	log_info("mount: %s: waits, %s", job->conf->path, why);
}

int main(int argc, char **argv)
{
	struct target_place place;
	struct mountinfo there;
	struct job job;
	int rc;

	if (argc == 2 && strcmp(argv[1], "--release") == 0) {
		log_init("wna-mount", LOG_LEVEL_INFO);
		return guard_release(CONF_STATE_DIR, NULL) < 0;
	}
	worker_init(&job.worker, ROLE_MOUNT, argc, argv);
	job.conf = &job.worker.conf->mount;
	if (!job.conf->enabled)
		return 0;
	umask(022);
	words_arm(&job.worker);
	region_find(job.conf, REGION_FILE, &place);
	target_make(job.conf, &place, access(EFS_HELPER, X_OK) == 0, &job.target);

	rc = verify(&job, &there);
	/* At once, for an attempt may take its time: a core that has just begun may be saying
	 * its predecessor's "healthy". */
	if (rc == 0)
		worker_fact(&job.worker, FACT_MOUNT, 0, MOUNT_ABSENT, "", "");
	if (rc == 0 && former_wait(FORMER_FILE, job.conf->timeout_ms, waiting, &job))
		rc = verify(&job, &there);
	/* Beneath what is not ours nothing is changed, not even the guard. */
	if (rc == 1) {
		report_guard(&job);
		read_ahead(&job, &there, true);
	} else if (rc == 0) {
		mount_it(&job);
	} else if (rc < 0) {
		log_error("mount: mountinfo: %s", strerror(-rc));
	}
	/* Of a path that was configured before. After all else, and without a word about the
	 * mount, be it that none was said: that path's disk may be away. */
	words_forget();
	guard_release(CONF_STATE_DIR, job.conf->path);
	return rc < 0;
}
