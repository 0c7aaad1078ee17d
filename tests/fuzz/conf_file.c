/* A configuration file. A good one must print to a file that reads back to the same
 * configuration; a bad one has a first problem. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf_draft *load(const void *data, size_t size)
{
	static int fd = -1;
	struct conf_draft *draft;
	char path[64];

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	draft = conf_read(path);
	if (!draft || !draft->problems.count != !draft->problems.item[0].error)
		abort();
	return draft;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_draft *first = load(data, size), *second;
	char *text = NULL;
	size_t len;
	FILE *f;

	if (first->problems.count == 0) {
		f = open_memstream(&text, &len);
		if (!f || conf_print(first, f) < 0)
			abort();
		fclose(f);
		second = load(text, len);
		if (second->problems.count ||
		    memcmp(&first->conf, &second->conf, sizeof first->conf) != 0)
			abort();
		conf_draft_free(second);
	}
	conf_draft_free(first);
	free(text);
	return 0;
}
