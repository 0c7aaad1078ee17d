/*
 * Run by wna-cloud. Blocks on two small local files, and on the kernel's list of sockets while the
 * node drains. Owns the files.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cloud_life.h"
#include "file.h"
#include "log.h"
#include "sockdiag.h"

#define DRAIN_FILE  "drain"  /* "UNIX_MS INSTANCE_ID\n"; the id is "-" if it was not known */
#define SERVED_FILE "served" /* like `healthy` of cloud_push.c */
#define HOOK_FILE   "hook"   /* the episode that is over */

#define SERVICE "autoscaling"

enum { LOOK_MS = 1000, BODY_MAX = 3 * 3 * LIMIT_HOST + 256 };

struct life_job {
	struct life_deps deps;
	const struct conf_life *conf;
	struct life life;
	bool ordered, heard;
	unsigned well;
	char owner[LIMIT_FACT_TEXT]; /* the instance that was ordered to drain; "-" not known */
	int64_t look_ms;             /* when connections are counted next */
	int connections;
	int sockets_rc; /* of the last count */
	/* The call to AWS under way, or answered. */
	struct http_call *call;
	enum life_call kind;
	bool answered;
	struct cwatch_answer answer;
	int64_t clock_ms;            /* wall clock less monotonic clock, when it was sent */
	char cannot[LIMIT_FACT_WHY]; /* why no call can be made */
	char told[LIMIT_FACT_WHY];   /* the hook's trouble that was logged last */
};

static void path_of(const char *dir, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s", dir, name);
}

/* A drain that was ordered before this start goes on; its delay as well, by the wall clock. */
static void load_drain(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	char path[LIMIT_PATH * 2], text[LIMIT_FACT_TEXT + 32], *owner;
	int64_t at_ms = wall_ms;

	path_of(job->deps.worker->state_dir, DRAIN_FILE, path, sizeof path);
	if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text) < 0)
		return;
	str_trim(text);
	owner = strchr(text, ' ');
	if (owner)
		*owner++ = '\0';
	str_int64(text, 0, wall_ms, &at_ms);
	str_copy(job->owner, sizeof job->owner, owner ? owner : "-");
	job->ordered = true;
	job->life.drain_ms = now_ms - (wall_ms - at_ms);
	log_info("lifecycle: the drain goes on");
}

/* A new process makes no call again that a former one has made. */
static void load_hook(struct life_job *job)
{
	char path[LIMIT_PATH * 2], text[8];
	int64_t episode;

	path_of(job->deps.worker->run_dir, HOOK_FILE, path, sizeof path);
	if (file_load(AT_FDCWD, path, FILE_OF_ANYBODY, text, sizeof text) < 0 ||
	    !str_int64(str_trim(text), EPISODE_NONE, EPISODE_MAX - 1, &episode))
		return;
	job->life.hook.episode = (enum life_episode)episode;
	job->life.hook.over = true;
}

static void save_hook(const struct life_job *job)
{
	char text[8];

	snprintf(text, sizeof text, "%d\n",
	         job->life.hook.over ? job->life.hook.episode : EPISODE_NONE);
	worker_write_file(job->deps.worker->run_dir, HOOK_FILE, text, strlen(text));
}

struct life_job *life_job_new(const struct life_deps *deps, int64_t now_ms, int64_t wall_ms)
{
	struct life_job *job = calloc(1, sizeof *job);
	char path[LIMIT_PATH * 2];

	if (!job)
		return NULL;
	job->deps = *deps;
	job->conf = &deps->worker->conf->life;
	job->connections = -1;
	path_of(deps->worker->run_dir, SERVED_FILE, path, sizeof path);
	job->life.served = access(path, F_OK) == 0;
	load_drain(job, now_ms, wall_ms);
	load_hook(job);
	life_job_turn(job, now_ms, wall_ms);
	return job;
}

void life_job_free(struct life_job *job)
{
	if (job)
		http_cancel(job->deps.http, job->call);
	free(job);
}

