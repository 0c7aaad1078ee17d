/* Run by wna-mount as root; never blocks. Owns the child that tries connections, and a proxy that
 * was started here. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mountinfo.h"
#include "str.h"

#define COPIES MOUNT_NOTES "/proxy"

enum {
	NFS_PORT = 2049,
	ZONES = 6,               /* "a" to "f" */
	NOTE_MS = 3000,          /* between two looks at the process in the state file */
	COPY_MS = 5 * 60 * 1000, /* efs-utils renews certificates each hour */
};

/* An entry of the journal about the proxy, with the mount, its port and the cause. */
static void tell(const struct mend *mend, const char *event, pid_t pid, const char *text)
{
	enum { WARNING = 4 /* syslog(3) */ };
	char fields[1024], number[24];
	struct sb sb;

	sb_init(&sb, fields, sizeof fields);
	log_field(&sb, "MESSAGE_ID", JOURNAL_MOUNT_ID);
	log_field(&sb, "WNA_EVENT", event);
	log_field(&sb, "WNA_MOUNT", mend->conf->path);
	snprintf(number, sizeof number, "%u", mend->keeper->look.port);
	log_field(&sb, "WNA_PORT", number);
	if (pid > 0) {
		snprintf(number, sizeof number, "%d", pid);
		log_field(&sb, "WNA_PID", number);
		log_field(&sb, "WNA_CAUSE", service_cause_name(mend->keeper->heal.cause));
	}
	log_entry(WARNING, text, &sb);
}

void mend_say(struct mend *mend, const struct worker *worker)
{
	char text[LIMIT_FACT_TEXT + LIMIT_PATH + 64];
	enum service_state state;
	struct msg msg;

	keeper_report_service(mend->keeper, &msg);
	state = (enum service_state)msg.value;
	worker_say(worker, &msg);
	if (strcmp(mend->told, msg.text) != 0) {
		snprintf(text, sizeof text, "mount: %s: %s", mend->conf->path, msg.text);
		tell(mend, "mount-repair", 0, text);
	}
	str_copy(mend->told, sizeof mend->told, msg.text);
	if (state != mend->said && (state >= SERVICE_SLOW || mend->said >= SERVICE_SLOW))
		log_info("mount: %s: %s%s%s", mend->conf->path, service_state_name(state),
		         msg.why[0] ? ", " : "", msg.why);
	mend->said = state;
}

static struct proxy *proxy_of(struct mend *mend)
{
	mend->proxy.file_system = mend->target->file_system;
	mend->proxy.path = mend->conf->path;
	mend->proxy.port = mend->keeper->look.port;
	return &mend->proxy;
}

/* Of a right mount the state file is there, and not marked for its end. */
static void keep_copies(struct mend *mend, int64_t now_ms)
{
	const struct keeper_look *look = &mend->keeper->look;
	int rc;

	if (look->port == 0 || look->state != MOUNT_RIGHT ||
	    (mend->copy_serial == mend->keeper->serial && now_ms < mend->copy_ms))
		return;
	rc = copy_keep(proxy_of(mend), look->mark, COPIES);
	if (rc < 0)
		log_debug("mount: the files of the proxy on port %u could not be copied: %s",
		          look->port, strerror(-rc));
	mend->copy_serial = mend->keeper->serial;
	mend->copy_ms = now_ms + COPY_MS;
}

void mend_restore(struct mend *mend)
{
	const struct keeper_look *look = &mend->keeper->look;
	char text[LIMIT_PATH + 128];
	int rc;

	if (look->port == 0)
		return;
	rc = copy_restore(proxy_of(mend), look->mark, COPIES);
	if (rc < 0 && rc != -EEXIST && rc != -ENOENT)
		log_debug("mount: the files of the proxy on port %u could not be put back: %s",
		          look->port, strerror(-rc));
	if (rc < 0)
		return;
	snprintf(text, sizeof text, "mount: %s: the files of the proxy on port %u were put back",
	         mend->conf->path, look->port);
	tell(mend, "proxy-files-restored", 0, text);
}

static void note_proxy(struct mend *mend, uint64_t listener, bool full, int64_t now_ms)
{
	struct proxy *proxy = proxy_of(mend);

	if (listener == 0 || now_ms < mend->note_ms || (!full && proxy->started != proxy->port))
		return;
	mend->note_ms = now_ms + NOTE_MS;
	if (proxy_note(proxy, listener) > 0)
		log_info("mount: the state file of port %u has process %d now", proxy->port,
		         proxy->owner);
}

