/*
 * All of wna-cloud, as its unit starts it: a process of its own, real time, a metadata
 * service on loopback, and the hub where it belongs, in a /run of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "clock.h"
#include "cloud_push.h"
#include "server.h"
#include "str.h"
#include "worker.h"

struct child {
	pid_t pid;
	int hub; /* the core's end */
	struct msg last[FACT_MAX];
	bool spoken;
};

static char dir[64];
static int listener; /* the hub's */

static bool metadata(struct server *server, int fd, const char *head)
{
	static const struct {
		const char *path, *body;
	} paths[] = {
		{ "instance-id ", "i-0123456789abcdef0" },
		{ "placement/region ", "ap-northeast-2" },
		{ "placement/availability-zone ", "ap-northeast-2a" },
		{ "autoscaling/target-lifecycle-state ", "InService" },
		{ "tags/instance ", "Name\naws:autoscaling:groupName" },
		{ "tags/instance/aws:autoscaling:groupName ", "web" },
		{ "tags/instance/Name ", "one" },
		{ "iam/security-credentials/ ", "web-node" },
		{ "iam/security-credentials/web-node ",
		  "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAIOSFODNN7EXAMPLE\","
		  "\"SecretAccessKey\":\"s3cr3t-s3cr3t\",\"Token\":\"t0k3n-t0k3n\","
		  "\"Expiration\":\"2099-01-01T00:00:00Z\"}" },
	};
	const char *body = NULL;
	char answer[1024];

	(void)server;
	if (strncmp(head, "PUT /latest/api/token ", 22) == 0) {
		server_say(fd, "HTTP/1.1 200 OK\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
		               "Content-Length: 8\r\n\r\nAQAEAT==");
		return true;
	}
	if (strstr(head, "X-aws-ec2-metadata-token: AQAEAT==\r\n") == NULL) {
		server_say(fd, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strncmp(head, "GET /latest/meta-data/", 22) == 0 &&
		    strncmp(head + 22, paths[i].path, strlen(paths[i].path)) == 0)
			body = paths[i].body;
	if (body == NULL)
		snprintf(answer, sizeof(answer),
		         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	else
		snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		         strlen(body), body);
	server_say(fd, answer);
	return true;
}

/* The child's half, after an exec: a forked copy of a process with threads (the server
 * is one) may have inherited a lock that no thread will release. */
static int run_child(char *config, bool early)
{
	char exe[] = "wna-cloud", name[] = "--config", run[] = "--run-dir", state[] = "--state-dir";
	char *argv[] = { exe, name, config, run, dir, state, dir, NULL };
	int signal_fd = loop_signals();
	struct worker worker;

	if (early)
		raise(SIGUSR1);
	worker_init(&worker, ROLE_CLOUD, HUB_WANTS_VERDICT, 7, argv, NULL);
	return loop_run(&worker, signal_fd);
}

static void child_exec(struct child *child, const struct conf *conf, const char *how)
{
	static struct snapshot snapshot;
	char config[128];

	memset(child, 0, sizeof(*child));
	snapshot.conf = *conf;
	snprintf(config, sizeof config, "%s/config", dir);
	assert_int_equal(snapshot_write(config, &snapshot), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execl("/proc/self/exe", "wna-cloud", how, dir, config, (char *)NULL);
		_exit(1);
	}
	child->hub = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(child->hub >= 0);
}

static void child_start(struct child *child, const struct conf *conf)
{
	child_exec(child, conf, "child");
}

static void child_close(struct child *child)
{
	close(child->hub);
}

/* Takes messages until the fact `id` has this value. */
static void await(struct child *child, enum fact_id id, int64_t value)
{
	int64_t end = clock_ms() + 30000;

	while (clock_ms() < end) {
		struct pollfd wait = { .fd = child->hub, .events = POLLIN };
		struct msg msg;

		if (child->last[id].type == HUB_FACT && child->last[id].value == value)
			return;
		if (poll(&wait, 1, 1000) <= 0)
			continue;
		assert_int_equal(hub_recv(child->hub, &msg), 0);
		child->spoken = child->spoken || msg.type == HUB_SPOKEN;
		if (msg.type != HUB_FACT)
			continue;
		child->last[msg.id] = msg;
		assert_null(strstr(msg.text, "s3cr3t"));
		assert_null(strstr(msg.why, "s3cr3t"));
	}
	fail_msg("fact %s did not come", fact_info((uint16_t)id)->name);
}

static int child_end(struct child *child)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void configure(struct conf *conf, const struct server *server)
{
	memset(conf, 0, sizeof(*conf));
	conf->agent.log_level = 0;
	conf->imds = (struct conf_imds){ .timeout_ms = 2000,
		                         .refresh_ms = 60000,
		                         .state_ms = 1000,
		                         .token_ttl_s = 60,
		                         .max_age_ms = 300000 };
	/* No program listens on port 1: pushes fail, which has no further effect. */
	conf->metrics = (struct conf_metrics){ .enabled = true,
		                               .space = "WebNode",
		                               .name = "CPUUtilization",
		                               .push_ms = 10000,
		                               .resolution = 1,
		                               .endpoint = "http://127.0.0.1:1",
		                               .region = "ap-northeast-2",
		                               .queue_max = 100,
		                               .queue_age_ms = 3600000,
		                               .timeout_ms = 5000,
		                               .retry_max_ms = 60000,
		                               .max_age_ms = 60000 };
	snprintf(conf->imds.endpoint, sizeof(conf->imds.endpoint), "http://127.0.0.1:%d",
	         server->port);
}

static void test_life(void **state)
{
	struct server *server = server_new(metadata);
	static struct conf conf;
	struct child child;
	struct msg healthy = { .type = HUB_VERDICT, .more = { 0, 1 } };

	(void)state;
	configure(&conf, server);
	child_start(&child, &conf);
	assert_int_equal(hub_send(child.hub, &healthy), 0);
	await(&child, FACT_TAGS, 2);
	await(&child, FACT_TARGET_STATE, 1);
	await(&child, FACT_CREDENTIALS, CRED_OK);
	await(&child, FACT_INSTANCE_ID, 1);
	assert_string_equal(child.last[FACT_CREDENTIALS].text, "instance role web-node");
	assert_string_equal(child.last[FACT_TARGET_STATE].text, "InService");
	assert_string_equal(child.last[FACT_INSTANCE_ID].text, "i-0123456789abcdef0");
	assert_true(child.spoken);
	/* All facts are sent again to a new core. */
	close(child.hub);
	memset(child.last, 0, sizeof(child.last));
	child.hub = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(child.hub >= 0);
	await(&child, FACT_IMDS, IMDS_OK);
	await(&child, FACT_ASG, 1);
	await(&child, FACT_TAGS, 2);
	assert_string_equal(child.last[FACT_ASG].text, "web");
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
	server_free(server);
}

static void test_no_service(void **state)
{
	struct server *server = server_new(metadata);
	static struct conf conf;
	struct child child;

	(void)state;
	configure(&conf, server);
	/* The port is closed again: a connect is refused at once, which is reported. */
	server_free(server);
	child_start(&child, &conf);
	await(&child, FACT_IMDS, IMDS_SILENT);
	assert_non_null(strstr(child.last[FACT_IMDS].why, "127.0.0.1"));
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
}

/* The order outlives the process, and it is the first thing that a new one tells. */
static void test_drain(void **state)
{
	struct server *server = server_new(metadata);
	static struct conf conf;
	struct child child;

	(void)state;
	configure(&conf, server);
	server_free(server);
	conf.life.web_port = 80;
	conf.life.drain_delay_ms = 600 * 1000;
	conf.life.drain_quiet_ms = 600 * 1000;
	child_start(&child, &conf);
	await(&child, FACT_LIFECYCLE, LIFE_STARTING);
	await(&child, FACT_IMDS, IMDS_SILENT);
	assert_int_equal(kill(child.pid, SIGUSR1), 0);
	await(&child, FACT_LIFECYCLE, LIFE_DRAINING);
	assert_int_equal(child.last[FACT_LIFECYCLE].more[LIFE_CAUSE], LIFE_ORDERED);
	assert_int_equal(child.last[FACT_LIFECYCLE].more[LIFE_CONNECTIONS], 0);
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	child_close(&child);
	child_start(&child, &conf);
	await(&child, FACT_LIFECYCLE, LIFE_DRAINING);
	assert_false(child.spoken);
	assert_int_equal(kill(child.pid, SIGUSR2), 0);
	await(&child, FACT_LIFECYCLE, LIFE_STARTING);
	assert_int_equal(child.last[FACT_LIFECYCLE].more[LIFE_CAUSE], LIFE_SERVES);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
	child_start(&child, &conf);
	await(&child, FACT_LIFECYCLE, LIFE_STARTING);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
	/* An order while the process starts. */
	child_exec(&child, &conf, "early");
	await(&child, FACT_LIFECYCLE, LIFE_DRAINING);
	assert_int_equal(kill(child.pid, SIGUSR2), 0);
	await(&child, FACT_LIFECYCLE, LIFE_STARTING);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
}

/* A reload with the same configuration while the metadata service is away: this process goes on with
 * what it knows, and reads its secrets again at once. */
static void test_reload_in_an_outage(void **state)
{
	static const char keys[] = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
	                           "aws_secret_access_key = s3cr3t-s3cr3t\n";
	struct server *server = server_new(metadata);
	static struct conf conf;
	struct child child;
	int fd;

	(void)state;
	configure(&conf, server);
	snprintf(conf.metrics.credentials_file, sizeof(conf.metrics.credentials_file), "%s/keys",
	         dir);
	fd = open(conf.metrics.credentials_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	child_start(&child, &conf);
	await(&child, FACT_INSTANCE_ID, 1);
	await(&child, FACT_CREDENTIALS, CRED_OK);
	assert_string_equal(child.last[FACT_CREDENTIALS].text, "instance role web-node");
	server_free(server);
	await(&child, FACT_IMDS, IMDS_SILENT);
	assert_int_equal(write(fd, keys, sizeof(keys) - 1), sizeof(keys) - 1);
	close(fd);
	assert_int_equal(kill(child.pid, SIGHUP), 0);
	do {
		child.last[FACT_CREDENTIALS].type = 0;
		await(&child, FACT_CREDENTIALS, CRED_OK);
	} while (strcmp(child.last[FACT_CREDENTIALS].text, "shared file, profile default") != 0);
	memset(child.last, 0, sizeof(child.last));
	await(&child, FACT_INSTANCE_ID, 1);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	assert_int_equal(child_end(&child), 0);
	child_close(&child);
}

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = HUB_SOCKET };

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	    mkdir("/run/web-node-agent", 0755) < 0)
		return -1;
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 8) < 0)
		return -1;
	str_copy(dir, sizeof(dir), "/tmp/wna-loop-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void test_needs_root(void **state)
{
	(void)state;
	print_message("a mount namespace needs root\n");
	skip();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest unprivileged[] = { cmocka_unit_test(test_needs_root) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_reload_in_an_outage),
	};

	if (argc == 4) {
		str_copy(dir, sizeof(dir), argv[2]);
		return run_child(argv[3], strcmp(argv[1], "early") == 0);
	}
	if (geteuid() != 0)
		return cmocka_run_group_tests(unprivileged, NULL, NULL);
	return cmocka_run_group_tests(tests, setup, teardown);
}
