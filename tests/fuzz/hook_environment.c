/* rds.env, which belongs to another user: whatever is in it, a script only gets
 * values of the right kind. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct environment env;
	char text[1024];
	int rc;

	if (size >= sizeof text || memchr(data, '\0', size) != NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	rc = environment_make(HOOK_RDS_CHANGE, text, &env);
	if ((rc != 0 && env.count != 3) || env.list[env.count] != NULL)
		abort();
	for (int i = 3; i < env.count; i++) {
		const char *value = strchr(env.list[i], '=');

		if (value == NULL || !str_only(value + 1, "._:/-"))
			abort();
		if (strncmp(env.list[i], "WNA_RDS_FROM=", 13) == 0 && !str_is_address(value + 1))
			abort();
	}
	return 0;
}
