/* Which characters may reach a terminal, and their width. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl.h"

static char *written(const char *text, bool utf8)
{
	char *ret = NULL;
	size_t len;
	FILE *file = open_memstream(&ret, &len);

	text_write(file, text, strlen(text), utf8);
	fclose(file);
	return ret;
}

static void expect(const char *text, bool utf8, const char *wanted)
{
	char *got = written(text, utf8);

	assert_string_equal(got, wanted);
	free(got);
}

static void what_steers_is_taken_out(void **state)
{
	(void)state;
	expect("plain text, 100%\n\tnext", true, "plain text, 100%\n\tnext");
	expect("\033[2J\a\r\b\177", true, "?[2J????");
	expect("\302\2331m", true, "?1m");                  /* U+009B, CSI in one character */
	expect("a\342\200\256b", true, "a?b");              /* U+202E, right to left */
	expect("a\342\200\213b\357\273\277", true, "a?b?"); /* zero width, byte order mark */
	expect("\360\237\230\200 \303\251 \346\227\245", true,
	       "\360\237\230\200 \303\251 \346\227\245");
	expect("caf\303\251", false, "caf?");
	expect("\377\300\200\355\240\200x", true, "??????x"); /* no UTF-8 */
	expect("cut \346\227", true, "cut ??");
}

static void widths(void **state)
{
	(void)state;
	assert_int_equal(text_cells("abc", true), 3);
	assert_int_equal(text_cells("caf\303\251", true), 4);
	assert_int_equal(text_cells("\346\227\245\346\234\254", true), 4);
	assert_int_equal(text_cells("e\314\201", true), 1); /* combining */
	assert_int_equal(text_cells("\033[1m", true), 4);
	assert_int_equal(text_cells("\346\227\245", false), 1);
}

static void check_lines(const char *text, int width)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		char line[4096];

		snprintf(line, sizeof line, "%.*s", (int)len, text);
		if (text_cells(line, true) > width)
			fail_msg("%d columns: %s", text_cells(line, true), line);
		text += len + (text[len] == '\n');
	}
}

static void wrapping(void **state)
{
	static const char *const text =
	        "the quick brown fox \346\227\245\346\234\254\350\252\236 "
	        "jumps over-a-very-long-word-that-fits-nowhere-at-all and sleeps";
	char *ret = NULL;
	size_t len;

	(void)state;
	for (int width = 20; width < 120; width++) {
		for (int column = 0; column <= width; column += 7) {
			FILE *file = open_memstream(&ret, &len);
			struct page page;

			page_init(&page, file, width, false, true);
			page_to(&page, column);
			page_wrap(&page, column, PAGE_BAD, text);
			page_put(&page, PAGE_GOOD, text);
			page_end(&page);
			fclose(file);
			check_lines(ret, width);
			assert_non_null(strstr(ret, "sleeps\n"));
			assert_null(strchr(ret, '\033'));
			free(ret);
		}
	}
}

static void cutting(void **state)
{
	struct page page;
	char *ret = NULL;
	size_t len;
	FILE *file = open_memstream(&ret, &len);

	(void)state;
	page_init(&page, file, 10, true, true);
	page_put(&page, PAGE_BAD, "0123456789abc");
	page_put(&page, PAGE_BAD, "more");
	page_end(&page);
	page_put(&page, PAGE_PLAIN, "0123456789");
	page_end(&page);
	fclose(file);
	assert_string_equal(ret, "\033[1;31m012345678\342\200\246\033[0m\n0123456789\n");
	free(ret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_steers_is_taken_out),
		cmocka_unit_test(widths),
		cmocka_unit_test(wrapping),
		cmocka_unit_test(cutting),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
