/* tcp checks, and the end of a run, on loopback. */
#include "running.h"

static struct conf_check tcp(uint16_t port, int64_t timeout_ms)
{
	struct conf_check conf = { .type = CHECK_TCP, .timeout_ms = timeout_ms };
	char text[64];

	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	assert_true(net_endpoint_parse(text, &conf.address));
	return conf;
}

static void tcp_good(void **state)
{
	struct server server = { .way = SERVER_SILENT };
	struct conf_check conf;

	(void)state;
	server_start(&server, base, AF_INET);
	conf = tcp(server.port, LONG_MS);
	run_conf(&conf);
	expect_good("connected");
	server_stop(&server);
	conf = tcp(server.port, LONG_MS);
	run_conf(&conf);
	expect_bad(ECONNREFUSED, "connection refused");
	conf.address.addr.family = 0;
	run_conf(&conf);
	expect_bad(EINVAL, "invalid argument");
}

/* Listens with a full queue: the kernel drops further SYNs. */
static void tcp_no_answer(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof in;
	struct conf_check conf;
	int full[8];

	(void)state;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	for (size_t i = 0; i < 8; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(full[i], (struct sockaddr *)&in, sizeof in);
	}
	conf = tcp(ntohs(in.sin_port), SHORT_MS);
	run_conf(&conf);
	expect_bad(ETIMEDOUT, "not connected within");
	conf = http(ntohs(in.sin_port), SHORT_MS);
	run_conf(&conf);
	expect_bad(ETIMEDOUT, "not connected within");
	for (size_t i = 0; i < 8; i++)
		close(full[i]);
	close(listener);
}

static void cancelled_run_is_silent(void **state)
{
	struct server server = { .way = SERVER_SILENT };
	struct conf_check conf;
	struct check_run run;

	(void)state;
	server_start(&server, base, AF_INET);
	conf = http(server.port, LONG_MS);
	reports = 0;
	assert_int_equal(check_run_init(&run, &conf, &env, base, on_done, NULL), 0);
	check_run_start(&run, 0);
	assert_true(check_run_waits(&run));
	while (server.accepted == 0)
		event_base_loop(base, EVLOOP_ONCE);
	check_run_cancel(&run);
	check_run_cancel(&run);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(reports, 0);
	/* And can be started again. */
	check_run_start(&run, 0);
	check_run_cancel(&run);
	event_free(run.timer);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_good),
		cmocka_unit_test(tcp_no_answer),
		cmocka_unit_test(cancelled_run_is_silent),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