void mend_read(struct mend *mend, int64_t now_ms)
{
	const struct keeper *keeper = mend->keeper;
	const struct keeper_look *look = &keeper->look;
	bool full = keeper->heal.full;
	bool waits = keeper->asked && keeper->asked_ms <= now_ms - HEAL_PENDING_MS;
	struct watch watch = { mend->conf->path, look->server, look->port, waits };
	struct heal_reading reading = { 0 };

	/* The tables are about NFS only. */
	if (look->server.family != 0)
		watch_read(&watch, full, &reading);
	note_proxy(mend, reading.listener, full, now_ms);
	keep_copies(mend, now_ms);
	keeper_read(mend->keeper, &reading, now_ms);
}

/* The name of a mount target in another zone: "ZONE.FS.efs.REGION.DOMAIN". ZONE is the region and a
 * letter. DNS has the name only if that zone has a mount target. Empty: not known. */
static void name_other(struct mend *mend, char *ret, size_t size)
{
	const char *host = mend->target->host, *region = strstr(host, ".efs.");
	struct sb name;

	ret[0] = '\0';
	if (!mend->target->by_tunnel || strncmp(host, "fs-", 3) != 0 || !region)
		return;
	region += strlen(".efs.");
	if (mend->other.family == 0)
		mend->zone = (mend->zone + 1) % ZONES;
	sb_init(&name, ret, size);
	sb_printf(&name, "%.*s%c.%s", (int)strcspn(region, "."), region, 'a' + (int)mend->zone,
	          host);
	if (name.cut)
		ret[0] = '\0';
}

/* Each question has a process of its own: name servers may be silent as well. */
void mend_reach(struct mend *mend, int64_t now_ms)
{
	struct probe_question question = { .limit_ms = PROBE_REACH_MS + KEEPER_NAMES_MS,
		                           .reach_port = NFS_PORT };
	const struct keeper_look *look = &mend->keeper->look;
	char why[LIMIT_FACT_WHY];
	int rc = 0;

	mend->known = false;
	mend->reach_ms = now_ms + question.limit_ms;
	str_copy(question.contract, sizeof question.contract, hub_contract);
	net_addr_text(&look->server, question.host, sizeof question.host);
	if (look->port != 0) {
		name_other(mend, question.other, sizeof question.other);
		rc = proxy_target(proxy_of(mend), question.host, sizeof question.host,
		                  &question.reach_port, why, sizeof why);
	}
	if (rc < 0)
		log_debug("mount: the proxy's mount target is not known: %s", why);
	else if (look->port == 0 && net_addr_is_loopback(&look->server))
		log_debug("mount: the proxy of the mount is not known");
	else if (probe_start(&mend->reach) == 0 && probe_ask(&mend->reach, &question) < 0)
		probe_kill(&mend->reach);
}

/* A proxy reads its configuration once, at its start. Later ones go to the own target again, also if
 * the redirect was of an earlier keeper. */
static void come_home(struct mend *mend)
{
	char host[LIMIT_HOST], why[LIMIT_FACT_WHY];
	struct proxy *proxy = proxy_of(mend);
	uint16_t port;
	int rc;

	if (mend->home.host[0] == '\0' || proxy->port == 0 ||
	    mend->keeper->heal.step == HEAL_SPAWNING || mend->keeper->heal.step == HEAL_STARTING)
		return;
	rc = proxy_target(proxy, host, sizeof host, &port, why, sizeof why);
	/* A later mount has a configuration of its own. */
	if (rc == 0 && strcmp(host, mend->home.away) == 0)
		rc = proxy_redirect(proxy, mend->home.host, why, sizeof why);
	if (rc < 0)
		log_warning("mount: %s cannot be put back as the mount target: %s", mend->home.host,
		            why);
	home_forget(MOUNT_NOTES, &mend->home);
}

/* The probe has no rights, and may have been taken over: its word alone moves no mount. */
static void take_other(struct mend *mend, const struct net_addr *addr)
{
	bool usable = proxy_may_use(addr) && proxy_verifies(proxy_of(mend));

	mend->other = usable ? *addr : (struct net_addr){ 0 };
}

void mend_check(struct mend *mend, int64_t now_ms)
{
	struct probe_answer answer;
	int status, rc;

	proxy_reap(&mend->proxy);
	come_home(mend);
	if (!mend->keeper->heal.asking)
		return;
	if (mend->reach.pid != 0) {
		rc = probe_answered(&mend->reach, &answer);
		/* A host without addresses was not tried: its name servers may be silent. */
		if (rc > 0 && answer.names && answer.value > 0) {
			mend->known = true;
			mend->reached = answer.count > 0;
			take_other(mend, &answer.other);
		}
		if (rc != 0 || now_ms >= mend->reach_ms)
			probe_kill(&mend->reach);
		if (!probe_gone(&mend->reach, &status))
			return;
	}
	if (mend->known) {
		keeper_reached(mend->keeper, mend->reached, mend->other.family != 0, now_ms);
	} else {
		mend->other = (struct net_addr){ 0 };
		keeper_unreached(mend->keeper, now_ms);
	}
}

