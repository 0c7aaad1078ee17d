/*
 * wna-sockets: ends this node's connections to a database that is no longer the writer, or
 * that is silent. User wna-sockets, with CAP_NET_ADMIN as the only capability. Blocks on
 * nothing but the kernel's lists of sockets. Owns nothing that must outlive it: after a restart
 * an event is acted on again if it is younger than SOCKETS_FOR_MS.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "sockets.h"
#include "str.h"
#include "trust.h"
#include "worker.h"

/* sd_id128: "connections to a database were ended". */
#define JOURNAL_ENDED_ID "2d9e4c7b5a1f4e3887c6b0d1f2a39e54"

enum { PRIORITY_NOTICE = 5 };

struct process {
	struct worker worker;
	struct sockets_rule rule;
	struct msg fact; /* FACT_SOCKETS as it is */
};

/* Says the reason once, and again only if it has changed. */
static void probe(struct process *process)
{
	char why[LIMIT_FACT_WHY] = "";
	int rc = sockets_probe();

	if (rc < 0)
		sockets_explain(rc, why, sizeof why);
	if (why[0] && strcmp(why, process->fact.why) != 0)
		log_warning("sockets: %s: stale connections to the database stay", why);
	str_copy(process->fact.why, sizeof process->fact.why, why);
	worker_say(&process->worker, &process->fact);
}

/* "ended 6 connections to 10.16.6.137:3306 (apache), since the writer is 10.16.5.149 now" */
static void log_ended(const struct process *process, const struct sockets_ended *ended)
{
	const struct sockets_rule *rule = &process->rule;
	char text[256], fields[1024], number[32], writer[NET_ADDR_TEXT], addr[NET_ADDR_TEXT];
	struct sb sb;

	sb_init(&sb, text, sizeof text);
	sb_printf(&sb, "sockets: ended %s (%s), since ", process->fact.text, ended->users);
	if (rule->reason == RDS_STALE_FORMER)
		sb_printf(&sb, "the writer is %s now",
		          net_addr_text(&rule->writer, writer, sizeof writer));
	else
		sb_put(&sb, "the server is silent");
	sb_init(&sb, fields, sizeof fields);
	log_field(&sb, "MESSAGE_ID", JOURNAL_ENDED_ID);
	snprintf(number, sizeof number, "%" PRId64, rule->number);
	log_field(&sb, "WNA_EVENT", "connections-ended");
	log_field(&sb, "WNA_NUMBER", number);
	log_field(&sb, "WNA_REASON", rule->reason == RDS_STALE_FORMER ? "former" : "silent");
	log_field(&sb, "WNA_ADDRESS", net_addr_text(&rule->addr, addr, sizeof addr));
	if (rule->twin.family != 0)
		log_field(&sb, "WNA_OTHER_ADDRESS", net_addr_text(&rule->twin, addr, sizeof addr));
	snprintf(number, sizeof number, "%d", ended->count);
	log_field(&sb, "WNA_ENDED", number);
	log_entry(PRIORITY_NOTICE, text, &sb);
}

static void act(struct process *process)
{
	struct sockets_rule *rule = &process->rule;
	struct net_endpoint remote = { rule->addr, rule->port }, other = { rule->twin, rule->port };
	struct msg *fact = &process->fact;
	struct sockets_ended ended;
	char text[2 * NET_ADDR_TEXT], addr[NET_ADDR_TEXT];
	bool first = fact->more[SOCKETS_EVENT] != rule->number;
	struct sb sb;
	int rc;

	rc = sockets_end(rule, &ended);
	sb_init(&sb, text, sizeof text);
	sb_put(&sb, net_endpoint_text(&remote, addr, sizeof addr));
	if (other.addr.family != 0)
		sb_printf(&sb, " and %s", net_endpoint_text(&other, addr, sizeof addr));
	if (first && (rc < 0 || ended.failed > 0))
		log_warning("sockets: connections to %s that could not be ended: %d: %s", text,
		            ended.failed, strerror(rc < 0 ? -rc : -ended.error));
	if (first)
		fact->more[SOCKETS_ENDED] = 0;
	fact->more[SOCKETS_EVENT] = rule->number;
	fact->more[SOCKETS_ENDED] += ended.count;
	fact->value += ended.count;
	if (ended.count > 0) {
		sb_init(&sb, fact->text, sizeof fact->text);
		sb_printf(&sb, "%d connection%s to %s", ended.count, ended.count == 1 ? "" : "s",
		          text);
		log_ended(process, &ended);
	}
	if (ended.count > 0 || first)
		worker_say(&process->worker, fact);
	sockets_looked(rule, rc == 0 && ended.failed == 0, clock_ms());
}

/* False: the process must end. */
static bool take_messages(struct process *process)
{
	struct msg msg;

	while (worker_recv(&process->worker, &msg)) {
		if (msg.type == HUB_FACT)
			sockets_hear(&process->rule, &msg, clock_ms());
		if (msg.type == WORKER_RELOAD && msg.value)
			return false;
		if (msg.type == WORKER_RELOAD && process->fact.why[0])
			probe(process);
	}
	return true;
}

static void wait_until(const struct process *process, int64_t due_ms)
{
	struct pollfd poll_fd = { .fd = process->worker.fd, .events = POLLIN };
	int64_t left_ms = due_ms - clock_ms();

	poll(&poll_fd, 1,
	     left_ms < 0                 ? 0
	     : left_ms < WORKER_ALIVE_MS ? (int)left_ms
	                                 : WORKER_ALIVE_MS);
}

int main(int argc, char **argv)
{
	static struct process process = { .fact = { .id = FACT_SOCKETS } };
	struct local_user rds = { .uid = (uid_t)-1 };
	const struct conf_rds *conf;

	worker_init(&process.worker, ROLE_SOCKETS, HUB_WANTS(FACT_RDS) | HUB_WANTS(FACT_RDS_STALE),
	            argc, argv, NULL);
	log_to_journal();
	conf = &process.worker.conf->rds;
	trust_local_user(role_of(ROLE_RDS)->user, &rds);
	process.rule = (struct sockets_rule){
		.port = (uint16_t)conf->port,
		.at_once = conf->stale_connections == STALE_AT_ONCE,
		.rds_uid = rds.uid,
	};
	probe(&process);
	worker_spoken(&process.worker);
	while (take_messages(&process)) {
		worker_alive(&process.worker);
		if (sockets_due_ms(&process.rule) <= clock_ms() && !process.fact.why[0])
			act(&process);
		wait_until(&process,
		           process.fact.why[0] ? INT64_MAX : sockets_due_ms(&process.rule));
	}
	return EXIT_SUCCESS;
}
