/* The first line of /proc/stat, and what two of them say. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *split = memchr(data, 0, size);
	size_t first = split != NULL ? (size_t)(split - text) : size;
	struct cpu_times before, after;
	unsigned permille;

	if (!cpu_parse(text, first, &before))
		return 0;
	/* Only a whole line is taken. */
	if (memchr(data, '\n', first) == NULL || memcmp(data, "cpu ", 4) != 0)
		abort();
	if (first == size || !cpu_parse(split + 1, size - first - 1, &after))
		return 0;
	if (cpu_busy(&before, &after, &permille) && permille > 1000)
		abort();
	/* What ran forwards runs backwards the other way round. */
	if (cpu_busy(&before, &after, &permille) && cpu_busy(&after, &before, &permille))
		abort();
	return 0;
}