/* The proxy that is started next goes to the other target. */
static int go_away(struct mend *mend, char *ret_why, size_t why_size)
{
	struct proxy *proxy = proxy_of(mend);
	struct home *home = &mend->home;
	uint16_t port;
	int rc = proxy_target(proxy, home->host, sizeof home->host, &port, ret_why, why_size);

	net_addr_text(&mend->other, home->away, sizeof home->away);
	if (rc == 0) {
		rc = home_note(MOUNT_NOTES, home);
		if (rc < 0)
			snprintf(ret_why, why_size, MOUNT_NOTES ": %s", strerror(-rc));
	}
	if (rc == 0)
		rc = proxy_redirect(proxy, home->away, ret_why, why_size);
	if (rc < 0)
		home_forget(MOUNT_NOTES, home);
	else
		log_warning("mount: %s is silent, the next proxy goes to %s", home->host,
		            home->away);
	return rc;
}

void mend_asked(struct mend *mend, int64_t now_ms)
{
	const char *why = keeper_repair(mend->keeper, now_ms);
	char text[LIMIT_FACT_TEXT], at[32];

	log_info("mount: %s: a repair is asked for", mend->conf->path);
	if (!why)
		return;
	/* Each refusal has a text of its own: wnactl waits for the next one. */
	snprintf(text, sizeof text, "repair refused at %s: %s",
	         clock_iso8601(clock_wall_ms(), at, sizeof at), why);
	keeper_tell(mend->keeper, text);
}

void mend_proxy(struct mend *mend, enum keeper_act what, int64_t now_ms)
{
	struct proxy *proxy = proxy_of(mend);
	const char *done = what == KEEPER_PROXY_START ? "started" : "ended";
	char why[LIMIT_FACT_WHY], text[LIMIT_FACT_TEXT + LIMIT_PATH + 64];
	pid_t pid = 0;
	int rc;

	mend_restore(mend);
	rc = what == KEEPER_PROXY_AWAY ? go_away(mend, why, sizeof why) : 0;
	if (rc == 0)
		rc = what == KEEPER_PROXY_START ? proxy_start(proxy, why, sizeof why)
		                                : proxy_kill(proxy, &pid, why, sizeof why);
	if (rc < 0) {
		log_warning("mount: the proxy on port %u could not be %s: %s", proxy->port, done,
		            why);
		keeper_failed(mend->keeper, why, now_ms);
	} else {
		pid = what == KEEPER_PROXY_START ? proxy->pid : pid;
		snprintf(text, sizeof text,
		         "mount: %s: the proxy on port %u, process %d, was %s, %s", proxy->path,
		         proxy->port, pid, done, service_cause_name(mend->keeper->heal.cause));
		tell(mend, what == KEEPER_PROXY_START ? "proxy-started" : "proxy-ended", pid, text);
	}
}

static int shut_down(unsigned major, unsigned minor)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof path, "/sys/fs/nfs/%u:%u/shutdown", major, minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write(fd, "1", 1) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* The kernel ends all requests of the mount with EIO, for good, and a later mount shares nothing with
 * it: without this, the later mount would wait for the dead connection of the earlier one. -ENOENT:
 * this kernel cannot do it; -ESTALE: another mount is there than the one that was found to hang.
 * Source: Linux 6.5, fs/nfs/sysfs.c, shutdown_store(). */
static int give_up(const struct keeper *keeper, const char *path)
{
	char *text = NULL, mark[sizeof keeper->look.mark];
	struct mountinfo there;
	size_t len;
	int rc = mountinfo_read("/proc/self/mountinfo", &text, &len);

	if (rc == 0 && (mountinfo_topmost(text, len, path, &there) != 1 ||
	                !keeper_knows(keeper, there.id, mountinfo_mark(&there, mark, sizeof mark))))
		rc = -ESTALE;
	if (rc == 0)
		rc = shut_down(there.major, there.minor);
	if (rc == 0 && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		rc = -errno;
	free(text);
	return rc;
}

void mend_give_up(struct mend *mend)
{
	char text[LIMIT_PATH + 128];
	int rc = give_up(mend->keeper, mend->conf->path);

	if (rc == -ENOENT) {
		keeper_given_up(mend->keeper, "Linux can do it since 6.5 only");
	} else if (rc < 0) {
		keeper_given_up(mend->keeper,
		                rc == -ESTALE ? "another mount is there now" : strerror(-rc));
	} else {
		keeper_given_up(mend->keeper, "open files have failed for good");
		snprintf(text, sizeof text, "mount: %s: given up, to be mounted anew",
		         mend->conf->path);
		tell(mend, "mount-given-up", 0, text);
	}
}
