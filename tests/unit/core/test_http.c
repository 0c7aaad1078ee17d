/* Answers: kept alive, pipelined, in pieces, refused. */
#include "responder.h"

static void keeps_alive(void **state)
{
	int fd = client();

	(void)state;
	for (int i = 0; i < 3; i++) {
		say(fd, GET("/healthz"));
		expect_page(fd, PAGE_HEALTHZ);
		say(fd, GET("/readyz"));
		expect_page(fd, PAGE_READYZ);
	}
	assert_int_equal(http.connections, 1);
	say(fd, "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	hear(fd, 0);
	assert_string_equal(reply, page(PAGE_LIVEZ, 1)->text);
	assert_int_equal(http.connections, 0);
	close(fd);
}

static void head_has_no_body(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" GET("/livez"));
	hear(fd, (size_t)page(PAGE_HEALTHZ, 0)->head_len + page(PAGE_LIVEZ, 0)->len);
	assert_memory_equal(reply, page(PAGE_HEALTHZ, 0)->text, page(PAGE_HEALTHZ, 0)->head_len);
	assert_string_equal(reply + page(PAGE_HEALTHZ, 0)->head_len, page(PAGE_LIVEZ, 0)->text);
	say(fd, "HEAD /status HTTP/1.1\r\nHost: a\r\n\r\n" GET("/livez"));
	hear(fd, 1);
	assert_non_null(strstr(reply, "\r\n\r\nHTTP/1.1 200 OK"));
	close(fd);
}

static void pieces_of_one_byte(void **state)
{
	static const char text[] = GET("/healthz") GET("/readyz");
	int fd = client();

	(void)state;
	settle(1);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		assert_int_equal(send(fd, text + i, 1, 0), 1);
		turn();
	}
	hear(fd, (size_t)page(PAGE_HEALTHZ, 0)->len + page(PAGE_READYZ, 0)->len);
	assert_memory_equal(reply, page(PAGE_HEALTHZ, 0)->text, page(PAGE_HEALTHZ, 0)->len);
	close(fd);
}

/* Thousands of requests by a client that does not read until it has sent them all: every
 * one is answered, in order, also those that are cut between two reads. */
