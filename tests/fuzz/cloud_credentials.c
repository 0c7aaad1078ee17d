/*
 * Credentials from outside: the JSON of the metadata service, and the shared
 * file. What is taken has the shape of credentials.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_creds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct creds *creds)
{
	const char *texts[] = { creds->access_key, creds->secret_key, creds->token };

	if (strlen(creds->access_key) < 16 || !creds->secret_key[0] || creds->expires_wall_ms < 0)
		abort();
	for (size_t i = 0; i < 3; i++)
		for (const char *c = texts[i]; *c; c++)
			if (*c <= ' ' || *c > '~')
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char why[160] = "";
	struct creds creds;
	char time[64];
	int64_t at;

	if (creds_parse_json(text, size, &creds, why, sizeof(why)) == 0) {
		check(&creds);
		if (creds.expires_wall_ms == 0 && creds.token[0] == '\0')
			abort();
	} else if (why[0] == '\0') {
		abort();
	}
	if (creds_parse_file(text, size, "default", &creds) == 0)
		check(&creds);
	if (creds_parse_file(text, size, "web", &creds) == 0)
		check(&creds);
	if (size < sizeof(time)) {
		memcpy(time, data, size);
		time[size] = '\0';
		if (creds_time(time, &at) && (at < 0 || at > INT64_C(253402300799000)))
			abort();
	}
	return 0;
}
