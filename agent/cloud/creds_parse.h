/*
 * Credentials as texts: shapes, times, the JSON of the metadata service, the
 * shared file. Pure; nothing is kept, and what was
 * allocated on the way is wiped.
 */
#ifndef CLOUD_CREDS_PARSE_H
#define CLOUD_CREDS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "creds.h"

/* 16..128 word characters (IAM API, AccessKey); visible ASCII, 1..128 and 0..4096. */
bool creds_key_valid(const char *access_key);
bool creds_secret_valid(const char *secret_key);
bool creds_token_valid(const char *token);

/* "2026-11-23T08:15:30Z", also with a fraction, also with "+00:00"; nothing else
 * and no date that does not exist. */
bool creds_time(const char *text, int64_t *ret_wall_ms);

/*
 * {"Code": "Success", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
 * (EC2 User Guide, "Retrieve security credentials"). A status of 200 may carry an error: Code
 * other than Success. 0, or -EBADMSG with a reason that has no secret in it;
 * *ret is then untouched.
 */
int creds_parse_json(const char *json, size_t len, struct creds *ret, char *ret_why, size_t size);

/*
 * The profile's keys from an AWS shared credentials file (SDK reference guide,
 * "Shared config and credentials files"). 0; -ENOENT no such profile or no keys
 * in it; -EBADMSG incomplete or malformed keys. `len` bytes, no NUL needed.
 */
int creds_parse_file(const char *text, size_t len, const char *profile, struct creds *ret);

#endif
