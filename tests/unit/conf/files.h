/* A folder of the test's own with a configuration in it. */
#ifndef TEST_CONF_FILES_H
#define TEST_CONF_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/wna-conf-XXXXXX";
static char main_file[64], drop_dir[64];

__attribute__((unused)) static void put(const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

__attribute__((unused)) static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(main_file, sizeof main_file, "%s/agent.conf", dir);
	snprintf(drop_dir, sizeof drop_dir, "%s/agent.conf.d", dir);
	/* Workers shall be able to look in. */
	return chmod(dir, 0755) < 0 ? -1 : mkdir(drop_dir, 0755);
}

__attribute__((unused)) static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) == 0 ? 0 : -1;
}

#endif
