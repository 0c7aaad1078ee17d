/* The first line of /proc/stat, and what two of them say. */
#include <stdlib.h>
#include <string.h>

#include "cloud_metric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpu_times before, after;
	unsigned permille, back;
	char *text = calloc(1, size + 2);
	const char *second;

	if (!text)
		abort();
	memcpy(text, data, size);
	second = text + strlen(text) + 1;
	if (!cpu_parse(text, &before))
		goto out;
	/* Only a whole line is taken. */
	if (!strchr(text, '\n') || strncmp(text, "cpu ", 4))
		abort();
	if (second > text + size || !cpu_parse(second, &after) ||
	    !cpu_busy(&before, &after, &permille))
		goto out;
	/* What ran forwards runs backwards the other way round. */
	if (permille > 1000 || cpu_busy(&after, &before, &back))
		abort();
out:
	free(text);
	return 0;
}
