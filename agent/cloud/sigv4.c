/*
 * Run by wna-cloud for every push; never blocks. Owns nothing: derived keys live
 * on the stack of one call and are wiped before it returns. They are derived anew
 * each time (four HMACs, microseconds), so that no key outlives its use.
 */
#include "sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "sigv4_text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { HASH = 32, HEX = 2 * HASH + 1, SCOPE = 192, SECRET_MAX = 256 };

static void to_hex(const uint8_t bytes[HASH], char ret[HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[HEX - 1] = '\0';
}

static bool hash_hex(const void *data, size_t len, char ret[HEX])
{
	uint8_t bytes[HASH];

	if (EVP_Digest(data != NULL ? data : "", len, bytes, NULL, EVP_sha256(), NULL) != 1)
		return false;
	to_hex(bytes, ret);
	return true;
}

/* `ret` may be the key. */
static bool hmac(const void *key, size_t key_len, const char *text, uint8_t ret[HASH])
{
	unsigned len = HASH;
	uint8_t bytes[HASH];
	bool ok = HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text),
	               bytes, &len) != NULL;

	memcpy(ret, bytes, HASH);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return ok;
}

/* Everything that signing adds to a request. */
struct work {
	const struct sigv4_request *request;
	char date[SIGV4_DATE];
	char scope[SCOPE]; /* "20260102/ap-northeast-2/monitoring/aws4_request" */
	struct sigv4_pair headers[SIGV4_PAIRS_MAX];
	size_t header_count;
	struct sigv4_pair query[SIGV4_PAIRS_MAX];
	size_t query_count;
};

static int work_begin(struct work *work, const struct sigv4_request *request,
                      const struct sigv4_keys *keys)
{
	time_t at = (time_t)(request->wall_ms / 1000);
	bool host = false;
	struct tm tm;

	/* Two and six are what the forms add at most. */
	if (request->header_count + 2 > SIGV4_PAIRS_MAX ||
	    request->query_count + 6 > SIGV4_PAIRS_MAX || request->wall_ms < 0 ||
	    keys->access_key[0] == '\0' || strlen(keys->secret_key) + 5 > SECRET_MAX ||
	    keys->secret_key[0] == '\0' || request->region[0] == '\0' ||
	    request->service[0] == '\0')
		return -EINVAL;
	if (gmtime_r(&at, &tm) == NULL || tm.tm_year + 1900 > 9999 ||
	    strftime(work->date, sizeof(work->date), "%Y%m%dT%H%M%SZ", &tm) != SIGV4_DATE - 1)
		return -EINVAL;
	if (snprintf(work->scope, sizeof(work->scope), "%.8s/%s/%s/aws4_request", work->date,
	             request->region, request->service) >= (int)sizeof(work->scope))
		return -EINVAL;
	work->request = request;
	work->header_count = request->header_count;
	work->query_count = request->query_count;
	for (size_t i = 0; i < request->header_count; i++) {
		work->headers[i] = request->headers[i];
		host = host || strcasecmp(request->headers[i].name, "host") == 0;
	}
	for (size_t i = 0; i < request->query_count; i++)
		work->query[i] = request->query[i];
	return host ? 0 : -EINVAL;
}

static bool has_token(const struct sigv4_keys *keys)
{
	return keys->token != NULL && keys->token[0] != '\0';
}

static void work_header(struct work *work, const char *name, const char *value)
{
	work->headers[work->header_count++] = (struct sigv4_pair){ name, value };
}

static void work_query(struct work *work, const char *name, const char *value)
{
	work->query[work->query_count++] = (struct sigv4_pair){ name, value };
}

static int put_canonical(const struct work *work, struct sink *sink)
{
	char payload[HEX];

	sink_put(sink, work->request->method);
	sink_char(sink, '\n');
	if (!sigv4_put_path(sink, work->request->path))
		return -EINVAL;
	sink_char(sink, '\n');
	sigv4_put_query(sink, work->query, work->query_count);
	sink_char(sink, '\n');
	sigv4_put_headers(sink, work->headers, work->header_count);
	sink_char(sink, '\n');
	sigv4_put_names(sink, work->headers, work->header_count);
	sink_char(sink, '\n');
	if (!hash_hex(work->request->body, work->request->body_len, payload))
		return -EIO;
	sink_put(sink, payload);
	return sink->failed ? -EIO : 0;
}

static int canonical_hash(const struct work *work, char ret[HEX])
{
	struct sink sink = { .hash = EVP_MD_CTX_new() };
	uint8_t bytes[HASH];
	int r = -EIO;

	if (sink.hash == NULL || EVP_DigestInit_ex(sink.hash, EVP_sha256(), NULL) != 1)
		goto out;
	r = put_canonical(work, &sink);
	if (r == 0 && EVP_DigestFinal_ex(sink.hash, bytes, NULL) != 1)
		r = -EIO;
	if (r == 0)
		to_hex(bytes, ret);
out:
	EVP_MD_CTX_free(sink.hash);
	return r;
}

