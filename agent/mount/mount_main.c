/*
 * wna-mount, the keeper of the mount: it mounts the configured file system, once, repairs its
 * proxy, and reports.
 * It runs as root and never blocks: its children do, an attempt to mount and the probe
 * (mount.h). mount_keeper.h decides what to do. The mount, its helper and the immutable flag
 * outlive it.
 *
 * wna-mount --release: takes all immutable flags back, before the agent is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws_name.h"
#include "clock.h"
#include "file.h"
#include "log.h"
#include "mount.h"
#include "mount_keeper.h"
#include "mount_tidy.h"
#include "str.h"
#include "worker.h"

#define EFS_HELPER "/sbin/mount.efs"

enum {
	GROUP_MS = 200, /* between looks whether a group has ended */
};

struct room {
	struct worker worker;
	const struct conf_mount *conf;
	struct target_place found; /* in the metadata */
	bool domain_heard;         /* the domain is known, or that there is none */
	struct target target;
	struct keeper keeper;
	struct attempt attempt; /* may be the helper of an earlier keeper */
	struct probe probe;
	struct trend hour; /* of the time that a probe takes */
	struct mend mend;
	struct look_names names;
	enum mount_state state; /* last reported */
	struct guard guard;     /* last reported */
	int64_t mounting_ms;    /* since when an attempt mounts; 0: none does */
	struct tidy tidy;
};

static void make_target(struct room *room)
{
	const struct target_place unknown = { 0 };
	enum target_helper helper = HELPER_NONE;
	char script[32 * 1024];

	if (access(EFS_HELPER, X_OK) == 0) {
		file_load(AT_FDCWD, EFS_HELPER, FILE_OF_ROOT, script, sizeof script);
		helper = target_helper(script);
	}
	/* The domain comes after the region to which it belongs. */
	target_make(room->conf, room->domain_heard ? &room->found : &unknown, helper,
	            &room->target);
}

/* A reload; or region and domain, which must have their exact form, since they come from an
 * unprivileged process. */
static void hear(struct room *room, const struct msg *msg)
{
	struct target_place *found = &room->found;
	struct target before = room->target;

	if (msg->type == WORKER_RELOAD) {
		keeper_retry(&room->keeper, clock_ms());
		/* As if systemd had stopped it. */
		if (msg->value)
			kill(getpid(), SIGTERM);
	}
	if (msg->type != HUB_FACT)
		return;
	if (msg->id == FACT_REGION && aws_is_region(msg->text))
		str_copy(found->region, sizeof found->region, msg->text);
	else if (msg->id == FACT_DOMAIN && (msg->value == 0 || aws_is_domain(msg->text)))
		str_copy(found->domain, sizeof found->domain, msg->value ? msg->text : "");
	else
		return;
	room->domain_heard = room->domain_heard || msg->id == FACT_DOMAIN;
	make_target(room);
	if (before.blocked[0] != '\0' && room->target.blocked[0] == '\0')
		keeper_retry(&room->keeper, clock_ms());
}

static void do_look(struct room *room, int64_t now_ms)
{
	struct keeper_look look;
	int rc;

	mend_restore(&room->mend);
	tidy_look(&room->tidy, room->conf, &room->target, room->attempt.group.leader != 0,
	          room->keeper.look.state == MOUNT_RIGHT);
	rc = look_at(room->conf, &room->target, &room->keeper, &room->names, &look);
	if (rc < 0) {
		log_error("mount: mountinfo: %s", strerror(-rc));
		look = room->keeper.look;
		if (!room->keeper.looked)
			look = (struct keeper_look){ .state = MOUNT_WRONG,
				                     .why = "mountinfo cannot be read" };
	}
	keeper_looked(&room->keeper, &look, now_ms);
}

static void do_say(struct room *room, int64_t now_ms)
{
	char span[32];
	struct msg msg;

	mend_say(&room->mend, &room->worker);
	keeper_report(&room->keeper, now_ms, &msg);
	worker_say(&room->worker, &msg);
	if ((enum mount_state)msg.value == room->state)
		return;
	room->state = (enum mount_state)msg.value;
	if (room->state == MOUNT_RIGHT && room->mounting_ms > 0)
		log_info("mount: %s mounted on %s in %s", msg.text, room->conf->path,
		         clock_span(now_ms - room->mounting_ms, span, sizeof span));
	else
		log_debug("mount: %s: %s %s %s", room->conf->path, mount_state_name(room->state),
		          msg.text, msg.why);
	if (room->state == MOUNT_RIGHT)
		look_read_ahead(room->conf);
}

