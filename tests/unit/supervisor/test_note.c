/* What one wnad leaves to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "note.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(believed_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(anything_else_is_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
