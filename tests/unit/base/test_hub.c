/* Messages over a real SEQPACKET pair: what is taken and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fact.h"
#include "hub.h"
#include "role.h"

static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
	(void)state;
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}

static struct msg example(void)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_RDS, .value = RDS_WRITABLE };

	strcpy(msg.text, "10.16.6.137");
	return msg;
}

static void there_and_back(void **state)
{
	struct msg sent = example(), got;

	(void)state;
	assert_int_equal(hub_send(pair[0], &sent), 0);
	assert_int_equal(hub_recv(pair[1], &got), 0);
	assert_memory_equal(&sent, &got, sizeof got);
	assert_int_equal(hub_recv(pair[1], &got), -EAGAIN);
}

static void wrong_lengths_are_dropped_one_by_one(void **state)
{
	char big[sizeof(struct msg) + 8] = { 0 };
	struct msg sent = example(), got;

	(void)state;
	memcpy(big, &sent, sizeof sent);
	assert_int_equal(send(pair[0], big, sizeof big, 0), sizeof big);
	assert_int_equal(send(pair[0], big, 3, 0), 3);
	assert_int_equal(hub_send(pair[0], &sent), 0);
	assert_int_equal(hub_recv(pair[1], &got), -EBADMSG);
	assert_int_equal(hub_recv(pair[1], &got), -EBADMSG);
	assert_int_equal(hub_recv(pair[1], &got), 0);
}

static void a_closed_peer_is_the_end(void **state)
{
	struct msg sent = example(), got;

	(void)state;
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(hub_recv(pair[0], &got), -EPIPE);
	assert_int_equal(hub_send(pair[0], &sent), -EPIPE);
}

static void a_full_peer_never_blocks(void **state)
{
	struct msg sent = example();
	int rc = 0;

	(void)state;
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = hub_send(pair[0], &sent);
	assert_int_equal(rc, -EAGAIN);
}

static void validity(void **state)
{
	struct msg msg = example();

	(void)state;
	assert_true(hub_valid(&msg));
	msg.type = 0;
	assert_false(hub_valid(&msg));
	msg.type = HUB_TYPE_MAX;
	assert_false(hub_valid(&msg));
	msg = example();
	msg.zero = 1;
	assert_false(hub_valid(&msg));
	msg = example();
	msg.found_ms = -1;
	assert_false(hub_valid(&msg));
	msg = example();
	msg.since_ms = -1;
	assert_false(hub_valid(&msg));
	msg = example();
	msg.text[3] = '\x1b';
	assert_false(hub_valid(&msg));
	msg = example();
	memset(msg.why, 'x', sizeof msg.why);
	assert_false(hub_valid(&msg));
}

static void every_fact_has_an_owner_and_a_name(void **state)
{
	(void)state;
	assert_null(fact_info(FACT_NONE));
	assert_null(fact_info(FACT_MAX));
	for (uint16_t id = 1; id < FACT_MAX; id++) {
		assert_non_null(fact_info(id));
		assert_non_null(fact_info(id)->name);
		assert_true(fact_info(id)->slots >= 1);
		for (uint16_t other = 1; other < id; other++)
			assert_string_not_equal(fact_info(id)->name, fact_info(other)->name);
	}
}

static void names_never_run_over(void **state)
{
	(void)state;
	assert_string_equal(role_name(ROLE_HOOKS), "hooks");
	assert_string_equal(role_of(ROLE_CORE)->exe, "wna-core");
	assert_string_equal(role_of(-1)->exe, "?");
	assert_string_equal(role_name(ROLE_MAX), "?");
	assert_string_equal(rds_state_name(-1), "?");
	assert_string_equal(rds_state_name(RDS_NO_NAME), "no-name");
	assert_string_equal(mount_state_name(INT64_MIN), "?");
	assert_string_equal(push_state_name(PUSH_STATE_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(wrong_lengths_are_dropped_one_by_one, open_pair,
		                                close_pair),
		cmocka_unit_test_setup_teardown(a_closed_peer_is_the_end, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_full_peer_never_blocks, open_pair, close_pair),
		cmocka_unit_test(validity),
		cmocka_unit_test(every_fact_has_an_owner_and_a_name),
		cmocka_unit_test(names_never_run_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