void life_job_order(struct life_job *job, bool drain, int64_t now_ms, int64_t wall_ms)
{
	char path[LIMIT_PATH * 2], text[LIMIT_FACT_TEXT + 32];
	const char *id = job->deps.identity->instance_id;
	int r = 0;

	if (drain == job->ordered)
		return;
	job->ordered = drain;
	job->look_ms = now_ms;
	if (drain) {
		job->life.drain_ms = now_ms;
		str_copy(job->owner, sizeof job->owner, id && id[0] ? id : "-");
		snprintf(text, sizeof text, "%" PRId64 " %s\n", wall_ms, job->owner);
		r = worker_write_file(job->deps.worker->state_dir, DRAIN_FILE, text, strlen(text));
	} else {
		path_of(job->deps.worker->state_dir, DRAIN_FILE, path, sizeof path);
		r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	}
	if (r < 0)
		log_warning("lifecycle: %s/" DRAIN_FILE ": %s; a restart will not know the order",
		            job->deps.worker->state_dir, strerror(-r));
}

void life_job_verdict(struct life_job *job, const struct msg *verdict)
{
	job->heard = true;
	job->well = (unsigned)verdict->more[2];
}

/* An image made from a drained node must not drain every clone. */
static void check_owner(struct life_job *job, int64_t now_ms)
{
	const char *id = job->deps.identity->instance_id;

	if (!job->ordered || !id || !id[0] || strcmp(job->owner, "-") == 0 ||
	    strcmp(job->owner, id) == 0)
		return;
	log_info("lifecycle: the drain was ordered on %s and not here: it ends", job->owner);
	life_job_order(job, false, now_ms, 0);
}

static void count(void *arg, const struct sockdiag_socket *socket)
{
	int *connections = arg;

	/* Not wna-check's and other programs' of this node. */
	if (!net_addr_is_loopback(&socket->remote.addr))
		(*connections)++;
}

/* CLOSE_WAIT: a client that has sent all of its request may still wait for the answer. */
static void look(struct life_job *job, int64_t now_ms)
{
	int connections = 0, rc;

	if (now_ms < job->look_ms)
		return;
	job->look_ms = now_ms + LOOK_MS;
	rc = sockdiag_list(SOCKDIAG_STATE(TCP_ESTABLISHED) | SOCKDIAG_STATE(TCP_CLOSE_WAIT),
	                   (uint16_t)job->conf->web_port, 0, count, &connections);
	if (rc < 0 && rc != job->sockets_rc)
		log_warning("lifecycle: connections cannot be counted: %s", strerror(-rc));
	job->sockets_rc = rc;
	job->connections = rc < 0 ? -1 : connections;
}

static void on_answer(void *arg, const struct http_result *result)
{
	struct life_job *job = arg;

	job->call = NULL;
	job->answered = true;
	query_judge(result, &job->answer);
}

static void take_answer(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	const struct cwatch_answer *answer = &job->answer;

	job->answered = false;
	if (llabs(wall_ms - now_ms - job->clock_ms) < SKEW_STEP_MS)
		push_hear_time(job->deps.push, answer);
	if (answer->verdict == CWATCH_ACCEPTED)
		creds_accepted(job->deps.creds);
	else if (answer->verdict == CWATCH_REFUSED)
		creds_refused(job->deps.creds, now_ms, answer->code);
	if (answer->verdict == CWATCH_ACCEPTED && job->kind != HOOK_HEARTBEAT)
		log_info("lifecycle: hook %s: %s", hook_name(&job->life.hook, job->conf),
		         job->kind == HOOK_CONTINUE ? "CONTINUE" : "ABANDON");
	hook_answer(&job->life.hook, job->kind, answer, now_ms);
}

/* Fills job->cannot, or *ret. */
static void find_endpoint(struct life_job *job, struct endpoint *ret)
{
	const struct endpoint_service service = {
		.name = SERVICE,
		.variable = "AWS_ENDPOINT_URL_AUTO_SCALING",
		.url = job->conf->endpoint,
	};
	const struct identity *identity = job->deps.identity;
	char *why = job->cannot;
	const size_t size = sizeof job->cannot;

	why[0] = '\0';
	if (!identity->instance_id || !identity->instance_id[0])
		snprintf(why, size, "the instance id is not known");
	else if (!identity->asg || !identity->asg[0])
		snprintf(why, size,
		         "the group's name is not known: neither a tag in the metadata "
		         "nor imds.auto_scaling_group");
	else if (!creds_get(job->deps.creds))
		snprintf(why, size, "there are no credentials");
	else
		endpoint_find(&job->deps.worker->conf->metrics, &service, getenv, identity, ret,
		              why, size);
}

