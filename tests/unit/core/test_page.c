/* The pages: what they say, and that every byte of their head is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

static struct pages pages;

static const struct page *page(enum page_id id, int close)
{
	return &pages.item[id][close];
}

static void expect_status(enum page_id id, const char *status, const char *body)
{
	for (int close = 0; close < 2; close++) {
		const struct page *p = page(id, close);

		assert_memory_equal(p->text, status, strlen(status));
		assert_int_equal(p->len - p->head_len, strlen(body));
		assert_memory_equal(p->text + p->head_len, body, strlen(body));
		assert_non_null(strstr(p->text, close ? "\r\nConnection: close\r\n"
		                                      : "\r\nConnection: keep-alive\r\n"));
	}
}

static void every_head_is_complete(void **state)
{
	(void)state;
	page_render(&pages, LEVEL_OK, LEVEL_FAIL, 784111777000);
	for (int id = 0; id < PAGE_MAX; id++) {
		for (int close = 0; close < 2; close++) {
			const struct page *p = page((enum page_id)id, close);
			const char *length = strstr(p->text, "\r\nContent-Length: ");

			assert_int_equal(strlen(p->text), p->len);
			assert_memory_equal(p->text + p->head_len - 4, "\r\n\r\n", 4);
			assert_non_null(length);
			assert_int_equal(strtol(length + 18, NULL, 10), p->len - p->head_len);
			assert_non_null(strstr(p->text, "\r\nCache-Control: no-store\r\n"));
			assert_non_null(strstr(p->text, "\r\nContent-Type: text/plain\r\n"));
			/* RFC 9110's own example */
			assert_non_null(
			        strstr(p->text, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
		}
	}
	assert_non_null(strstr(page(PAGE_METHOD, 0)->text, "\r\nAllow: GET, HEAD\r\n"));
}

static void levels_become_codes(void **state)
{
	static const struct {
		enum verdict_level level;
		const char *status, *body;
	} table[] = {
		{ LEVEL_OK, "HTTP/1.1 200 OK\r\n", "ok\n" },
		{ LEVEL_DEGRADED, "HTTP/1.1 200 OK\r\n", "degraded\n" },
		{ LEVEL_WAITING, "HTTP/1.1 503 Service Unavailable\r\n", "waiting\n" },
		{ LEVEL_FAIL, "HTTP/1.1 503 Service Unavailable\r\n", "fail\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		page_render(&pages, table[i].level, LEVEL_OK, 0);
		expect_status(PAGE_HEALTHZ, table[i].status, table[i].body);
		expect_status(PAGE_READYZ, "HTTP/1.1 200 OK\r\n", "ok\n");
		page_render(&pages, LEVEL_OK, table[i].level, 0);
		expect_status(PAGE_READYZ, table[i].status, table[i].body);
		expect_status(PAGE_HEALTHZ, "HTTP/1.1 200 OK\r\n", "ok\n");
		expect_status(PAGE_LIVEZ, "HTTP/1.1 200 OK\r\n", "ok\n");
	}
}

static void a_new_date_changes_nothing_else(void **state)
{
	static struct pages before;

	(void)state;
	page_render(&pages, LEVEL_OK, LEVEL_OK, 0);
	before = pages;
	page_date(&pages, 784111777000);
	assert_memory_not_equal(&pages, &before, sizeof pages);
	page_date(&pages, 0);
	assert_memory_equal(&pages, &before, sizeof pages);
	/* With an impossible time the page stays as it was. */
	page_date(&pages, -1);
	assert_memory_equal(&pages, &before, sizeof pages);
	page_date(&pages, INT64_MAX);
	assert_memory_equal(&pages, &before, sizeof pages);
}

static void status_has_its_own_head(void **state)
{
	char head[256];
	size_t len = page_head(head, sizeof head, 200, STATUS_FIELDS, 1234, true, 784111777000);

	(void)state;
	assert_int_equal(len, strlen(head));
	assert_non_null(strstr(head, "\r\nContent-Length: 1234\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(head, "\r\nConnection: close\r\n\r\n"));
	assert_int_equal(page_head(head, 20, 503, STATUS_FIELDS, 1234, true, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_head_is_complete),
		cmocka_unit_test(levels_become_codes),
		cmocka_unit_test(a_new_date_changes_nothing_else),
		cmocka_unit_test(status_has_its_own_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
