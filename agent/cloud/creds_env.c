/*
 * Run by wna-cloud, once at its start. Blocks on nothing; leaves no secret in
 * the environment, where /proc/self/environ would show it for life.
 */
#include <stdio.h>
#include <string.h>

#include "creds_source.h"
#include "str.h"

static bool take(char *(*env)(const char *name), const char *name, char *ret, size_t size)
{
	char *value = env(name);
	bool fits;

	if (value == NULL || value[0] == '\0')
		return true;
	fits = str_copy(ret, size, value);
	explicit_bzero(value, strlen(value));
	return fits;
}

void creds_env_read(char *(*env)(const char *name), struct creds_env *ret)
{
	struct creds *creds = &ret->creds;
	const char *ends = env("AWS_CREDENTIAL_EXPIRATION"), *lacking = NULL;

	memset(ret, 0, sizeof(*ret));
	if (!take(env, "AWS_ACCESS_KEY_ID", creds->access_key, sizeof(creds->access_key)) ||
	    (creds->access_key[0] != '\0' && !creds_key_valid(creds->access_key)))
		lacking = "AWS_ACCESS_KEY_ID";
	if (!take(env, "AWS_SECRET_ACCESS_KEY", creds->secret_key, sizeof(creds->secret_key)) ||
	    (creds->secret_key[0] != '\0' && !creds_secret_valid(creds->secret_key)))
		lacking = "AWS_SECRET_ACCESS_KEY";
	if (!take(env, "AWS_SESSION_TOKEN", creds->token, sizeof(creds->token)) ||
	    !creds_token_valid(creds->token))
		lacking = "AWS_SESSION_TOKEN";
	if (creds->access_key[0] == '\0' && creds->secret_key[0] == '\0' && lacking == NULL)
		return;
	if (lacking == NULL && creds->access_key[0] == '\0')
		lacking = "AWS_ACCESS_KEY_ID";
	if (lacking == NULL && creds->secret_key[0] == '\0')
		lacking = "AWS_SECRET_ACCESS_KEY";
	if (lacking == NULL && ends != NULL && ends[0] != '\0' &&
	    !creds_time(ends, &creds->expires_wall_ms))
		lacking = "AWS_CREDENTIAL_EXPIRATION";
	ret->complete = lacking == NULL;
	if (lacking != NULL) {
		snprintf(ret->why, sizeof(ret->why), "environment: %s is missing or not valid",
		         lacking);
		explicit_bzero(creds, sizeof(*creds));
	}
}