static void do_attempt(struct room *room, bool guard_only, int64_t now_ms)
{
	int rc;

	make_target(room);
	log_debug("mount: %s: %s", room->conf->path,
	          guard_only ? "guards the directory" : "an attempt to mount begins");
	rc = attempt_start(room->conf, &room->target, guard_only, &room->attempt);
	room->mounting_ms = guard_only ? 0 : now_ms;
	tidy_begin(&room->tidy, now_ms);
	if (rc < 0) {
		log_error("mount: the attempt could not be started: %s", strerror(-rc));
		keeper_ended(&room->keeper, 1, "it could not be started");
	}
}

static void say_guard(struct room *room)
{
	const struct guard *guard = &room->attempt.guard;

	room->attempt.guard_told = false;
	keeper_guarded(&room->keeper);
	worker_fact(&room->worker, FACT_MOUNT_GUARD, guard->immutable, "", guard->why);
	if (memcmp(guard, &room->guard, sizeof *guard) != 0)
		log_info("mount: the bare directory is %sguarded%s%s",
		         guard->immutable ? "" : "not ", guard->why[0] ? ": " : "", guard->why);
	room->guard = *guard;
}

/* Takes the results of the attempt. */
static void check_attempt(struct room *room, int64_t now_ms)
{
	struct attempt *attempt = &room->attempt;
	char said[LIMIT_FACT_WHY];
	enum attempt_end end;
	int status = -1;

	if (attempt->group.leader == 0)
		return;
	end = attempt_check(attempt, &status);
	if (attempt->guard_told)
		say_guard(room);
	if (end == ATTEMPT_LINGERS)
		keeper_lingers(&room->keeper, now_ms);
	else if (end == ATTEMPT_GONE)
		keeper_ended(&room->keeper, status,
		             attempt_said(attempt->words, attempt->words_len, said, sizeof said));
}

static void do_signal(struct room *room, int number)
{
	log_info("mount: the attempt is late, or no longer wanted: SIG%s to its process group %d",
	         sigabbrev_np(number), room->attempt.group.leader);
	kill(-room->attempt.group.leader, number);
}

static void kill_nfs(struct room *room)
{
	static const char *const names[] = { "mount.nfs", NULL };
	const struct process_match match = { .names = names, .group = room->attempt.group.leader };

	log_info("mount: the attempt is later still: SIGKILL to %u mount.nfs of process group %d",
	         process_kill(&match), match.group);
}

static void do_ask(struct room *room)
{
	struct probe_question question = { .limit_ms = KEEPER_PATIENCE_MS + KEEPER_NAMES_MS,
		                           .mount_id = room->keeper.look.id };

	str_copy(question.contract, sizeof question.contract, hub_contract);
	str_copy(question.path, sizeof question.path, room->conf->path);
	str_copy(question.file, sizeof question.file, room->conf->probe_file);
	if (room->keeper.look.names)
		str_copy(question.host, sizeof question.host, room->target.host);
	if (probe_ask(&room->probe, &question) < 0)
		probe_kill(&room->probe);
}

static void check_probe(struct room *room, int64_t now_ms)
{
	struct keeper *keeper = &room->keeper;
	struct probe_answer answer;
	int status, rc;

	if (room->probe.pid == 0)
		return;
	rc = probe_answered(&room->probe, &answer);
	if (rc < 0 || (rc > 0 && !keeper->asked)) {
		probe_kill(&room->probe);
	} else if (rc > 0 && answer.names) {
		room->names.serial = keeper->asked_serial;
		room->names.answer = answer;
		keeper_named(keeper, now_ms);
	} else if (rc > 0) {
		keeper_signed(keeper, answer.value, answer.why, now_ms);
		if (answer.value >= 0)
			worker_trend(&room->worker, FACT_MOUNT_HOUR, &room->hour, now_ms,
			             answer.value);
	}
	if (probe_gone(&room->probe, &status)) {
		if (keeper->probe.state == KEEPER_RUNNING && !keeper->leaving)
			log_warning("probe: ended by itself, %s %d",
			            WIFSIGNALED(status) ? "signal" : "status",
			            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		keeper_probe_gone(keeper, now_ms);
	}
}

static void act(struct room *room, enum keeper_act what, int64_t now_ms)
{
	switch (what) {
	case KEEPER_LOOK: do_look(room, now_ms); break;
	case KEEPER_SAY: do_say(room, now_ms); break;
	case KEEPER_SPOKEN: worker_spoken(&room->worker); break;
	case KEEPER_MOUNT: do_attempt(room, false, now_ms); break;
	case KEEPER_GUARD: do_attempt(room, true, now_ms); break;
	case KEEPER_INT: do_signal(room, SIGINT); break;
	case KEEPER_KILL_NFS: kill_nfs(room); break;
	case KEEPER_KILL: do_signal(room, SIGKILL); break;
	case KEEPER_PROBE_START:
		if (probe_start(&room->probe) < 0)
			keeper_probe_gone(&room->keeper, now_ms);
		break;
	case KEEPER_PROBE_ASK: do_ask(room); break;
	case KEEPER_PROBE_KILL:
		log_debug("probe: killed, %llu in all", (unsigned long long)room->keeper.killed);
		probe_kill(&room->probe);
		break;
	case KEEPER_READ: mend_read(&room->mend, now_ms); break;
	case KEEPER_REACH: mend_reach(&room->mend, now_ms); break;
	case KEEPER_PROXY_KILL:
	case KEEPER_PROXY_AWAY:
	case KEEPER_PROXY_START: mend_proxy(&room->mend, what, now_ms); break;
	case KEEPER_GIVE_UP: mend_give_up(&room->mend); break;
	case KEEPER_WAIT:
	case KEEPER_ACT_MAX: break;
	}
}

static void take_signals(struct room *room, int fd, int64_t now_ms)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			keeper_leave(&room->keeper, now_ms);
		if (info.ssi_signo == SIGUSR1)
			mend_asked(&room->mend, now_ms);
	}
}