static void pipelined_without_reading(void **state)
{
	static const char pair[] = GET("/healthz") GET("/readyz");
	enum { PAIRS = 4000 };
	size_t size = PAIRS * (sizeof pair - 1), sent = 0, at = 0;
	size_t want = PAIRS * ((size_t)page(PAGE_HEALTHZ, 0)->len + page(PAGE_READYZ, 0)->len);
	char *text = malloc(size);
	int fd = client(), full = 0;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < PAIRS; i++)
		memcpy(text + i * (sizeof pair - 1), pair, sizeof pair - 1);
	/* Until both directions are full and the server waits to write. */
	while (sent < size && full < 100) {
		ssize_t n = send(fd, text + sent, size - sent, MSG_NOSIGNAL);

		full = n > 0 ? 0 : full + 1;
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	while (at < want) {
		ssize_t n = sent < size ? send(fd, text + sent, size - sent, MSG_NOSIGNAL) : 0;

		sent += n > 0 ? (size_t)n : 0;
		turn();
		n = recv(fd, reply + at, sizeof reply - at, MSG_DONTWAIT);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		at += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(at, want);
	for (at = 0; at < want;) {
		assert_memory_equal(reply + at, page(PAGE_HEALTHZ, 0)->text,
		                    page(PAGE_HEALTHZ, 0)->len);
		at += page(PAGE_HEALTHZ, 0)->len;
		assert_memory_equal(reply + at, page(PAGE_READYZ, 0)->text,
		                    page(PAGE_READYZ, 0)->len);
		at += page(PAGE_READYZ, 0)->len;
	}
	free(text);
	close(fd);
}

/* /status is larger than the socket's buffer. The answer to the request behind it comes after it. */
static void status_in_pieces(void **state)
{
	char line[TIMELINE_TEXT];
	const char *body, *end;
	size_t length = 0;
	int fd = client();

	(void)state;
	for (int i = 0; i < LIMIT_TIMELINE; i++) {
		memset(line, 'a' + i % 23, sizeof line - 1);
		line[sizeof line - 1] = '\0';
		timeline_add(&core.timeline, 0, line);
	}
	say(fd, "GET /status HTTP/1.1\r\nHost: a\r\n\r\n"
	        "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	hear(fd, 0);
	assert_int_equal(sscanf(strstr(reply, "Content-Length: "), "Content-Length: %zu", &length),
	                 1);
	assert_true(length > (size_t)LIMIT_TIMELINE * TIMELINE_TEXT);
	body = strstr(reply, "\r\n\r\n") + 4;
	end = body;
	for (int i = 0; i < LIMIT_TIMELINE; i++) {
		memset(line, 'a' + i % 23, sizeof line - 1);
		end = strstr(end, line);
		assert_non_null(end);
		end++;
	}
	assert_memory_equal(body + length - 2, "}\n", 2);
	assert_string_equal(body + length, page(PAGE_LIVEZ, 1)->text);
	close(fd);
}

/* Asks with one more header line and "close"; the whole answer is in reply. */
static void ask(const char *method, const char *path, const char *line)
{
	char text[200];
	int fd = client();

	snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\nConnection: close\r\n\r\n",
	         method, path, line);
	say(fd, text);
	hear(fd, 0);
	close(fd);
}

/* What is rendered: not for proxies, with its own head, and HEAD tells GET's length. */
static void rendered_answers(void **state)
{
	static const struct {
		const char *path, *type, *body;
	} rows[] = {
		{ "/", "text/html; charset=utf-8", "<!DOCTYPE html>" },
		{ "/status", "application/json", "{\"schema\":1,\"version\"" },
		{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", "# HELP wna_" },
	};
	static const char *const proxies[] = { "X-Forwarded-For: 127.0.0.1", "Via: 1.1 a",
		                               "Forwarded: for=a" };
	char type[100];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char *body;
		long length;

		for (size_t k = 0; k < 3; k++) {
			ask("GET", rows[i].path, proxies[k]);
			assert_string_equal(reply, page(PAGE_FORBIDDEN, 1)->text);
		}
		assert_int_equal(core.counters.refused_status, 3 * i + 3);
		snprintf(type, sizeof type, "\r\nContent-Type: %s\r\n", rows[i].type);
		ask("HEAD", rows[i].path, "Accept: */*");
		assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
		assert_non_null(strstr(reply, type));
		length = strtol(strstr(reply, "Content-Length: ") + 16, NULL, 10);
		ask("GET", rows[i].path, "Accept: */*");
		assert_non_null(strstr(reply, type));
		assert_true((strstr(reply, "\r\nContent-Security-Policy: default-src 'none'; ") !=
		             NULL) == (i == 0));
		body = strstr(reply, "\r\n\r\n") + 4;
		assert_memory_equal(body, rows[i].body, strlen(rows[i].body));
		/* A counter or a time may have one digit more. */
		assert_in_range(strlen(body), length, length + 20);
		assert_int_equal(strlen(body),
		                 strtol(strstr(reply, "Content-Length: ") + 16, NULL, 10));
	}
}

/* A health check that was left at the path "/" sees what /healthz says; Prometheus sees a 503's
 * metrics. */
static void the_page_has_the_code_of_healthz(void **state)
{
	(void)state;
	core.state.conf_why = "no file";
	core_step(&core, clock_ms(), clock_wall_ms());
	ask("GET", "/healthz", "Accept: */*");
	assert_memory_equal(reply, "HTTP/1.1 503 ", 13);
	ask("GET", "/", "Accept: */*");
	assert_memory_equal(reply, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(reply, "<h1>Out of service</h1>"));
	ask("GET", "/metrics", "Accept: */*");
	assert_memory_equal(reply, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(reply, "\nwna_config_valid 0\n"));
	core.state.conf_why = "";
	core_step(&core, clock_ms(), clock_wall_ms());
	page_render(&core.pages, LEVEL_OK, LEVEL_FAIL, 0);
	ask("GET", "/", "Accept: */*");
	assert_memory_equal(reply, "HTTP/1.1 200 ", 13);
}

/* The answer arrives, and then the connection is closed without a reset. */
static void bodies_are_answered_not_reset(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789");
	settle(1);
	hear(fd, page(PAGE_METHOD, 1)->len);
	assert_string_equal(reply, page(PAGE_METHOD, 1)->text);
	say(fd, "0123456789");
	assert_int_equal(hear(fd, 0), 0);
	shutdown(fd, SHUT_WR);
	settle(0);
	close(fd);
}

static void bad_ones_are_answered_and_closed(void **state)
{
	static const struct {
		const char *text;
		enum page_id page;
	} bad[] = {
		{ "nonsense\r\n\r\n", PAGE_BAD },
		{ "GET / HTTP/3.0\r\n\r\n", PAGE_VERSION },
		{ "GET /livez HTTP/1.1\r\n\r\n", PAGE_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int fd = client();

		say(fd, bad[i].text);
		hear(fd, 0);
		assert_string_equal(reply, page(bad[i].page, 1)->text);
		close(fd);
		settle(0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(head_has_no_body, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces_of_one_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(pipelined_without_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(status_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(rendered_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(the_page_has_the_code_of_healthz, setup, teardown),
		cmocka_unit_test_setup_teardown(bodies_are_answered_not_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_ones_are_answered_and_closed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
