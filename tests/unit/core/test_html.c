/* The page: it is HTML whatever the facts are, says what is, fits, and can be read. */
#include "worst.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "trend.h"

/* Every element is closed, in order, and no quote is left open. */
static void check_html(const char *at)
{
	char open[32][16];
	int depth = 0;

	while ((at = strchr(at, '<'))) {
		bool end = at[1] == '/';
		const char *name = at + 1 + end, *close = at;
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz123456");

		for (bool quoted = false; quoted || *close != '>'; close++) {
			assert_true(*close != '\0');
			assert_true(quoted || close == at || *close != '<');
			quoted ^= *close == '"';
		}
		if (end) {
			assert_true(depth > 0);
			assert_int_equal(strlen(open[depth - 1]), len);
			assert_memory_equal(open[--depth], name, len);
		} else if (at[1] != '!' && close[-1] != '/' && strncmp(name, "meta", 4) != 0 &&
		           strncmp(name, "link", 4) != 0) {
			assert_true(depth < 32 && len < sizeof open[0]);
			memcpy(open[depth], name, len);
			open[depth++][len] = '\0';
		}
		at = close;
		/* Text that is no HTML. */
		if (!end && (strncmp(name, "style", 5) == 0 || strncmp(name, "script", 6) == 0))
			at = strstr(at, "</s");
		assert_non_null(at);
	}
	assert_int_equal(depth, 0);
}

static void render(void)
{
	size_t len = html_render(&core, 3600000, 3600000, page, sizeof page);

	assert_true(len > 0);
	assert_int_equal(len, strlen(page));
	check_html(page);
}

static void take(enum fact_id id, int64_t value, const char *text, const char *why)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };
	unsigned slot;

	snprintf(msg.text, sizeof msg.text, "%s", text);
	snprintf(msg.why, sizeof msg.why, "%s", why);
	assert_int_equal(core_take(&core, fact_info(msg.id)->owner, &msg, 3600000, 3600000, &slot),
	                 0);
}

static void the_worst_fits(void **state)
{
	(void)state;
	fill_worst();
	render();
	assert_true(strlen(page) < sizeof page * 9 / 10);
	assert_int_equal(html_render(&core, 2000, 2000, page, 100), 0);
}

/* Nothing from outside becomes an element or ends an attribute. */
static void all_texts_are_escaped(void **state)
{
	static const char bad[] = "<script>'\"&";

	(void)state;
	for (int i = 0; i < LIMIT_CHECKS; i++)
		snprintf(snapshot.conf.checks.item[i].name, LIMIT_NAME, "%d%s", i, bad);
	snprintf(snapshot.why, sizeof snapshot.why, "%s", bad);
	for (uint16_t id = FACT_NONE + 1; id < FACT_MAX; id++) {
		if (id != FACT_CHECK)
			take((enum fact_id)id, 1, bad, bad);
	}
	take(FACT_CHECK, 0, snapshot.conf.checks.item[0].name, bad);
	timeline_add(&core.timeline, 0, bad);
	render();
	assert_null(strstr(page, bad));
	assert_non_null(strstr(page, "&#60;script&#62;&#39;&#34;&#38;"));
}

static void each_level_has_its_sentence(void **state)
{
	static const struct {
		enum verdict_level level;
		const char *said;
	} table[] = {
		{ LEVEL_WAITING, "<h1>Not in service yet</h1>" },
		{ LEVEL_FAIL, "<h1>Out of service</h1>" },
		{ LEVEL_DRAINING, "<h1>Leaving service</h1>" },
		{ LEVEL_OK, "<h1>In service</h1>" },
		{ LEVEL_DEGRADED, "<h1>In service, degraded</h1>" },
	};
	struct conf *conf = &snapshot.conf;

	(void)state;
	conf->mount.enabled = conf->rds.enabled = conf->metrics.enabled = false;
	conf->checks.count = 1;
	strcpy(conf->checks.item[0].name, "a");
	conf->checks.item[0].type = CHECK_FILE;
	conf->checks.item[0].initial = INITIAL_BAD;
	conf->imds.max_age_ms = conf->checks.item[0].max_age_ms = 10000000;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct msg life = { .type = HUB_FACT, .id = FACT_LIFECYCLE };
		unsigned slot;

		life.value = table[i].level == LEVEL_DRAINING ? LIFE_DRAINING : LIFE_IN_SERVICE;
		life.more[LIFE_CAUSE] =
		        table[i].level == LEVEL_DRAINING ? LIFE_ORDERED : LIFE_SERVES;
		core_take(&core, ROLE_CLOUD, &life, 3600000, 3600000, &slot);
		if (table[i].level == LEVEL_FAIL || table[i].level >= LEVEL_DRAINING) {
			struct msg bad = { .type = HUB_FACT, .id = FACT_CHECK };

			bad.more[CHECK_LAST] = -1;
			strcpy(bad.text, conf->checks.item[0].name);
			strcpy(bad.why, "404, wanted 200-299");
			core_take(&core, ROLE_CHECK, &bad, 3600000, 3600000, &slot);
		} else if (table[i].level != LEVEL_WAITING) {
			take(FACT_CHECK, 1, conf->checks.item[0].name, "");
			take(FACT_IMDS, IMDS_OK, "", "");
			take(FACT_INSTANCE_ID, table[i].level == LEVEL_OK, "i-0abc", "");
		}
		render();
		assert_int_equal(core.health.level, table[i].level);
		assert_non_null(strstr(page, table[i].said));
		assert_true((strstr(page, "<p class=\"why\">a: 404, wanted 200-299</p>") != NULL) ==
		            (table[i].level == LEVEL_FAIL || table[i].level == LEVEL_DRAINING));
	}
}