static int make_signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void turn(struct room *room, int mountinfo_fd, int signal_fd)
{
	struct pollfd polls[] = {
		{ .fd = room->worker.fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = mountinfo_fd, .events = POLLPRI },
		{ .fd = room->probe.fd, .events = POLLIN },
		{ .fd = room->mend.reach.fd, .events = POLLIN },
		{ .fd = room->attempt.group.leader ? room->attempt.words_fd : -1,
		  .events = POLLIN },
		{ .fd = room->attempt.group.leader ? room->attempt.guard_fd : -1,
		  .events = POLLIN },
	};
	/* The end of a child is an event; the end of its group is not. */
	bool lingers = room->attempt.group.leader != 0 && room->attempt.pid == 0;
	int64_t now_ms = clock_ms(), left_ms = keeper_next_ms(&room->keeper) - now_ms;
	int64_t most_ms = lingers ? GROUP_MS : WORKER_ALIVE_MS;
	enum keeper_act what;
	struct msg msg;

	poll(polls, sizeof polls / sizeof polls[0],
	     left_ms < 0         ? 0
	     : left_ms < most_ms ? (int)left_ms
	                         : (int)most_ms);
	now_ms = clock_ms();
	while (polls[0].revents && worker_recv(&room->worker, &msg))
		hear(room, &msg);
	worker_alive(&room->worker);
	if (polls[1].revents)
		take_signals(room, signal_fd, now_ms);
	if (polls[2].revents)
		keeper_event(&room->keeper);
	check_attempt(room, now_ms);
	check_probe(room, now_ms);
	mend_check(&room->mend, now_ms);
	while ((what = keeper_step(&room->keeper, now_ms)) != KEEPER_WAIT)
		act(room, what, now_ms);
	/* Without an attempt, a new mount is from another program. */
	if (room->attempt.group.leader == 0)
		room->mounting_ms = 0;
}

/* A helper that has outlived the keeper before this one. */
static void find_former(struct room *room)
{
	const struct process_group *group = &room->attempt.group;

	if (!attempt_former(&room->attempt)) {
		tidy_begin(&room->tidy, clock_ms());
		return;
	}
	tidy_begin(&room->tidy, group->at_ms);
	keeper_former(&room->keeper, group->leader, group->at_ms, clock_ms());
	log_info("mount: %s: waits, %s", room->conf->path, room->keeper.why);
}

int main(int argc, char **argv)
{
	static struct room room;
	char why[LIMIT_FACT_WHY];
	int mountinfo_fd, signal_fd;

	if (argc == 2 && strcmp(argv[1], "--release") == 0) {
		log_init("wna-mount", LOG_LEVEL_INFO);
		return guard_release(MOUNT_RECORD, NULL) < 0;
	}
	/* Before that SIGUSR1 would end the process. */
	signal_fd = make_signal_fd();
	worker_init(&room.worker, ROLE_MOUNT, HUB_WANTS(FACT_REGION) | HUB_WANTS(FACT_DOMAIN), argc,
	            argv, NULL);
	log_to_journal();
	room.conf = &room.worker.conf->mount;
	umask(022);
	make_target(&room);
	keeper_init(&room.keeper, room.conf, clock_random(), clock_ms());
	find_former(&room);
	mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (mountinfo_fd < 0 || signal_fd < 0) {
		log_error("mount: mountinfo or signals cannot be opened: %s", strerror(errno));
		return 1;
	}
	if (probe_init(&room.probe, why, sizeof why) < 0) {
		log_error("mount: %s", why);
		return 1;
	}
	room.mend = (struct mend){ .conf = room.conf,
		                   .target = &room.target,
		                   .keeper = &room.keeper,
		                   .reach = room.probe };
	(void)home_read(MOUNT_NOTES, &room.mend.home);
	while (!keeper_left(&room.keeper))
		turn(&room, mountinfo_fd, signal_fd);
	return 0;
}
