/* One end of a connection to the hub, with a hub of the test's own at the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "fact.h"
#include "peer.h"
#include "snapshot.h"

enum { PATIENCE_MS = 10000 };

static char path[64];
static int listener;
static struct conf conf;
static struct peer peer;

static void begin_to_listen(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(listener, 8), 0);
}

static void stop_listening(void)
{
	close(listener);
	unlink(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/wna-peer-%d", (int)getpid());
	unlink(path);
	memset(&conf, 7, sizeof conf);
	begin_to_listen();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (peer.hub_fd >= 0)
		close(peer.hub_fd);
	close(peer.timer_fd);
	close(peer.fd);
	stop_listening();
	return 0;
}

static int accept_one(void)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	return accept(listener, NULL, NULL);
}

/* Calls the peer for its events until `done`. */
static void turn_until(bool (*done)(void))
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;
	struct msg msg;

	while (!done() && clock_ms() < until_ms) {
		struct pollfd ready = { .fd = peer.fd, .events = POLLIN };

		poll(&ready, 1, 50);
		while (peer_recv(&peer, &msg))
			;
	}
	assert_true(done());
}

static bool is_connected(void)
{
	return peer.hub_fd >= 0;
}

static bool has_ended(void)
{
	return peer.hub_fd < 0;
}

static bool has_seen_the_end(void)
{
	char byte;

	return peer.hub_fd < 0 || recv(peer.hub_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static void say(enum fact_id id, int64_t value, const char *text, int64_t found_ms)
{
	struct msg msg = { .id = (uint16_t)id, .value = value, .found_ms = found_ms };

	snprintf(msg.text, sizeof msg.text, "%s", text);
	peer_say(&peer, &msg);
}

static struct msg hear(int fd, enum hub_type type)
{
	struct msg msg;

	assert_int_equal(hub_recv(fd, &msg), 0);
	assert_int_equal(msg.type, type);
	return msg;
}

static void the_hello_comes_first(void **state)
{
	struct msg msg;
	int fd;

	(void)state;
	assert_int_equal(
	        peer_init(&peer, path, ROLE_RDS, &conf, HUB_WANTS_VERDICT | HUB_WANTS(FACT_ASG)),
	        0);
	say(FACT_RDS, RDS_DOWN, "", 0);
	peer_spoken(&peer);
	fd = accept_one();
	msg = hear(fd, HUB_HELLO);
	assert_int_equal(msg.id, ROLE_RDS);
	assert_string_equal(msg.text, hub_contract);
	assert_int_equal(msg.value, snapshot_hash(&conf, ROLE_RDS));
	assert_int_equal(msg.more[0], 1 | INT64_C(1) << FACT_ASG);
	msg = hear(fd, HUB_FACT);
	assert_int_equal(msg.id, FACT_RDS);
	assert_true(msg.found_ms > 0 && msg.since_ms == msg.found_ms);
	hear(fd, HUB_SPOKEN);
	assert_int_equal(hub_recv(fd, &msg), -EAGAIN);
	close(fd);
}

/* What cannot grow old would only wake the core. */
static void the_same_again_is_sent_only_if_it_ages(void **state)
{
	struct msg msg;
	int fd;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_RDS, &conf, 0), 0);
	fd = accept_one();
	hear(fd, HUB_HELLO);
	say(FACT_RDS, RDS_WRITABLE, "10.0.0.1", 5);
	say(FACT_RDS_VERSION, 1, "8.0.36", 5);
	say(FACT_RDS, RDS_WRITABLE, "10.0.0.1", 6);
	say(FACT_RDS_VERSION, 1, "8.0.36", 6);
	say(FACT_RDS_VERSION, 1, "8.4.0", 7);
	assert_int_equal(hear(fd, HUB_FACT).id, FACT_RDS);
	assert_int_equal(hear(fd, HUB_FACT).id, FACT_RDS_VERSION);
	assert_int_equal(hear(fd, HUB_FACT).id, FACT_RDS);
	msg = hear(fd, HUB_FACT);
	assert_string_equal(msg.text, "8.4.0");
	assert_int_equal(hub_recv(fd, &msg), -EAGAIN);
	close(fd);
}

/* Facts that were sent without a hub, or before its restart, are sent again, with their first
 * times. */
