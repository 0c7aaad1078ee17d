/*
 * Run by wna-cloud for every push and every login token; never blocks. Owns nothing: keys are derived
 * anew for each call (four HMACs, microseconds), on its stack, and wiped before it returns.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud_aws.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum {
	HASH = 32,
	HEX = 2 * HASH + 1,
	SCOPE = 192,                         /* "20260102/ap-northeast-2/monitoring/aws4_request" */
	CANONICAL = LIMIT_LOGIN_TOKEN + 512, /* session tokens have up to 4096 characters */
	SECRET_MAX = 256,
};

static void to_hex(const uint8_t bytes[HASH], char ret[HEX])
{
	for (size_t i = 0; i < HASH; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static bool hash_hex(const void *data, size_t len, char ret[HEX])
{
	uint8_t bytes[HASH];

	if (EVP_Digest(data ? data : "", len, bytes, NULL, EVP_sha256(), NULL) != 1)
		return false;
	to_hex(bytes, ret);
	return true;
}

/* `ret` may be the key. */
static bool hmac(const void *key, size_t key_len, const char *text, uint8_t ret[HASH])
{
	uint8_t bytes[HASH];
	bool ok = HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text),
	               bytes, NULL);

	memcpy(ret, bytes, HASH);
	OPENSSL_cleanse(bytes, sizeof bytes);
	return ok;
}

bool sigv4_date(int64_t wall_ms, char ret[SIGV4_DATE])
{
	time_t at = (time_t)(wall_ms / 1000);
	char text[SIGV4_DATE];
	struct tm tm;

	if (wall_ms < 0 || !gmtime_r(&at, &tm) ||
	    strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm) != SIGV4_DATE - 1)
		return false;
	memcpy(ret, text, sizeof text);
	return true;
}

/* "content-type;host;x-amz-date" */
static void put_names(const struct sigv4_request *request, struct sb *sb)
{
	for (size_t i = 0; i < request->header_count; i++)
		sb_printf(sb, "%s%s", i > 0 ? ";" : "", request->headers[i].name);
}

static int canonical_hash(const struct sigv4_request *request, const char *method,
                          const char *query, char ret[HEX])
{
	char canonical[CANONICAL], payload[HEX];
	struct sb sb;
	int r = 0;

	if (!hash_hex(request->body, request->body_len, payload))
		return -EIO;
	sb_init(&sb, canonical, sizeof canonical);
	sb_printf(&sb, "%s\n/\n%s\n", method, query);
	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];

		assert(i == 0 || strcmp(header[-1].name, header->name) < 0);
		sb_printf(&sb, "%s:%s\n", header->name, header->value);
	}
	sb_char(&sb, '\n');
	put_names(request, &sb);
	sb_printf(&sb, "\n%s", payload);
	if (sb.cut)
		r = -E2BIG;
	else if (!hash_hex(canonical, sb.len, ret))
		r = -EIO;
	OPENSSL_cleanse(canonical, sizeof canonical);
	return r;
}

/* Signs `to_sign` with the key that is derived for this day, region and service. */
static bool signature(const struct sigv4_request *request, const char *to_sign, char ret[HEX])
{
	char day[9], secret[SECRET_MAX];
	uint8_t key[HASH];
	int len = snprintf(secret, sizeof secret, "AWS4%s", request->secret_key);
	bool ok;

	snprintf(day, sizeof day, "%.8s", request->date);
	ok = len > 0 && (size_t)len < sizeof secret && hmac(secret, (size_t)len, day, key) &&
	     hmac(key, HASH, request->region, key) && hmac(key, HASH, request->service, key) &&
	     hmac(key, HASH, "aws4_request", key) && hmac(key, HASH, to_sign, key);
	if (ok)
		to_hex(key, ret);
	OPENSSL_cleanse(secret, sizeof secret);
	OPENSSL_cleanse(key, sizeof key);
	return ok;
}

/* "20260102/eu-west-1/monitoring/aws4_request". False if it does not fit. */
static bool scope_of(const struct sigv4_request *request, char ret[SCOPE])
{
	struct sb sb;

	sb_init(&sb, ret, SCOPE);
	sb_printf(&sb, "%.8s/%s/%s/aws4_request", request->date, request->region, request->service);
	return !sb.cut;
}

static int sign(const struct sigv4_request *request, const char *method, const char *query,
                const char *scope, char ret[HEX])
{
	char hash[HEX], to_sign[sizeof ALGORITHM + SIGV4_DATE + SCOPE + HEX];
	int rc = canonical_hash(request, method, query, hash);

	if (rc < 0)
		return rc;
	snprintf(to_sign, sizeof to_sign, ALGORITHM "\n%s\n%s\n%s", request->date, scope, hash);
	return signature(request, to_sign, ret) ? 0 : -EIO;
}

int sigv4_sign(const struct sigv4_request *request, char ret[SIGV4_AUTHORIZATION])
{
	char scope[SCOPE], hex[HEX], text[SIGV4_AUTHORIZATION];
	struct sb sb;
	int rc = scope_of(request, scope) ? sign(request, "POST", "", scope, hex) : -E2BIG;

	if (rc < 0)
		return rc;
	sb_init(&sb, text, sizeof text);
	sb_printf(&sb, ALGORITHM " Credential=%s/%s, SignedHeaders=", request->access_key, scope);
	put_names(request, &sb);
	sb_printf(&sb, ", Signature=%s", hex);
	if (!sb.cut)
		memcpy(ret, text, sb.len + 1);
	OPENSSL_cleanse(text, sizeof text);
	return sb.cut ? -E2BIG : 0;
}

/* As AWS wants it in a query: all but letters, digits and "-._~" as %XX. */
static void put_encoded(struct sb *sb, const char *text)
{
	for (; *text; text++) {
		char one[2] = { *text };

		if (str_only(one, "-._~"))
			sb_char(sb, *text);
		else
			sb_printf(sb, "%%%02X", (unsigned char)*text);
	}
}

int sigv4_login(const struct sigv4_request *request, const char *host, const char *user,
                const char *session_token, char *ret, size_t size)
{
	const struct http_header header = { "host", host };
	struct sigv4_request get = *request;
	char scope[SCOPE], hex[HEX] = "";
	struct sb sb;
	int rc;

	get.headers = &header;
	get.header_count = 1;
	get.body_len = 0;
	sb_init(&sb, ret, size);
	sb_printf(&sb, "%s/?Action=connect&DBUser=", host);
	put_encoded(&sb, user);
	sb_put(&sb, "&X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
	put_encoded(&sb, request->access_key);
	rc = scope_of(request, scope) ? 0 : -E2BIG;
	put_encoded(&sb, "/");
	put_encoded(&sb, scope);
	sb_printf(&sb, "&X-Amz-Date=%s&X-Amz-Expires=%d", request->date, SIGV4_LOGIN_S);
	if (session_token[0]) {
		sb_put(&sb, "&X-Amz-Security-Token=");
		put_encoded(&sb, session_token);
	}
	sb_put(&sb, "&X-Amz-SignedHeaders=host");
	if (rc == 0)
		rc = sb.cut ? -E2BIG : sign(&get, "GET", strchr(ret, '?') + 1, scope, hex);
	sb_printf(&sb, "&X-Amz-Signature=%s", hex);
	if (rc == 0 && sb.cut)
		rc = -E2BIG;
	if (rc < 0)
		OPENSSL_cleanse(ret, size);
	return rc;
}
