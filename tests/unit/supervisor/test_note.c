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

static int64_t noted(int64_t now)
{
	struct note note;

	note_read(fd, now, &note);
	return note.healthz;
}

static int put(int64_t level, int64_t at_ms)
{
	return note_write(fd, &(struct note){ .healthz = level, .at_ms = at_ms });
}

static void believed_for_a_while(void **state)
{
	(void)state;
	assert_int_equal(noted(1000), -1);
	for (int64_t level = 0; level < LEVEL_MAX; level++) {
		assert_int_equal(put(level, 81234567), 0);
		assert_int_equal(noted(81234567), level);
	}
	assert_int_equal(noted(81234567 + NOTE_MAX_AGE_MS), LEVEL_MAX - 1);
	assert_int_equal(noted(81234567 + NOTE_MAX_AGE_MS + 1), -1);
	/* From a time that has not come: of another boot. */
	assert_int_equal(noted(81234566), -1);
	/* No verdict is no news: the former one stands, and ages. */
	assert_int_equal(put(-1, 99999999), 0);
	assert_int_equal(noted(81234567), LEVEL_MAX - 1);
	/* A short one leaves nothing of a long one. */
	assert_int_equal(put(LEVEL_OK, INT64_MAX), 0);
	assert_int_equal(put(LEVEL_OK, 5), 0);
	assert_int_equal(noted(6), LEVEL_OK);
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
		assert_int_equal(noted(6), -1);
	}
	assert_int_equal(pwrite(fd, good, strlen(good), 0), strlen(good));
	assert_int_equal(noted(6), LEVEL_OK);
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
	report_note(sv);
	assert_int_equal(noted(1000 + NOTE_MAX_AGE_MS), LEVEL_OK);
	report_note(sv);
	assert_int_equal(noted(1001 + NOTE_MAX_AGE_MS), -1);
	sv->children[ROLE_CORE][0].beaten = false;
	sv->children[ROLE_CORE][0].ladder.alive_ms = 90 * 1000;
	report_note(sv);
	assert_int_equal(noted(90 * 1000), -1);
	sv->children[ROLE_CORE][0].beaten = true;
	report_note(sv);
	assert_int_equal(noted(90 * 1000), LEVEL_OK);
	free(sv);
}

/* A wnad that dies again and again, each time before a core can have had enough bad results:
 * the first one's word is the last, and ages. */
static void inherited_words_are_not_passed_on(void **state)
{
	struct supervisor *sv = supervisor_new();
	int64_t now = 1000;

	(void)state;
	report_note(sv);
	for (int life = 0; life < 5; life++) {
		sv->inherited = true;
		now += 8500;
		sv->children[ROLE_CORE][0].ladder.alive_ms = now;
		report_note(sv);
	}
	assert_int_equal(noted(now), -1);
	/* Nor by one wnad to its next core. */
	assert_int_equal(note_healthz(&sv->note, 1000 + NOTE_MAX_AGE_MS), LEVEL_OK);
	assert_int_equal(note_healthz(&sv->note, now), -1);
	/* A bad one is its own, and so is a good one that it has heard itself. */
	sv->healthz = LEVEL_FAIL;
	report_note(sv);
	assert_int_equal(noted(now), LEVEL_FAIL);
	sv->healthz = LEVEL_OK;
	sv->inherited = false;
	report_note(sv);
	assert_int_equal(noted(now), LEVEL_OK);
	assert_int_equal(note_healthz(&sv->note, now), LEVEL_OK);
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
