/* What one wnad leaves to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "note.h"
#include "supervisor.h"
#include "verdict.h"

static int fd;

static int setup(void **state)
{
	(void)state;
	fd = memfd_create("lock", MFD_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(fd);
}

static void believed_for_a_while(void **state)
{
	(void)state;
	assert_int_equal(note_read(fd, 1000), -1);
	for (int64_t level = 0; level < LEVEL_MAX; level++) {
		assert_int_equal(note_write(fd, level, 81234567), 0);
		assert_int_equal(note_read(fd, 81234567), level);
	}
	assert_int_equal(note_read(fd, 81234567 + NOTE_MAX_AGE_MS), LEVEL_MAX - 1);
	assert_int_equal(note_read(fd, 81234567 + NOTE_MAX_AGE_MS + 1), -1);
	/* From a time that has not come: of another boot. */
	assert_int_equal(note_read(fd, 81234566), -1);
	/* No verdict is no news: the former one stands, and ages. */
	assert_int_equal(note_write(fd, -1, 99999999), 0);
	assert_int_equal(note_read(fd, 81234567), LEVEL_MAX - 1);
	/* A short one leaves nothing of a long one. */
	assert_int_equal(note_write(fd, LEVEL_OK, INT64_MAX), 0);
	assert_int_equal(note_write(fd, LEVEL_OK, 5), 0);
	assert_int_equal(note_read(fd, 6), LEVEL_OK);
}

static void anything_else_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"ok 5",
		"ok 5                                  \n",
		"ok                                     \n",
		"ok -5                                  \n",
		"ok 5x                                  \n",
		"ok 5 6                                 \n",
		"fine 5                                 \n",
		"okay 5                                 \n",
		"                                       \n",
		"ok 99999999999999999999999             \n",
		"ok\t5                                   \n",
	};
	static const char good[] = "ok 5                                   \n";

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		assert_int_equal(note_read(fd, 6), -1);
	}
	assert_int_equal(pwrite(fd, good, strlen(good), 0), strlen(good));
	assert_int_equal(note_read(fd, 6), LEVEL_OK);
}

/* A supervisor with nothing but a core that has just said "ok". */
static struct supervisor *supervisor_new(void)
{
	struct supervisor *sv = calloc(1, sizeof *sv);

	assert_non_null(sv);
	sv->lock_fd = fd;
	sv->healthz = sv->readyz = LEVEL_OK;
	sv->children[ROLE_CORE][0].role = ROLE_CORE;
	sv->children[ROLE_CORE][0].beaten = true;
	sv->children[ROLE_CORE][0].ladder.alive_ms = 1000;
	return sv;
}

/* Nobody refreshes the word of a core that says nothing any more, or never began. */
static void as_old_as_the_core(void **state)
{
	struct supervisor *sv = supervisor_new();

	(void)state;
	report_note(sv, 1000);
	assert_int_equal(note_read(fd, 1000 + NOTE_MAX_AGE_MS), LEVEL_OK);
	report_note(sv, 90 * 1000);
	assert_int_equal(note_read(fd, 1001 + NOTE_MAX_AGE_MS), -1);
	sv->children[ROLE_CORE][0].beaten = false;
	sv->children[ROLE_CORE][0].ladder.alive_ms = 90 * 1000;
	report_note(sv, 90 * 1000);
	assert_int_equal(note_read(fd, 90 * 1000), -1);
	sv->children[ROLE_CORE][0].beaten = true;
	report_note(sv, 90 * 1000);
	assert_int_equal(note_read(fd, 90 * 1000), LEVEL_OK);
	free(sv);
}

/* A wnad that dies again and again, each time before a core can have had enough bad results:
 * the first one's word is the last, and ages. */
static void inherited_words_are_not_passed_on(void **state)
{
	struct supervisor *sv = supervisor_new();
	int64_t now = 1000;

	(void)state;
	sv->conf.health.start_grace_ms = 5000;
	assert_int_equal(report_inherited_ms(&sv->conf), 5000);
	sv->conf.checks.count = 1;
	sv->conf.checks.item[0].timeout_ms = 3000;
	sv->conf.checks.item[0].fall = 3;
	assert_int_equal(report_inherited_ms(&sv->conf), 10500);
	report_note(sv, now);
	for (int life = 0; life < 5; life++) {
		sv->note_from_ms = now + report_inherited_ms(&sv->conf);
		now += 8500;
		sv->children[ROLE_CORE][0].ladder.alive_ms = now;
		report_note(sv, now);
	}
	assert_int_equal(note_read(fd, now), -1);
	/* A bad one is its own, and so is a good one afterwards. */
	sv->healthz = LEVEL_FAIL;
	report_note(sv, now);
	assert_int_equal(note_read(fd, now), LEVEL_FAIL);
	sv->healthz = LEVEL_OK;
	now = sv->note_from_ms;
	sv->children[ROLE_CORE][0].ladder.alive_ms = now;
	report_note(sv, now);
	assert_int_equal(note_read(fd, now), LEVEL_OK);
	free(sv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(believed_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(anything_else_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(as_old_as_the_core, setup, teardown),
		cmocka_unit_test_setup_teardown(inherited_words_are_not_passed_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