static void all_is_said_again_after_a_reconnect(void **state)
{
	struct msg first, msg;
	int fd;

	(void)state;
	stop_listening();
	assert_int_equal(peer_init(&peer, path, ROLE_RDS, &conf, 0), 0);
	say(FACT_RDS, RDS_WRITABLE, "10.0.0.1", 5);
	say(FACT_RDS_RTT, 700, "", 6);
	say(FACT_RDS, RDS_WRITABLE, "10.0.0.1", 9);
	peer_spoken(&peer);
	assert_int_equal(peer.hub_fd, -1);
	begin_to_listen();
	turn_until(is_connected);
	for (int round = 0; round < 2; round++) {
		fd = accept_one();
		hear(fd, HUB_HELLO);
		first = hear(fd, HUB_FACT);
		assert_int_equal(first.id, FACT_RDS);
		assert_int_equal(first.found_ms, 9);
		assert_int_equal(first.since_ms, 5);
		assert_string_equal(first.text, "10.0.0.1");
		msg = hear(fd, HUB_FACT);
		assert_int_equal(msg.id, FACT_RDS_RTT);
		hear(fd, HUB_SPOKEN);
		assert_int_equal(hub_recv(fd, &msg), -EAGAIN);
		close(fd);
		turn_until(has_seen_the_end);
		turn_until(is_connected);
	}
}

static void since_is_when_the_value_began(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_CHECK, &conf, 0), 0);
	fd = accept_one();
	hear(fd, HUB_HELLO);
	say(FACT_CHECK, CHECK_GOOD, "web", 100);
	say(FACT_CHECK, CHECK_GOOD, "disk", 150);
	say(FACT_CHECK, CHECK_GOOD, "web", 200);
	say(FACT_CHECK, CHECK_BAD, "web", 300);
	assert_int_equal(hear(fd, HUB_FACT).since_ms, 100);
	assert_int_equal(hear(fd, HUB_FACT).since_ms, 150);
	assert_int_equal(hear(fd, HUB_FACT).since_ms, 100);
	assert_int_equal(hear(fd, HUB_FACT).since_ms, 300);
	close(fd);
}

/* A hub that ends each connection at once is asked ever less often. */
static void a_refusing_hub_is_not_besieged(void **state)
{
	int64_t until_ms = clock_ms() + 1000;
	unsigned tries = 0;
	struct msg msg;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_RDS, &conf, 0), 0);
	while (clock_ms() < until_ms) {
		struct pollfd ready[2] = { { .fd = peer.fd, .events = POLLIN },
			                   { .fd = listener, .events = POLLIN } };

		poll(ready, 2, 100);
		if (ready[1].revents) {
			close(accept(listener, NULL, NULL));
			tries++;
		}
		peer_recv(&peer, &msg);
	}
	assert_in_range(tries, 2, 12);
}

/* A stopped hub: the peer does not wait but drops the connection, and sends the present state
 * of all facts with the next one. */
static void a_hub_that_does_not_read_stops_no_finder(void **state)
{
	int fd, other;
	struct msg msg;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_RDS, &conf, 0), 0);
	fd = accept_one();
	for (int i = 0; i < 5000; i++)
		say(FACT_RDS_RTT, i, "", i + 1);
	turn_until(is_connected);
	other = accept_one();
	hear(other, HUB_HELLO);
	msg = hear(other, HUB_FACT);
	while (hub_recv(other, &msg) == 0)
		;
	assert_int_equal(peer.said[0].value, 4999);
	close(other);
	close(fd);
}

/* Nothing is lost by that: all facts are sent again with the next connection. */
static void a_malformed_message_ends_the_connection(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_RDS, &conf, 0), 0);
	fd = accept_one();
	assert_int_equal(send(fd, "short", 5, 0), 5);
	turn_until(has_ended);
	close(fd);
	turn_until(is_connected);
	fd = accept_one();
	hear(fd, HUB_HELLO);
	close(fd);
}

static void foreign_texts_are_cleaned(void **state)
{
	struct msg msg;
	int fd;

	(void)state;
	assert_int_equal(peer_init(&peer, path, ROLE_CLOUD, &conf, 0), 0);
	fd = accept_one();
	hear(fd, HUB_HELLO);
	say(FACT_ASG, 1, "web\x1b[31m\n\xff", 0);
	msg = hear(fd, HUB_FACT);
	assert_string_equal(msg.text, "web?[31m ?");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_hello_comes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(all_is_said_again_after_a_reconnect, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_same_again_is_sent_only_if_it_ages, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(since_is_when_the_value_began, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusing_hub_is_not_besieged, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hub_that_does_not_read_stops_no_finder, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_malformed_message_ends_the_connection, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(foreign_texts_are_cleaned, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
