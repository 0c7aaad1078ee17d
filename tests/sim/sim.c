/*
 * Runs one scenario: sim FILE.sim. Exit code 0: all expectations held.
 *
 *	# a comment
 *	conf LINE                        one line of agent.conf
 *	answer ...                       as below, from the start
 *	at T COMMAND                     T from the start (12s, 500ms), or +T from the last
 *
 * Commands:
 *	fact NAME[.SLOT] VALUE ["text" ["why"]]          a worker says it once
 *	every PERIOD fact ...                            and goes on saying it
 *	silence NAME[.SLOT]                              stops that
 *	restart core                     another starts, and all finders connect to it
 *	restart core silent              the same, and no finder connects
 *	restart check                    another wna-check starts, with new windows
 *	restart mount                    another wna-mount starts
 *	stop mount                       wna-mount says nothing any more
 *	path STATE [ID ["why" ["mark"]]] what is on the mount point from now on; also from the start
 *	answer mount STATE ID ["why" ["mark"]] | dies | hangs | stuck
 *	                                 what attempts to mount end with from now on
 *	answer probe MICROSECONDS|-ERRNO ID ["why"] | dies | hangs | stuck
 *	                                 what probes end with; ID: of the mount that they come to
 *	proxy well|dead|stuck|frozen|stalled|busy|silent|away|barren|watchdog
 *	                                 what the proxy of the mount, its server or its target
 *	                                 does; also from the start (world_mount.h)
 *	unstick                          the stuck attempt or probe ends
 *	expect healthz|readyz CODE [LEVEL] [why "part"]
 *	expect job|check NAME LEVEL [why "part"]
 *	expect attempts|probes N         begun since last asked
 *	expect repairs N                 proxies killed or started since last asked
 *	expect flips healthz|readyz N    changes of its code since last asked
 *	expect timeline N "part"         so many of its lines have this part
 *	expect accepting yes|no
 *	refused fact ROLE NAME VALUE     the role says it, and must not be believed
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "conf_load.h"
#include "log.h"
#include "script.h"
#include "str.h"
#include "world.h"

static struct world world;
static struct script script;

static void start_world(void)
{
	static struct conf conf;
	struct conf_draft *draft;
	char path[64];
	int fd = memfd_create("agent.conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, script.conf, strlen(script.conf)) < 0)
		script_fail(&script, "cannot store the configuration: %s", strerror(errno));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	draft = conf_read(path);
	if (!draft || draft->problems.count)
		script_fail(&script, "configuration: %s",
		            draft ? draft->problems.item[0].text : "out of memory");
	conf = draft->conf;
	conf_draft_free(draft);
	close(fd);
	world_init(&world, &conf);
}

static struct msg read_name(struct script *s)
{
	enum fact_id id;
	unsigned slot;

	script_fact_name(s, &id, &slot);
	return world_msg(id, 0, id == FACT_CHECK ? world_check_name(&world, slot) : "", "");
}

static struct msg read_fact(struct script *s)
{
	struct msg msg = read_name(s);
	const char *text;

	/* Of a check it is a result, and no state. */
	msg.value = msg.id == FACT_CHECK ? script_number(s, script_next(s))
	                                 : script_value(s, (enum fact_id)msg.id);
	text = script_optional(s);
	if (msg.id != FACT_CHECK)
		str_copy(msg.text, sizeof msg.text, text);
	str_copy(msg.why, sizeof msg.why, script_optional(s));
	return msg;
}

static void do_fact(struct script *s, int64_t period_ms)
{
	struct msg msg;

	script_word(s, "fact");
	msg = read_fact(s);
	if (period_ms > 0)
		world_repeat(&world, &msg, period_ms);
	else if (world_say(&world, &msg) < 0)
		script_fail(s, "the fact was refused");
}

static void do_refused(struct script *s)
{
	struct msg msg;
	enum role role;

	script_word(s, "fact");
	role = script_role(s);
	msg = read_fact(s);
	if (world_say_as(&world, role, &msg) == 0)
		script_fail(s, "the fact was taken");
}

