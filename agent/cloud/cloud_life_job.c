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

enum { LOOK_MS = 1000 };

struct life_job {
	const struct worker *worker;
	const struct conf_life *conf;
	const struct identity *identity;
	struct life life;
	bool ordered, heard;
	unsigned well;
	char owner[LIMIT_FACT_TEXT]; /* the instance that was ordered to drain; "-" not known */
	int64_t look_ms;             /* when connections are counted next */
	int connections;
	int sockets_rc; /* of the last count */
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

	path_of(job->worker->state_dir, DRAIN_FILE, path, sizeof path);
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

struct life_job *life_job_new(const struct worker *worker, const struct identity *identity,
                              int64_t now_ms, int64_t wall_ms)
{
	struct life_job *job = calloc(1, sizeof *job);
	char path[LIMIT_PATH * 2];

	if (!job)
		return NULL;
	job->worker = worker;
	job->conf = &worker->conf->life;
	job->identity = identity;
	job->connections = -1;
	path_of(worker->run_dir, SERVED_FILE, path, sizeof path);
	job->life.served = access(path, F_OK) == 0;
	load_drain(job, now_ms, wall_ms);
	life_job_turn(job, now_ms);
	return job;
}

void life_job_free(struct life_job *job)
{
	free(job);
}

void life_job_order(struct life_job *job, bool drain, int64_t now_ms, int64_t wall_ms)
{
	char path[LIMIT_PATH * 2], text[LIMIT_FACT_TEXT + 32];
	const char *id = job->identity->instance_id;
	int r = 0;

	if (drain == job->ordered)
		return;
	job->ordered = drain;
	job->look_ms = now_ms;
	if (drain) {
		job->life.drain_ms = now_ms;
		str_copy(job->owner, sizeof job->owner, id && id[0] ? id : "-");
		snprintf(text, sizeof text, "%" PRId64 " %s\n", wall_ms, job->owner);
		r = worker_write_file(job->worker->state_dir, DRAIN_FILE, text, strlen(text));
	} else {
		path_of(job->worker->state_dir, DRAIN_FILE, path, sizeof path);
		r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	}
	if (r < 0)
		log_warning("lifecycle: %s/" DRAIN_FILE ": %s; a restart will not know the order",
		            job->worker->state_dir, strerror(-r));
}

void life_job_verdict(struct life_job *job, const struct msg *verdict)
{
	job->heard = true;
	job->well = (unsigned)verdict->more[2];
}

/* An image made from a drained node must not drain every clone. */
static void check_owner(struct life_job *job, int64_t now_ms)
{
	const char *id = job->identity->instance_id;

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
	worker_say(job->worker, &msg);
}

int64_t life_job_turn(struct life_job *job, int64_t now_ms)
{
	struct life *life = &job->life;
	enum life_state before = life->state;
	bool served = life->served;
	struct life_seen seen;

	check_owner(job, now_ms);
	if (job->ordered || life->cause != LIFE_SERVES)
		look(job, now_ms);
	seen = (struct life_seen){
		.target_state = job->identity->target_state,
		.spot_action = job->identity->spot_action,
		.rebalance = job->identity->rebalance,
		.scheduled = job->identity->scheduled,
		.heard = job->heard,
		.well = job->well,
		.ordered = job->ordered,
		.connections = job->connections,
	};
	life_decide(life, job->conf, &seen, now_ms);
	if (life->state != before)
		log_info("lifecycle: %s -> %s%s%s", life_state_name(before),
		         life_state_name(life->state), life->why[0] ? ": " : "", life->why);
	if (life->served && !served)
		worker_write_file(job->worker->run_dir, SERVED_FILE, "1\n", 2);
	report(job);
	return life->state == LIFE_DRAINING ? job->look_ms : INT64_MAX;
}
