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

#define SERVICE "autoscaling"

enum { LOOK_MS = 1000, ORDER_MS = 10 * 1000, BODY_MAX = 3 * 3 * LIMIT_HOST + 256 };

struct life_job {
	struct life_deps deps;
	const struct conf_life *conf;
	struct life life;
	struct life_saved saved;
	bool order_kept;  /* in state_dir */
	int64_t order_ms; /* when that is tried next */
	int order_rc;     /* of the last try */
	bool heard;
	unsigned well;
	int64_t look_ms; /* when connections are counted next */
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

/* The file of a damaged order, or of one without its instance, is removed by save_order. */
static void load_order(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	const char *dir = job->deps.worker->state_dir;
	struct life_saved *saved = &job->saved;
	int64_t at_ms;
	int r = drain_load(dir, wall_ms, &at_ms, saved->owner, sizeof saved->owner);

	if (r < 0 && r != -ENOENT)
		log_warning("lifecycle: the order to drain in %s cannot be read and is dropped: %s",
		            dir, strerror(-r));
	if (r < 0)
		return;
	saved->ordered = true;
	job->life.drain_ms = now_ms - (wall_ms - at_ms);
	log_info("lifecycle: the drain goes on");
}

struct life_job *life_job_new(const struct life_deps *deps, int64_t now_ms, int64_t wall_ms)
{
	struct life_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->deps = *deps;
	job->conf = &deps->worker->conf->life;
	job->connections = -1;
	if (!life_load(deps->worker->run_dir, job->conf, now_ms, &job->life, &job->saved))
		load_order(job, now_ms, wall_ms);
	life_job_turn(job, now_ms, wall_ms);
	return job;
}

void life_job_free(struct life_job *job)
{
	if (job)
		http_cancel(job->deps.http, job->call);
	free(job);
}

void life_job_order(struct life_job *job, bool drain, int64_t now_ms)
{
	struct life_saved *saved = &job->saved;

	if (drain != saved->ordered)
		job->look_ms = now_ms;
	/* Repeated on this instance, an order of before the boot is this instance's. */
	if (drain != saved->ordered || saved->owner[0])
		job->order_kept = false;
	saved->ordered = drain;
	saved->owner[0] = '\0';
	job->order_ms = now_ms;
	job->order_rc = 0;
}

void life_job_stop(struct life_job *job, int64_t now_ms)
{
	if (job->saved.ordered)
		return;
	life_job_order(job, true, now_ms);
	job->order_kept = true;
}

void life_job_verdict(struct life_job *job, const struct msg *verdict)
{
	job->heard = true;
	job->well = (unsigned)verdict->more[2];
}

/* The instance's id, of this boot; NULL: not known. */
static const char *instance_of(struct life_job *job)
{
	const char *id = memo_take(&job->saved.instance, job->deps.identity->instance_id);

	return id && id[0] ? id : NULL;
}

/* An image made from a drained node must not drain its clones. Until the instance is known the
 * order holds. */
static void check_owner(struct life_job *job, int64_t now_ms)
{
	const char *id = instance_of(job);
	char *owner = job->saved.owner;

	if (!owner[0] || !id)
		return;
	if (strcmp(owner, id) != 0) {
		log_info("lifecycle: the drain was ordered on %s and not here: it ends", owner);
		life_job_order(job, false, now_ms);
	}
	owner[0] = '\0';
}

/* Until the file in state_dir agrees with the order. */
static void save_order(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	const char *dir = job->deps.worker->state_dir, *id = instance_of(job);
	int64_t at_ms = wall_ms - (now_ms - job->life.drain_ms);
	bool drain = job->saved.ordered;
	int r;

	if (job->order_kept || job->saved.owner[0] || now_ms < job->order_ms || (drain && !id))
		return;
	r = drain ? drain_save(dir, at_ms, id) : drain_remove(dir);
	if (r < 0 && r != job->order_rc)
		log_warning("lifecycle: the order is not saved in %s: %s", dir, strerror(-r));
	job->order_kept = r == 0;
	job->order_rc = r;
	job->order_ms = now_ms + ORDER_MS;
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
			log_info("lifecycle: hook %s does not wait: %s", hook_name(hook, job->conf),
			         hook->why);
		else
			log_warning("lifecycle: hook %s is not completed: %s",
			            hook_name(hook, job->conf), hook->why);
		str_copy(job->told, sizeof job->told, hook->why);
	}
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
	if (!job->order_kept && !job->saved.owner[0])
		snprintf(msg.why, sizeof msg.why, "%.60s%sa reboot forgets the order: %.60s",
		         life->why, life->why[0] ? "; " : "",
		         job->order_rc < 0 ? strerror(-job->order_rc)
		                           : "the instance's ID is not known");
	worker_say(job->deps.worker, &msg);
}

int64_t life_job_turn(struct life_job *job, int64_t now_ms, int64_t wall_ms)
{
	const struct identity *identity = job->deps.identity;
	struct life_saved *saved = &job->saved;
	struct life *life = &job->life;
	enum life_state before = life->state;
	struct life_seen seen;

	check_owner(job, now_ms);
	if (saved->ordered || life->cause != LIFE_SERVES)
		look(job, now_ms);
	seen = (struct life_seen){
		.target_state = memo_take(&saved->target_state, identity->target_state),
		.spot_action = memo_take(&saved->spot, identity->spot_action),
		.rebalance = identity->rebalance,
		.scheduled = identity->scheduled,
		.heard = job->heard,
		.well = job->well,
		.ordered = saved->ordered,
		.connections = job->connections,
	};
	hook_turn(job, &seen, now_ms, wall_ms);
	life_decide(life, job->conf, &seen, now_ms);
	if (life->state != before)
		log_info("lifecycle: %s -> %s%s%s", life_state_name(before),
		         life_state_name(life->state), life->why[0] ? ": " : "", life->why);
	save_order(job, now_ms, wall_ms);
	life_save(job->deps.worker->run_dir, job->conf, life, saved);
	report(job);
	return life->state == LIFE_DRAINING ? job->look_ms : INT64_MAX;
}