static void do_answer(struct script *s)
{
	const char *which = script_next(s), *how = script_next(s);
	bool mount = strcmp(which, "mount") == 0;
	struct world_oneshot *shot = mount ? &world.mount.mount : &world.mount.probe;

	if (!mount && strcmp(which, "probe") != 0)
		script_fail(s, "expected mount or probe");
	memset(shot, 0, sizeof *shot);
	if (strcmp(how, "dies") == 0) {
		shot->answer = ANSWER_DIES;
	} else if (strcmp(how, "hangs") == 0) {
		shot->answer = ANSWER_HANGS;
	} else if (strcmp(how, "stuck") == 0) {
		shot->answer = ANSWER_STUCK;
	} else {
		shot->answer = ANSWER_GIVEN;
		shot->value = script_state(s, how, mount ? FACT_MOUNT : FACT_NONE);
		shot->id = script_number(s, script_next(s));
		str_copy(shot->why, sizeof shot->why, script_optional(s));
		str_copy(shot->mark, sizeof shot->mark, script_optional(s));
	}
	if (!mount)
		world_mount_thaw(&world);
}

static void do_proxy(struct script *s)
{
	static const char *const names[] = { "none",    "well", "dead",   "stuck", "frozen",
		                             "stalled", "busy", "silent", "away" };
	const char *name = script_next(s);

	if (strcmp(name, "watchdog") == 0) {
		world.mount.watchdog = true;
		return;
	}
	if (strcmp(name, "barren") == 0) {
		world.mount.barren = true;
		return;
	}
	for (int i = 0; i <= PROXY_AWAY; i++) {
		if (strcmp(name, names[i]) == 0) {
			world_mount_proxy(&world, (enum world_proxy)i);
			return;
		}
	}
	script_fail(s, "unknown state of the proxy: %s", name);
}

static void expect_why(struct script *s, const char *why)
{
	if (!script_more(s))
		return;
	script_word(s, "why");
	if (!strstr(why, script_next(s)))
		script_fail(s, "why is \"%s\"", why);
}

static void expect_level(struct script *s, enum verdict_level level, const char *want,
                         const char *why)
{
	if (strcmp(verdict_level_name(level), want) != 0)
		script_fail(s, "level is %s (\"%s\")", verdict_level_name(level), why);
}

static void expect_endpoint(struct script *s, enum verdict_level level)
{
	const char *why = world.core.verdict.why, *want;
	int64_t code = script_number(s, script_next(s));

	if (judge_code(level) != code)
		script_fail(s, "code is %d, level %s (\"%s\")", judge_code(level),
		            verdict_level_name(level), why);
	if (!script_more(s))
		return;
	want = script_peek(s);
	if (strcmp(want, "why") != 0)
		expect_level(s, level, script_next(s), why);
	expect_why(s, why);
}

static void expect_finding(struct script *s, bool job)
{
	const char *name = script_next(s);
	const struct finding *finding = NULL;

	for (int i = 0; job && i < JOB_MAX; i++) {
		if (strcmp(job_name(i), name) == 0)
			finding = &world.core.verdict.job[i];
	}
	for (int i = 0; !job && i < world.conf->checks.count; i++) {
		if (strcmp(world.conf->checks.item[i].name, name) == 0)
			finding = &world.core.verdict.check[i];
	}
	if (!finding)
		script_fail(s, "no such job or check: %s", name);
	expect_level(s, finding->level, script_next(s), finding->why);
	expect_why(s, finding->why);
}

static void expect_number(struct script *s, const char *what, int64_t is)
{
	int64_t want = script_number(s, script_next(s));

	if (want != is)
		script_fail(s, "%s: expected %lld, is %lld", what, (long long)want, (long long)is);
}

static void expect_timeline(struct script *s)
{
	int64_t want = script_number(s, script_next(s)), is = 0;
	const char *part = script_next(s);
	const struct timeline *timeline = &world.core.timeline;

	for (unsigned i = 0; i < timeline_kept(timeline); i++)
		is += strstr(timeline_get(timeline, i)->what, part) != NULL;
	if (is != want)
		script_fail(s, "the timeline has %lld such lines", (long long)is);
}

static void expect_flips(struct script *s)
{
	bool health = strcmp(script_next(s), "healthz") == 0;
	unsigned *flips = health ? &world.health_flips : &world.ready_flips;

	expect_number(s, "flips", *flips);
	*flips = 0;
}

