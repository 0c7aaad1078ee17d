/* Text made safe, numbers read strictly, the bounded builder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "str.h"

static void copy_reports_a_cut(void **state)
{
	char buf[4];

	(void)state;
	assert_true(str_copy(buf, sizeof buf, "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, sizeof buf, "abcd"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, 0, ""));
}

static void clean_takes_the_sting_out(void **state)
{
	static const struct {
		const char *from, *to;
	} table[] = {
		{ "plain", "plain" },
		{ "  two \t\n words  ", "two words" },
		{ "esc\x1b[31m", "esc?[31m" },
		{ "del\x7f", "del?" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "c1 \xc2\x9b"
		  "31m",
		  "c1 ?31m" },
		{ "over\xc0\xaf", "over??" },
		{ "half\xe2\x82", "half??" },
		{ "\xed\xa0\x80 surrogate", "??? surrogate" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "", "" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_true(str_clean(buf, sizeof buf, table[i].from, strlen(table[i].from)));
		assert_string_equal(buf, table[i].to);
	}
}

static void clean_never_splits_a_character(void **state)
{
	char buf[8];

	(void)state;
	for (size_t size = 1; size <= sizeof buf; size++) {
		bool whole = str_clean(buf, size,
		                       "a\xe2\x82\xac"
		                       "b",
		                       5);

		assert_true(strlen(buf) < size);
		assert_int_equal(whole, size >= 6);
		/* 1..4: no room for the euro sign behind the "a" */
		if (size >= 2 && size <= 4)
			assert_string_equal(buf, "a");
		if (size == 5)
			assert_string_equal(buf, "a\xe2\x82\xac");
	}
}

static void clean_stops_at_len_and_takes_nul(void **state)
{
	char buf[16];

	(void)state;
	assert_true(str_clean(buf, sizeof buf, "a\0b", 3));
	assert_string_equal(buf, "a?b");
}

static void integers_are_whole_and_in_range(void **state)
{
	static const char *const bad[] = { "",    " 1",  "1 ", "+1",  "0x10",
		                           "1.0", "--1", "11", "-11", "9223372036854775808",
		                           "one" };
	int64_t value = 77;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(str_int64(bad[i], -10, 10, &value));
	assert_int_equal(value, 77);
	assert_true(str_int64("-10", -10, 10, &value));
	assert_int_equal(value, -10);
	assert_true(str_int64("9223372036854775807", 0, INT64_MAX, &value));
	assert_true(value == INT64_MAX);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = { { "5", 5000 },       { "5s", 5000 },    { "250ms", 250 },   { "2m", 120000 },
		     { "2 min", 120000 }, { "1h", 3600000 }, { "1d", 86400000 }, { "0", 0 } };
	static const char *const bad[] = {
		"", "s", "-1s", "1.5s", "5x", "5 s x", "9223372036854775807d"
	};
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(str_duration_ms(bad[i], &ms));
	assert_int_equal(ms, 7);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(str_duration_ms(good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
	}
}

static void bytes(void **state)
{
	int64_t value = 7;

	(void)state;
	assert_true(str_bytes("512", &value));
	assert_int_equal(value, 512);
	assert_true(str_bytes("512B", &value));
	assert_true(str_bytes("64K", &value));
	assert_int_equal(value, 65536);
	assert_true(str_bytes("10MiB", &value));
	assert_int_equal(value, 10485760);
	assert_true(str_bytes("1 GB", &value));
	assert_int_equal(value, 1073741824);
	assert_false(str_bytes("10X", &value));
	assert_false(str_bytes("iB", &value));
	assert_false(str_bytes("9223372036854775807T", &value));
	assert_int_equal(value, 1073741824);
}

static void only_these_characters(void **state)
{
	(void)state;
	assert_true(str_only("ap-northeast-2a", "-"));
	assert_false(str_only("ap northeast", "-"));
	assert_false(str_only("", "-"));
	assert_false(str_only("caf\xc3\xa9", "-"));
}

static void builder_counts_past_its_end(void **state)
{
	struct sb sb;
	char buf[8];

	(void)state;
	sb_init(&sb, buf, sizeof buf);
	sb_put(&sb, "1234");
	sb_printf(&sb, "%d", 567);
	assert_false(sb.cut);
	assert_string_equal(buf, "1234567");
	sb_char(&sb, '8');
	sb_put(&sb, "more");
	sb_printf(&sb, "%s", "and more");
	assert_true(sb.cut);
	assert_string_equal(buf, "1234567");
	assert_int_equal(sb.len, 7 + 1 + 4 + 8);
}

static void json_escapes(void **state)
{
	struct sb sb;
	char buf[128];

	(void)state;
	sb_init(&sb, buf, sizeof buf);
	sb_json(&sb, "a\"b\\c\n\x1f\x7f\xff caf\xc3\xa9");
	assert_string_equal(buf, "\"a\\\"b\\\\c\\u000a\\u001f\\u007f\\ufffd caf\xc3\xa9\"");
}

static void html_escapes(void **state)
{
	struct sb sb;
	char buf[128];

	(void)state;
	sb_init(&sb, buf, sizeof buf);
	sb_html(&sb, "<a b='&\"'>\n\xff caf\xc3\xa9");
	assert_string_equal(
	        buf, "&#60;a b=&#39;&#38;&#34;&#39;&#62;\xef\xbf\xbd\xef\xbf\xbd caf\xc3\xa9");
}

static void trim(void **state)
{
	char text[] = " \t a b \n";

	(void)state;
	assert_string_equal(str_trim(text), "a b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_reports_a_cut),
		cmocka_unit_test(clean_takes_the_sting_out),
		cmocka_unit_test(clean_never_splits_a_character),
		cmocka_unit_test(clean_stops_at_len_and_takes_nul),
		cmocka_unit_test(integers_are_whole_and_in_range),
		cmocka_unit_test(durations),
		cmocka_unit_test(bytes),
		cmocka_unit_test(only_these_characters),
		cmocka_unit_test(builder_counts_past_its_end),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(html_escapes),
		cmocka_unit_test(trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
