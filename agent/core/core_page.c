/* wna-core, and the simulator. Never blocks. Owns nothing. */
#include "core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DATE_LEN = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

static void date_text(int64_t wall_ms, char ret[DATE_LEN + 1])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[80];
	struct tm tm;

	/* A year without four digits would change the page's length, and cannot be true. */
	if (wall_ms < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900) {
		seconds = 0;
		gmtime_r(&seconds, &tm);
	}
	snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	         tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	         tm.tm_sec);
	memcpy(ret, text, DATE_LEN);
	ret[DATE_LEN] = '\0';
}

static const char *code_text(int code)
{
	return code == 200 ? "200 OK" : "503 Service Unavailable";
}

static void render(struct page *page, const char *status, const char *extra, const char *body,
                   bool close, const char *date)
{
	static const char before_date[] = "\r\nDate: ";
	int head, all;

	head = snprintf(page->text, sizeof page->text,
	                "HTTP/1.1 %s%s%s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
	                "Cache-Control: no-store\r\n%sConnection: %s\r\n\r\n",
	                status, before_date, date, strlen(body), extra,
	                close ? "close" : "keep-alive");
	assert(head > 0 && (size_t)head < sizeof page->text);
	all = snprintf(page->text + head, sizeof page->text - (size_t)head, "%s", body);
	assert(all >= 0 && (size_t)(head + all) < sizeof page->text);
	page->head_len = (uint16_t)head;
	page->len = (uint16_t)(head + all);
	page->date_at = (uint16_t)(strlen("HTTP/1.1 ") + strlen(status) + sizeof before_date - 1);
}

void page_render(struct pages *pages, enum verdict_level health, enum verdict_level ready,
                 int64_t wall_ms)
{
	static const char *const fixed[PAGE_MAX][2] = {
		[PAGE_LIVEZ] = { "200 OK", "ok\n" },
		[PAGE_FORBIDDEN] = { "403 Forbidden", "forbidden\n" },
		[PAGE_NOT_FOUND] = { "404 Not Found", "not found\n" },
		[PAGE_METHOD] = { "405 Method Not Allowed", "method not allowed\n" },
		[PAGE_BAD] = { "400 Bad Request", "bad request\n" },
		[PAGE_URI] = { "414 URI Too Long", "request line too long\n" },
		[PAGE_HEADERS] = { "431 Request Header Fields Too Large", "request too long\n" },
		[PAGE_VERSION] = { "505 HTTP Version Not Supported", "version not supported\n" },
	};
	char date[DATE_LEN + 1], body[32];

	date_text(wall_ms, date);
	for (int i = 0; i < PAGE_MAX; i++) {
		const char *status = fixed[i][0], *text = fixed[i][1];

		if (i == PAGE_HEALTHZ || i == PAGE_READYZ) {
			enum verdict_level level = i == PAGE_HEALTHZ ? health : ready;

			status = code_text(judge_code(level));
			snprintf(body, sizeof body, "%s\n", verdict_level_name(level));
			text = body;
		}
		for (int close = 0; close < 2; close++)
			render(&pages->item[i][close], status,
			       i == PAGE_METHOD ? "Allow: GET, HEAD\r\n" : "", text, close != 0,
			       date);
	}
}

void page_date(struct pages *pages, int64_t wall_ms)
{
	char date[DATE_LEN + 1];

	date_text(wall_ms, date);
	for (int i = 0; i < PAGE_MAX; i++) {
		for (int close = 0; close < 2; close++) {
			struct page *page = &pages->item[i][close];

			memcpy(page->text + page->date_at, date, DATE_LEN);
		}
	}
}

size_t page_head(char *ret, size_t size, int code, const char *fields, size_t body_len, bool close,
                 int64_t wall_ms)
{
	char date[DATE_LEN + 1];
	int n;

	date_text(wall_ms, date);
	n = snprintf(ret, size,
	             "HTTP/1.1 %s\r\nDate: %s\r\n%s"
	             "Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: %s\r\n\r\n",
	             code_text(code), date, fields, body_len, close ? "close" : "keep-alive");
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
