/* The metrics: lines as Prometheus reads them, each name once, and samples of what is known. */
#include "worst.h"

static int64_t now_ms = 2000;

/* A name's characters. */
static const char name_set[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

/* After a label's opening quote; to behind its closing one. */
static const char *skip_value(const char *at)
{
	for (; *at != '"'; at++) {
		assert_true((unsigned char)*at >= 0x20);
		if (*at == '\\')
			assert_non_null(strchr("\\\"n", *++at));
	}
	return at + 1;
}

static const char *skip_labels(const char *at)
{
	do {
		at++;
		assert_in_range(strspn(at, name_set), 1, 40);
		at += strspn(at, name_set);
		assert_memory_equal(at, "=\"", 2);
		at = skip_value(at + 2);
	} while (*at == ',');
	assert_true(*at == '}');
	return at + 1;
}

/* Each family is HELP, TYPE and its samples, and comes once. The number of samples. */
static int check_text(void)
{
	char family[80] = "", again[100];
	int samples = 0;

	for (const char *at = page; *at; at = strchr(at, '\n') + 1) {
		size_t len;

		if (strncmp(at, "# HELP ", 7) == 0) {
			len = strspn(at + 7, name_set);
			snprintf(family, sizeof family, "%.*s", (int)len, at + 7);
			assert_memory_equal(family, "wna_", 4);
			snprintf(again, sizeof again, "\n# HELP %s ", family);
			assert_null(strstr(at, again));
			at = strchr(at, '\n') + 1;
			assert_memory_equal(at, "# TYPE ", 7);
			assert_memory_equal(at + 7, family, len);
			if (strcmp(at + 7 + len, " counter\n") == 0)
				assert_string_equal(family + len - 6, "_total");
			continue;
		}
		len = strspn(at, name_set);
		assert_int_equal(len, strlen(family));
		assert_memory_equal(at, family, len);
		at += len;
		if (*at == '{')
			at = skip_labels(at);
		assert_true(*at++ == ' ');
		assert_int_equal(at[strspn(at, "0123456789.e+-")], '\n');
		samples++;
	}
	return samples;
}

static int render(void)
{
	size_t len = metrics_render(&core, now_ms, now_ms + 1000000, page, sizeof page);

	assert_true(len > 0);
	assert_int_equal(len, strlen(page));
	return check_text();
}

static bool has(const char *line)
{
	char text[300];

	snprintf(text, sizeof text, "\n%s\n", line);
	return strstr(page, text) != NULL;
}

static void take(enum fact_id id, int64_t value, int place, int64_t more)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };
	unsigned slot;

	msg.more[place] = more;
	strcpy(msg.text, "a\"b\\c");
	assert_int_equal(core_take(&core, fact_info(msg.id)->owner, &msg, 1500, 1500, &slot), 0);
}

static void the_worst_fits(void **state)
{
	(void)state;
	fill_worst();
	render();
	assert_true(strlen(page) < sizeof page * 9 / 10);
	assert_int_equal(metrics_render(&core, 2000, 2000, page, 100), 0);
}

/* What is not known has no sample, rather than a wrong one. */
static void only_what_is_known_has_samples(void **state)
{
	int samples;

	(void)state;
	snapshot.conf.rds.max_age_ms = 600;
	snapshot.conf.mount.max_age_ms = 6000;
	samples = render();
	assert_null(strstr(page, "\nwna_database_state{"));
	assert_null(strstr(page, "\nwna_cpu_busy_ratio "));
	assert_non_null(strstr(page, "\n# TYPE wna_database_state gauge\n"));
	take(FACT_RDS, RDS_READ_ONLY, 0, 0);
	take(FACT_RDS_RTT, -1, 0, 0);
	take(FACT_CPU, 425, 0, 0);
	take(FACT_SKEW, -1500, 0, 0);
	take(FACT_RDS_CHANGE, 3, RDS_CHANGE_MAX_MS, -1);
	take(FACT_MOUNT, MOUNT_RIGHT, MOUNT_SIGN_MS, 1200);
	assert_true(render() > samples);
	assert_true(has("wna_database_state{state=\"read-only\"} 1"));
	assert_true(has("wna_database_state{state=\"writable\"} 0"));
	assert_null(strstr(page, "\nwna_database_round_trip_seconds "));
	assert_true(has("wna_cpu_busy_ratio 0.425"));
	assert_true(has("wna_clock_skew_seconds -1.5"));
	assert_true(has("wna_database_writer_changes_total 3"));
	assert_true(has("wna_database_last_outage_min_seconds 0"));
	assert_null(strstr(page, "\nwna_database_last_outage_max_seconds "));
	/* 800 ms before the Unix time of now */
	assert_true(has("wna_mount_answered_timestamp_seconds 1001.2"));
	assert_null(strstr(page, "\nwna_mount_due_timestamp_seconds "));
	assert_true(has("wna_fact_age_seconds{fact=\"cpu\"} 0.5"));
	now_ms = 2200; /* FACT_RDS is too old from 2101 on */
	render();
	assert_null(strstr(page, "\nwna_database_state{"));
	assert_true(has("wna_fact_age_seconds{fact=\"rds\"} 0.7"));
	now_ms = 2000;
}

static void labels_are_escaped(void **state)
{
	(void)state;
	strcpy(snapshot.conf.checks.item[0].name, "a\"b\\c\nd");
	take(FACT_INSTANCE_ID, 1, 0, 0);
	render();
	assert_non_null(
	        strstr(page, "wna_instance_info{instance_id=\"a\\\"b\\\\c\",instance_type=\"\","));
	assert_non_null(strstr(
	        page,
	        "\nwna_check_info{check=\"a\\\"b\\\\c\\nd\",type=\"http\",scope=\"local\"} 1\n"));
}

static void jobs_and_counters(void **state)
{
	(void)state;
	core.counters.requests = 12;
	core.state.link[ROLE_RDS].up = true;
	render();
	assert_true(has("wna_http_requests_total 12"));
	assert_true(has("wna_endpoint_success{endpoint=\"healthz\"} 0"));
	assert_true(has("wna_endpoint_state{endpoint=\"healthz\",state=\"waiting\"} 1"));
	assert_true(has("wna_job_state{name=\"mount\",state=\"waiting\"} 1"));
	assert_true(has("wna_job_state{name=\"mount\",state=\"fail\"} 0"));
	assert_true(has("wna_process_up{process=\"wna-rds\"} 1"));
	assert_true(has("wna_process_up{process=\"wna-mount\"} 0"));
	assert_true(has("wna_hub_facts_total 0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_worst_fits, setup),
		cmocka_unit_test_setup(only_what_is_known_has_samples, setup),
		cmocka_unit_test_setup(labels_are_escaped, setup),
		cmocka_unit_test_setup(jobs_and_counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