static void do_expect(struct script *s)
{
	const char *what = script_next(s);

	if (strcmp(what, "healthz") == 0) {
		expect_endpoint(s, world.core.verdict.health);
	} else if (strcmp(what, "readyz") == 0) {
		expect_endpoint(s, world.core.verdict.ready);
	} else if (strcmp(what, "job") == 0 || strcmp(what, "check") == 0) {
		expect_finding(s, strcmp(what, "job") == 0);
	} else if (strcmp(what, "attempts") == 0) {
		expect_number(s, "attempts", world.mount.attempts);
		world.mount.attempts = 0;
	} else if (strcmp(what, "probes") == 0) {
		expect_number(s, "probes", world.mount.probes);
		world.mount.probes = 0;
	} else if (strcmp(what, "repairs") == 0) {
		expect_number(s, "repairs", world.mount.repairs);
		world.mount.repairs = 0;
	} else if (strcmp(what, "flips") == 0) {
		expect_flips(s);
	} else if (strcmp(what, "timeline") == 0) {
		expect_timeline(s);
	} else if (strcmp(what, "accepting") == 0) {
		if (world.core.accepting != (strcmp(script_next(s), "yes") == 0))
			script_fail(s, "accepting is %s", world.core.accepting ? "yes" : "no");
	} else {
		script_fail(s, "expected an expectation, got \"%s\"", what);
	}
}

static void do_silence(struct script *s)
{
	struct msg msg = read_name(s);

	world_silence(&world, &msg);
}

static void do_path(struct script *s)
{
	struct keeper_look look = { 0 };

	look.state = (enum mount_state)script_state(s, script_next(s), FACT_MOUNT);
	if (look.state != MOUNT_ABSENT) {
		look.id = script_number(s, script_next(s));
		str_copy(look.why, sizeof look.why, script_optional(s));
		str_copy(look.mark, sizeof look.mark, script_optional(s));
	}
	world_mount_put(&world, &look);
}

static void do_restart(struct script *s)
{
	const char *what = script_next(s);

	if (strcmp(what, "check") == 0)
		world_restart_check(&world);
	else if (strcmp(what, "mount") == 0)
		world_mount_start(&world);
	else if (strcmp(what, "core") != 0)
		script_fail(s, "expected core, check or mount");
	else
		world_restart_core(&world, strcmp(script_optional(s), "silent") != 0);
}

static void do_stop(struct script *s)
{
	script_word(s, "mount");
	world.mount.lives = false;
}

static void do_command(struct script *s)
{
	const char *command = script_peek(s);

	if (strcmp(command, "fact") == 0) {
		do_fact(s, 0);
		return;
	}
	script_next(s);
	if (strcmp(command, "every") == 0)
		do_fact(s, script_duration(s));
	else if (strcmp(command, "silence") == 0)
		do_silence(s);
	else if (strcmp(command, "restart") == 0)
		do_restart(s);
	else if (strcmp(command, "stop") == 0)
		do_stop(s);
	else if (strcmp(command, "path") == 0)
		do_path(s);
	else if (strcmp(command, "proxy") == 0)
		do_proxy(s);
	else if (strcmp(command, "unstick") == 0)
		world_mount_free(&world);
	else if (strcmp(command, "answer") == 0)
		do_answer(s);
	else if (strcmp(command, "expect") == 0)
		do_expect(s);
	else if (strcmp(command, "refused") == 0)
		do_refused(s);
	else
		script_fail(s, "unknown command \"%s\"", command);
}

int main(int argc, char **argv)
{
	bool started = false;
	const char *word;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE.sim\n", argv[0]);
		return 2;
	}
	log_init("sim", getenv("SIM_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	script_open(&script, argv[1]);
	while (script_line(&script)) {
		word = script_next(&script);
		if (strcmp(word, "conf") == 0) {
			script_conf(&script);
			continue;
		}
		if (strcmp(word, "answer") == 0 || strcmp(word, "path") == 0 ||
		    strcmp(word, "proxy") == 0) {
			(word[0] == 'a' ? do_answer : word[1] == 'a' ? do_path : do_proxy)(&script);
			continue;
		}
		if (strcmp(word, "at") != 0)
			script_fail(&script, "expected conf, answer, path, proxy or at");
		if (!started)
			start_world();
		started = true;
		world_run(&world, script_time(&script, world.now_ms));
		do_command(&script);
		if (script_more(&script))
			script_fail(&script, "too many words");
	}
	script_close(&script);
	return started ? 0 : 2;
}
