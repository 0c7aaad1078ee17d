/* A configuration file. What is accepted must print to a file that reads back
 * to the same configuration. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum conf_error load(const void *data, size_t size, struct conf *conf)
{
	static int fd = -1;
	struct conf_problem problem;
	char path[64];

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return conf_load(path, conf, NULL, &problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf first, second;
	char *text;
	size_t len;
	FILE *f;

	if (load(data, size, &first) != CONF_OK)
		return 0;
	f = open_memstream(&text, &len);
	if (!f || conf_print(&first, f) < 0)
		abort();
	fclose(f);
	if (load(text, len, &second) != CONF_OK || memcmp(&first, &second, sizeof first) != 0)
		abort();
	free(text);
	return 0;
}