/* A bar for each minute with a value, at its place; gaps stay gaps. */
static void charts_show_the_hour(void **state)
{
	struct trend trend = { .mean = true };
	char text[LIMIT_FACT_WHY];

	(void)state;
	trend_add(&trend, 0, 250);
	trend_add(&trend, TREND_MINUTE_MS, 500);
	trend_add(&trend, INT64_C(3) * TREND_MINUTE_MS, 0);
	trend_text(&trend, text);
	/* The core is in minute 60: minutes 0 and 1 are the first of 60, minute 2 has none. */
	take(FACT_CPU_HOUR, 2, "", text);
	take(FACT_CPU, 420, "", "");
	render();
	assert_non_null(strstr(page, "<path d=\"M2 48V35.2M6 48V23.5\"/>"));
	assert_non_null(strstr(
	        page, "aria-label=\"CPU busy: now 42.0 %, at most 50.0 % in the last hour\""));
	assert_non_null(strstr(page, "EFS round trip: now not known, no value in the last hour"));
	/* The core has another idea of the time: nothing is drawn outside. */
	take(FACT_CPU_HOUR, 60, "", text);
	render();
	assert_non_null(strstr(page, "no value in the last hour"));
	assert_null(strstr(page, "at most"));
	take(FACT_CPU_HOUR, INT64_MIN, "", text);
	render();
	take(FACT_CPU_HOUR, INT64_MAX, "", text);
	render();
}

static void hash_of(const char *text, char *ret)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len;

	assert_int_equal(EVP_Digest(text, strlen(text), hash, &len, EVP_sha256(), NULL), 1);
	EVP_EncodeBlock((unsigned char *)ret, hash, (int)len);
}

static void style_and_script_are_those_of_the_policy(void **state)
{
	char style[64], script[64];

	(void)state;
	hash_of(html_style, style);
	hash_of(html_script, script);
	assert_string_equal(HTML_STYLE_HASH, style);
	assert_string_equal(HTML_SCRIPT_HASH, script);
	/* Which allows nothing else. */
	render();
	assert_null(strstr(page, " style="));
	assert_null(strstr(page, " onclick="));
	assert_null(strstr(page, "://"));
}

/* WCAG 2.2, relative luminance. */
static double luminance(const char *scheme, const char *name)
{
	static const double part[] = { 0.2126, 0.7152, 0.0722 };
	char key[32];
	const char *at;
	double sum = 0;
	long rgb;

	snprintf(key, sizeof key, "--%s:#", name);
	at = strstr(scheme, key);
	assert_non_null(at);
	rgb = strtol(at + strlen(key), NULL, 16);
	for (int i = 0; i < 3; i++) {
		double c = (double)(rgb >> (16 - 8 * i) & 255) / 255;

		sum += part[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
	}
	return sum;
}

/* WCAG 2.2: 4.5 for text, 3 for graphics. */
static void colours_have_contrast(void **state)
{
	static const char *const texts[] = { "text", "dim",     "ok",      "degraded",
		                             "fail", "waiting", "draining" };
	const char *schemes[] = { html_style, strstr(html_style, "prefers-color-scheme:dark") };

	(void)state;
	for (int s = 0; s < 2; s++) {
		double page_l = luminance(schemes[s], "page"),
		       card_l = luminance(schemes[s], "card");
		double low = fmin(page_l, card_l), high = fmax(page_l, card_l);
		double bar = luminance(schemes[s], "bar");

		for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
			double l = luminance(schemes[s], texts[i]);

			assert_true(l > high ? l + 0.05 >= 4.5 * (high + 0.05)
			                     : low + 0.05 >= 4.5 * (l + 0.05));
		}
		assert_true(bar > card_l ? bar + 0.05 >= 3 * (card_l + 0.05)
		                         : card_l + 0.05 >= 3 * (bar + 0.05));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_worst_fits, setup),
		cmocka_unit_test_setup(all_texts_are_escaped, setup),
		cmocka_unit_test_setup(each_level_has_its_sentence, setup),
		cmocka_unit_test_setup(charts_show_the_hour, setup),
		cmocka_unit_test_setup(style_and_script_are_those_of_the_policy, setup),
		cmocka_unit_test(colours_have_contrast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
