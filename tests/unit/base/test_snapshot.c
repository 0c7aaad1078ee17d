/* The configuration in force, as wnactl load writes it and every process maps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot.h"

static char path[64];
static struct snapshot snapshot;

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/wna-snapshot-%d", (int)getpid());
	memset(&snapshot, 0, sizeof snapshot);
	snapshot.conf.rds.port = 3306;
	assert_int_equal(snapshot_write(path, &snapshot), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void there_and_back(void **state)
{
	const struct snapshot *map = snapshot_map(path);
	struct stat st;

	(void)state;
	assert_non_null(map);
	assert_memory_equal(map, &snapshot, sizeof snapshot);
	assert_true(map->loaded_ms > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* A mapped snapshot does not change when another one is written. */
	snapshot.conf.rds.port = 1;
	assert_int_equal(snapshot_write(path, &snapshot), 0);
	assert_int_equal(map->conf.rds.port, 3306);
	snapshot_unmap(map);
	snapshot_unmap(NULL);
}

static void expect_error(int error)
{
	errno = 0;
	assert_null(snapshot_map(path));
	assert_int_equal(errno, error);
}

static void what_is_none_is_refused(void **state)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, sizeof snapshot - 1), 0);
	expect_error(EINVAL);
	assert_int_equal(ftruncate(fd, 10), 0);
	expect_error(EINVAL);
	close(fd);
	/* The struct of another build may have the same size with another meaning. */
	assert_int_equal(snapshot_write(path, &snapshot), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 24 + 31), 1);
	close(fd);
	expect_error(EPROTO);
	unlink(path);
	expect_error(ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_error(EINVAL);
}

static void parts_concern_their_roles(void **state)
{
	struct conf a, b;

	(void)state;
	memset(&a, 0, sizeof a);
	b = a;
	b.agent.log_level = 1;
	for (enum role role = 0; role < ROLE_CTL; role++)
		assert_false(snapshot_differs(&a, &b, role));
	b.checks.count = 1;
	assert_true(snapshot_differs(&a, &b, ROLE_CORE));
	assert_true(snapshot_differs(&a, &b, ROLE_CHECK));
	assert_false(snapshot_differs(&a, &b, ROLE_MOUNT));
	assert_false(snapshot_differs(&a, &b, ROLE_CLOUD));
	assert_false(snapshot_wants(&a, ROLE_CHECK));
	assert_true(snapshot_wants(&b, ROLE_CHECK));
	assert_true(snapshot_wants(&a, ROLE_CORE));
	assert_false(snapshot_wants(&a, ROLE_CTL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_none_is_refused, setup, teardown),
		cmocka_unit_test(parts_concern_their_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
