/* The text of a change, which another process wrote: whatever is in it, a script only
 * gets values of the right kind. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fact.h"
#include "hooks.h"
#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hooks_environment env;
	struct msg change = { .id = FACT_RDS_CHANGE, .value = 1 };
	struct net_addr addr;
	const char *value;
	int rc;

	if (size >= sizeof change.text || memchr(data, '\0', size))
		return 0;
	memcpy(change.text, data, size);
	rc = hooks_environment("database-moved", "db", &change, &env);
	if (env.count != (rc == 0 ? 8 : 3) || env.list[env.count])
		abort();
	for (int i = 4; i < env.count && i < 6; i++) {
		value = strchr(env.list[i], '=');
		if (!value || !net_addr_parse(value + 1, &addr))
			abort();
	}
	return 0;
}
