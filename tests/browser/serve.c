/*
 * The responder of wna-core on 127.0.0.1, without the processes around it: the facts are made up,
 * the answers are the product's own. Prints its port, and serves until standard input ends.
 * Usage: serve ok|degraded|fail
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core_serve.h"
#include "trend.h"

enum { HOUR_MS = 3600 * 1000 };

static struct snapshot snapshot;
static struct core core;
static struct http http;
static int64_t now_ms, wall_ms; /* of the facts */

static void say(enum fact_id id, int64_t value, const char *text, const char *why, int64_t more0,
                int64_t more1)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };
	unsigned slot;

	msg.more[0] = more0;
	msg.more[1] = more1;
	str_copy(msg.text, sizeof msg.text, text);
	str_copy(msg.why, sizeof msg.why, why);
	if (core_take(&core, fact_info(msg.id)->owner, &msg, now_ms, wall_ms, &slot) < 0)
		abort();
}

/* Not before the machine's boot. */
static void at(int64_t ago_ms)
{
	if (ago_ms >= clock_ms())
		ago_ms = clock_ms() - 1;
	now_ms = clock_ms() - ago_ms;
	wall_ms = clock_wall_ms() - ago_ms;
}

static void configure(struct conf *conf)
{
	static const char *const names[] = { "web", "disk", "search" };

	conf->health.max_connections = 64;
	conf->health.request_timeout_ms = conf->health.idle_timeout_ms = 5000;
	conf->mount.enabled = conf->rds.enabled = conf->metrics.enabled = true;
	conf->imds.max_age_ms = conf->mount.max_age_ms = conf->rds.max_age_ms =
	        conf->metrics.max_age_ms = 100 * HOUR_MS;
	conf->imds.refresh_ms = 60000;
	conf->rds.interval_ms = conf->rds.dns_fast_ms = 1000;
	conf->metrics.push_ms = 10000;
	strcpy(conf->mount.path, "/var/www/html/efs");
	conf->mount.probe_interval_ms = 5000;
	conf->checks.count = 3;
	for (int i = 0; i < 3; i++) {
		struct conf_check *check = &conf->checks.item[i];

		strcpy(check->name, names[i]);
		check->type = i == 1 ? CHECK_DISK : CHECK_HTTP;
		check->scope = i == 2 ? SCOPE_SHARED : SCOPE_LOCAL;
		check->max_age_ms = 100 * HOUR_MS;
		check->rise = check->fall = 2;
	}
}

static void say_trend(enum fact_id id, int64_t base, int64_t spread)
{
	struct trend trend = { .mean = false };
	char text[LIMIT_FACT_WHY];

	for (int i = 60; i >= 0; i--) {
		int64_t swing = labs(30 - i * 17 % 60);

		/* The failover of say_all has no answer for a minute. */
		if (id != FACT_RDS_HOUR || i != 24)
			trend_add(&trend, clock_ms() - (int64_t)i * TREND_MINUTE_MS,
			          base + spread * swing / 30 + (i % 19 == 7 ? 2 * spread : 0));
	}
	trend_text(&trend, text);
	say(id, trend.minute - 1, "", text, 0, 0);
}