static void call_aws(struct life_job *job, const struct endpoint *endpoint, enum life_call kind,
                     int64_t now_ms, int64_t wall_ms)
{
	const struct identity *identity = job->deps.identity;
	struct post post = {
		.endpoint = endpoint,
		.service = SERVICE,
		.type = "application/x-www-form-urlencoded; charset=utf-8",
		.aws_ms = push_aws_ms(job->deps.push, wall_ms),
	};
	char body[BODY_MAX];
	struct sb sb;
	int r;

	sb_init(&sb, body, sizeof body);
	hook_body(&sb, kind, hook_name(&job->life.hook, job->conf), identity->asg,
	          identity->instance_id);
	post.body = body;
	post.len = sb.len;
	job->kind = kind;
	job->clock_ms = wall_ms - now_ms;
	r = post_start(job->deps.http, &job->deps.worker->conf->metrics, &post,
	               creds_get(job->deps.creds), on_answer, job, &job->call);
	if (r == 0)
		return;
	job->answer = (struct cwatch_answer){ .verdict = CWATCH_RETRY };
	snprintf(job->answer.why, sizeof job->answer.why, "no request could be made: %s",
	         strerror(-r));
	hook_answer(&job->life.hook, kind, &job->answer, now_ms);
}

/* Without a hook this does nothing. */
static void hook_turn(struct life_job *job, struct life_seen *seen, int64_t now_ms, int64_t wall_ms)
{
	struct life_hook *hook = &job->life.hook;
	bool over = hook->over;
	struct endpoint endpoint;
	enum life_call kind;

	if (job->answered)
		take_answer(job, now_ms, wall_ms);
	if (hook_begin(hook, seen->target_state, now_ms)) {
		/* Its answer would be about the former episode. */
		http_cancel(job->deps.http, job->call);
		job->call = NULL;
		job->told[0] = '\0';
		if (hook_leaves(hook))
			push_retry(job->deps.push, now_ms);
	}
	if (hook_name(hook, job->conf)[0] && !hook->over && !job->call) {
		find_endpoint(job, &endpoint);
		seen->cannot = job->cannot;
		seen->unsent = push_unsent(job->deps.push);
		kind = hook_due(hook, job->conf, seen, now_ms);
		if (kind != HOOK_NO_CALL)
			call_aws(job, &endpoint, kind, now_ms, wall_ms);
	}
	if (hook->why[0] && strcmp(hook->why, job->told) != 0) {
		/* As after a reboot in service; in a scale-in the load balancer is left first. */
		if (hook->idle)
			log_info("lifecycle: hook %s does not wait: %s",
			         hook_name(hook, job->conf), hook->why);
		else
			log_warning("lifecycle: hook %s is not completed: %s",
			            hook_name(hook, job->conf), hook->why);
		str_copy(job->told, sizeof job->told, hook->why);
	}
	if (hook->over != over)
		save_hook(job);
}

static void report(const struct life_job *job)
{
	const struct life *life = &job->life;
	struct msg msg = { .id = FACT_LIFECYCLE, .value = life->state };

	msg.more[LIFE_CAUSE] = life->cause;
	msg.more[LIFE_CONNECTIONS] = life->cause == LIFE_SERVES ? -1 : job->connections;
	/* A restarted wna-cloud tells the true beginning. */
	if (life->state == LIFE_DRAINING)
		msg.found_ms = life->drain_ms > 0 ? life->drain_ms : 1;
	str_copy(msg.text, sizeof msg.text, life->next);
	str_copy(msg.why, sizeof msg.why, life->why);
	worker_say(job->deps.worker, &msg);
}

int64_t life_job_turn(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	struct life *life = &job->life;
	enum life_state before = life->state;
	bool served = life->served;
	struct life_seen seen;

	check_owner(job, now_ms);
	if (job->ordered || life->cause != LIFE_SERVES)
		look(job, now_ms);
	seen = (struct life_seen){
		.target_state = job->deps.identity->target_state,
		.spot_action = job->deps.identity->spot_action,
		.rebalance = job->deps.identity->rebalance,
		.scheduled = job->deps.identity->scheduled,
		.heard = job->heard,
		.well = job->well,
		.ordered = job->ordered,
		.connections = job->connections,
	};
	hook_turn(job, &seen, now_ms, wall_ms);
	life_decide(life, job->conf, &seen, now_ms);
	if (life->state != before)
		log_info("lifecycle: %s -> %s%s%s", life_state_name(before),
		         life_state_name(life->state), life->why[0] ? ": " : "", life->why);
	if (life->served && !served)
		worker_write_file(job->deps.worker->run_dir, SERVED_FILE, "1\n", 2);
	report(job);
	return life->state == LIFE_DRAINING ? job->look_ms : INT64_MAX;
}