static int signature(const struct work *work, const struct sigv4_keys *keys, char ret[HEX])
{
	char to_sign[sizeof(ALGORITHM) + SIGV4_DATE + SCOPE + HEX];
	char day[9], secret[SECRET_MAX], hash[HEX];
	uint8_t key[HASH];
	int r = canonical_hash(work, hash);

	if (r < 0)
		return r;
	snprintf(to_sign, sizeof(to_sign), ALGORITHM "\n%s\n%s\n%s", work->date, work->scope, hash);
	snprintf(day, sizeof(day), "%.8s", work->date);
	snprintf(secret, sizeof(secret), "AWS4%s", keys->secret_key);
	if (hmac(secret, strlen(secret), day, key) && hmac(key, HASH, work->request->region, key) &&
	    hmac(key, HASH, work->request->service, key) && hmac(key, HASH, "aws4_request", key) &&
	    hmac(key, HASH, to_sign, key))
		to_hex(key, ret);
	else
		r = -EIO;
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

static int begin_header_form(struct work *work, const struct sigv4_request *request,
                             const struct sigv4_keys *keys)
{
	int r = work_begin(work, request, keys);

	if (r < 0)
		return r;
	work_header(work, "X-Amz-Date", work->date);
	if (has_token(keys))
		work_header(work, "X-Amz-Security-Token", keys->token);
	return 0;
}

int sigv4_canonical(const struct sigv4_request *request, const struct sigv4_keys *keys,
                    struct sb *ret)
{
	struct sink sink = { .copy = ret };
	struct work work;
	int r = begin_header_form(&work, request, keys);

	if (r < 0)
		return r;
	r = put_canonical(&work, &sink);
	return r < 0 ? r : ret->cut ? -E2BIG : 0;
}

int sigv4_sign(const struct sigv4_request *request, const struct sigv4_keys *keys,
               struct sigv4_signed *ret)
{
	char text[HEX], authorization[SIGV4_AUTHORIZATION];
	struct sink sink;
	struct work work;
	struct sb sb;
	int r = begin_header_form(&work, request, keys);

	if (r == 0)
		r = signature(&work, keys, text);
	if (r < 0)
		return r;
	sb_init(&sb, authorization, sizeof(authorization));
	sb_printf(&sb, ALGORITHM " Credential=%s/%s, SignedHeaders=", keys->access_key, work.scope);
	sink = (struct sink){ .copy = &sb };
	sigv4_put_names(&sink, work.headers, work.header_count);
	sb_printf(&sb, ", Signature=%s", text);
	if (!sb.cut) {
		memcpy(ret->date, work.date, sizeof(ret->date));
		memcpy(ret->authorization, authorization, sizeof(ret->authorization));
	}
	OPENSSL_cleanse(authorization, sizeof(authorization));
	return sb.cut ? -E2BIG : 0;
}

int sigv4_presign(const struct sigv4_request *request, const struct sigv4_keys *keys,
                  int64_t expires_s, char *ret, size_t size)
{
	char text[HEX], credential[SCOPE + 160], expires[16], names[512];
	struct sink sink;
	struct work work;
	struct sb sb;
	int r = work_begin(&work, request, keys);

	if (r < 0)
		return r;
	if (expires_s < 1 || expires_s > SIGV4_EXPIRES_MAX ||
	    snprintf(credential, sizeof(credential), "%s/%s", keys->access_key, work.scope) >=
	            (int)sizeof(credential))
		return -EINVAL;
	snprintf(expires, sizeof(expires), "%lld", (long long)expires_s);
	sb_init(&sb, names, sizeof(names));
	sink = (struct sink){ .copy = &sb };
	sigv4_put_names(&sink, work.headers, work.header_count);
	if (sb.cut)
		return -E2BIG;
	work_query(&work, "X-Amz-Algorithm", ALGORITHM);
	work_query(&work, "X-Amz-Credential", credential);
	work_query(&work, "X-Amz-Date", work.date);
	work_query(&work, "X-Amz-Expires", expires);
	work_query(&work, "X-Amz-SignedHeaders", names);
	if (has_token(keys))
		work_query(&work, "X-Amz-Security-Token", keys->token);
	r = signature(&work, keys, text);
	if (r < 0)
		return r;
	sb_init(&sb, ret, size);
	sink = (struct sink){ .copy = &sb };
	sigv4_put_query(&sink, work.query, work.query_count);
	sb_printf(&sb, "&X-Amz-Signature=%s", text);
	if (sb.cut)
		OPENSSL_cleanse(ret, size);
	return sb.cut ? -E2BIG : 0;
}