static void say_all(void)
{
	say(FACT_IMDS, IMDS_OK, "", "", 0, 0);
	say(FACT_INSTANCE_ID, 1, "i-0f3c8a1be27d94605", "", 0, 0);
	say(FACT_INSTANCE_TYPE, 1, "t4g.small", "", 0, 0);
	say(FACT_AMI_ID, 1, "ami-0a1b2c3d4e5f60718", "", 0, 0);
	say(FACT_AZ, 1, "ap-northeast-2a", "", 0, 0);
	say(FACT_AZ_ID, 1, "apne2-az1", "", 0, 0);
	say(FACT_VPC_ID, 1, "vpc-07a1b2c3d4e5f6071", "", 0, 0);
	say(FACT_SUBNET_ID, 1, "subnet-0d4e5f60718293a4b", "", 0, 0);
	say(FACT_PRIVATE_IPV4, 1, "10.16.3.27", "", 0, 0);
	say(FACT_ASG, 1, "web", "", 0, 0);
	say(FACT_TARGET_STATE, 1, "InService", "", 0, 0);
	say(FACT_INSTANCE_LIFE_CYCLE, 1, "on-demand", "", 0, 0);
	say(FACT_MOUNT, MOUNT_RIGHT, "fs-0123456789abcdef0 by TLS", "", 5200, now_ms);
	say(FACT_MOUNT_SERVICE, SERVICE_SERVING, "", "", 0, 0);
	for (int i = 0; i < 3; i++)
		say(FACT_CHECK, CHECK_GOOD, snapshot.conf.checks.item[i].name, "", 812 + 340 * i,
		    32);
	say(FACT_RDS_VERSION, 1, "8.0.42", "", 0, 0);
	say(FACT_RDS_RTT, 940, "", "", 0, 0);
	say(FACT_RDS, RDS_WRITABLE, "10.16.6.137", "", 0, 0);
	say(FACT_CREDENTIALS, CRED_OK, "instance role web", "", 0, 0);
	say(FACT_PUSH_SENT, 41 * 360, "", "", 0, 0);
	say(FACT_PUSH_QUEUED, 0, "", "", 0, 0);
	say(FACT_PUSH_LOST, 0, "", "", 0, 0);
	say(FACT_CPU, 237, "", "", 0, 0);
	say(FACT_PUSH, PUSH_OK, "AutoScalingGroupName=web", "", 0, 0);
	say(FACT_RDS_CHANGE, 0, "", "", 0, 0);
	say(FACT_LIFECYCLE, LIFE_IN_SERVICE, "", "", 0, -1);
}

static void make_up(const char *state)
{
	at(41 * HOUR_MS);
	snapshot.loaded_ms = wall_ms;
	core_init(&core, &snapshot, NULL, now_ms, wall_ms);
	for (int role = 0; role < ROLE_MAX; role++)
		core_link(&core, (enum role)role, true, false, 800 + role, wall_ms);
	core_step(&core, now_ms, wall_ms);
	say_all();
	at(24 * 60000 + 20000);
	say(FACT_RDS, RDS_DOWN, "", "the server does not answer", 0, 0);
	at(24 * 60000 + 4000);
	say(FACT_RDS_CHANGE, 1, "10.16.5.149 -> 10.16.6.137", "writes were out for 14.1 to 16.3 s",
	    14100, 16300);
	say_all();
	at(95000);
	if (strcmp(state, "degraded") == 0) {
		say(FACT_RDS_RTT, -1, "", "", 0, 0);
		say(FACT_RDS, RDS_DOWN, "", "login refused for 'wna'", 0, 0);
	} else if (strcmp(state, "fail") == 0) {
		say(FACT_CHECK, CHECK_BAD, "web",
		    "GET http://127.0.0.1/health.html: 404, wanted 200-299", -5, 2);
	}
	at(0);
	say_trend(FACT_MOUNT_HOUR, 3900, 2400);
	say_trend(FACT_RDS_HOUR, 810, 420);
	say_trend(FACT_CPU_HOUR, 180, 160);
	core_spoken(&core, ROLE_CLOUD, now_ms, wall_ms);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	char bytes[64];

	(void)what;
	if (read(fd, bytes, sizeof bytes) <= 0)
		event_base_loopbreak(arg);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	struct event_base *base = event_base_new();
	struct event *input;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (argc != 2 || !base)
		return 2;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, sizeof sin) < 0 || listen(fd, 100) < 0)
		return 1;
	getsockname(fd, (struct sockaddr *)&sin, &len);
	configure(&snapshot.conf);
	make_up(argv[1]);
	if (http_init(&http, base, fd, &core) < 0)
		return 1;
	http_accept(&http);
	input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, base);
	event_add(input, NULL);
	printf("%d\n", ntohs(sin.sin_port));
	fflush(stdout);
	event_base_dispatch(base);
	event_free(input);
	event_base_free(base);
	return 0;
}
