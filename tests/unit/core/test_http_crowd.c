/* Too many clients, too slow ones, no descriptors, and the end. */
#include "responder.h"

/* A full table: clients in the order of their index. */
static void fill(int *fd)
{
	for (int i = 0; i < PLACES; i++) {
		fd[i] = client();
		settle((unsigned)i + 1);
	}
}

/* A full table of silent clients: each new one is still answered, and
 * the silent ones go in the order in which they came. */
static void silent_clients_make_room(void **state)
{
	int fd[PLACES], late[4];

	(void)state;
	fill(fd);
	for (int i = 0; i < 4; i++) {
		late[i] = client();
		say(late[i], GET("/healthz"));
		expect_page(late[i], PAGE_HEALTHZ);
		assert_int_equal(http.connections, PLACES);
		for (int j = 0; j < PLACES; j++)
			assert_int_equal(is_open(fd[j]), j > i);
	}
	assert_int_equal(core.counters.evicted, 4);
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
	for (int i = 0; i < 4; i++)
		close(late[i]);
}

/* A complete request resets a client's idle time; parts of a request do not. */
static void asking_keeps_the_place_dripping_does_not(void **state)
{
	int fd[PLACES], late;

	(void)state;
	fill(fd);
	say(fd[0], GET("/livez"));
	expect_page(fd[0], PAGE_LIVEZ);
	say(fd[1], "GET /livez HT");
	turn();
	late = client();
	say(late, GET("/livez"));
	expect_page(late, PAGE_LIVEZ);
	assert_true(is_open(fd[0]));
	assert_false(is_open(fd[1]));
	assert_true(is_open(fd[2]));
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
	close(late);
}

/* The oldest has a whole request waiting unread: it is answered, not evicted. */
static void a_waiting_request_is_answered_first(void **state)
{
	int fd[PLACES], late;

	(void)state;
	fill(fd);
	late = client();
	say(late, GET("/livez"));
	say(fd[0], GET("/readyz"));
	expect_page(late, PAGE_LIVEZ);
	expect_page(fd[0], PAGE_READYZ);
	assert_true(is_open(fd[0]));
	assert_false(is_open(fd[1]));
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
	close(late);
}

/* All have a request at hand: a new client still gets a place and its answer. */
static void busy_clients_make_room(void **state)
{
	int fd[PLACES], late;

	(void)state;
	fill(fd);
	late = client();
	say(late, GET("/livez"));
	for (int i = 0; i < PLACES; i++)
		say(fd[i], GET("/readyz"));
	expect_page(late, PAGE_LIVEZ);
	assert_int_equal(core.counters.evicted, 1);
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
	close(late);
}

static void half_requests_run_out_of_time(void **state)
{
	int idle = client(), half = client();

	(void)state;
	settle(2);
	say(half, "GET /livez");
	assert_int_equal(hear(half, 0), 0);
	assert_true(is_open(idle));
	assert_int_equal(core.counters.timed_out, 1);
	close(half);
	close(idle);
}

static void draining_answers_what_is_held(void **state)
{
	int idle = client(), asked = client(), half = client(), kept = client(), mute = client();

	(void)state;
	settle(5);
	say(kept, GET("/livez"));
	expect_page(kept, PAGE_LIVEZ);
	say(half, "GET /livez HTTP/1.1\r\n");
	turn();
	say(asked, GET("/livez"));
	http_drain(&http);
	hear(asked, 0);
	assert_string_equal(reply, page(PAGE_LIVEZ, 1)->text);
	/* A client that has had an answer must expect the end of its connection at any time. */
	assert_int_equal(hear(kept, 0), 0);
	settle(3);
	say(half, "Host: a\r\n\r\n");
	hear(half, 0);
	assert_string_equal(reply, page(PAGE_LIVEZ, 1)->text);
	say(idle, GET("/livez"));
	hear(idle, 0);
	assert_string_equal(reply, page(PAGE_LIVEZ, 1)->text);
	assert_true(is_open(mute));
	close(idle);
	close(kept);
	close(mute);
	close(asked);
	close(half);
}

/* No descriptor left: an idle connection makes room; without one the new connection waits
 * until there are descriptors again. */
static void without_descriptors(void **state)
{
	struct rlimit before, none;
	int idle, late, first_free;

	(void)state;
	idle = client();
	settle(1);
	late = client();
	say(late, GET("/livez"));
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	first_free = dup(0);
	close(first_free);
	none.rlim_cur = (rlim_t)first_free;
	setrlimit(RLIMIT_NOFILE, &none);
	expect_page(late, PAGE_LIVEZ);
	assert_false(is_open(idle));
	setrlimit(RLIMIT_NOFILE, &before);
	close(idle);
	close(late);
	settle(0);
	late = client();
	say(late, GET("/livez"));
	first_free = dup(0);
	close(first_free);
	none.rlim_cur = (rlim_t)first_free;
	setrlimit(RLIMIT_NOFILE, &none);
	turn();
	assert_int_equal(http.connections, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	expect_page(late, PAGE_LIVEZ);
	close(late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(silent_clients_make_room, setup, teardown),
		cmocka_unit_test_setup_teardown(asking_keeps_the_place_dripping_does_not, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_waiting_request_is_answered_first, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(busy_clients_make_room, setup, teardown),
		cmocka_unit_test_setup_teardown(half_requests_run_out_of_time, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors, setup, teardown),
		/* The last, since the responder accepts nothing after it. */
		cmocka_unit_test_setup_teardown(draining_answers_what_is_held, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
