/* /proc/self/mountinfo, whose paths and sources other people choose. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct mountinfo mi;
	char value[64];

	if (mountinfo_topmost(text, size, "/var/www/html/efs", &mi) == 1) {
		if (strcmp(mi.path, "/var/www/html/efs") != 0)
			abort();
		mountinfo_option(mi.super_options, "addr", value, sizeof value);
	}
	if (mountinfo_holding(text, size, "/var/www/html/efs/a", &mi) == 1 && mi.path[0] &&
	    strncmp("/var/www/html/efs/a", mi.path, strlen(mi.path)) != 0)
		abort();
	return 0;
}
