/*
 * The signer against AWS's published vectors and against botocore's signer; the
 * files and where they come from are in data/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigv4.h"

static cJSON *load(const char *name)
{
	char path[512];
	FILE *file;
	char *text;
	long len;
	cJSON *json;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)len, file), len);
	fclose(file);
	json = cJSON_Parse(text);
	assert_non_null(json);
	free(text);
	return json;
}

/* From the vector, else from its file. */
static const cJSON *item(const cJSON *doc, const cJSON *vector, const char *name)
{
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(vector, name);

	if (found == NULL)
		found = cJSON_GetObjectItemCaseSensitive(doc, name);
	assert_non_null(found);
	return found;
}

static const char *text(const cJSON *doc, const cJSON *vector, const char *name)
{
	return item(doc, vector, name)->valuestring;
}

static size_t take_pairs(const cJSON *array, struct sigv4_pair *ret)
{
	const cJSON *pair;
	size_t count = 0;

	cJSON_ArrayForEach(pair, array)
	{
		assert_true(count < SIGV4_PAIRS_MAX);
		ret[count++] = (struct sigv4_pair){
			cJSON_GetArrayItem(pair, 0)->valuestring,
			cJSON_GetArrayItem(pair, 1)->valuestring,
		};
	}
	return count;
}

static void check(const cJSON *doc, const cJSON *vector)
{
	struct sigv4_pair query[SIGV4_PAIRS_MAX], headers[SIGV4_PAIRS_MAX];
	const struct sigv4_keys keys = {
		text(doc, vector, "access_key"),
		text(doc, vector, "secret_key"),
		text(doc, vector, "token"),
	};
	const struct sigv4_request request = {
		.method = text(doc, vector, "method"),
		.path = text(doc, vector, "path"),
		.query = query,
		.query_count = take_pairs(item(doc, vector, "query"), query),
		.headers = headers,
		.header_count = take_pairs(item(doc, vector, "headers"), headers),
		.body = text(doc, vector, "body"),
		.body_len = strlen(text(doc, vector, "body")),
		.region = text(doc, vector, "region"),
		.service = text(doc, vector, "service"),
		.wall_ms = (int64_t)item(doc, vector, "time")->valuedouble * 1000 + 999,
	};
	const char *want = text(doc, vector, "signature"), *got;
	struct sigv4_signed signature;
	char url[8192];

	if (strcmp(text(doc, vector, "form"), "query") == 0) {
		int64_t expires = (int64_t)item(doc, vector, "expires")->valuedouble;

		assert_int_equal(sigv4_presign(&request, &keys, expires, url, sizeof(url)), 0);
		got = strstr(url, "&X-Amz-Signature=");
		assert_non_null(got);
		got += strlen("&X-Amz-Signature=");
	} else {
		assert_int_equal(sigv4_sign(&request, &keys, &signature), 0);
		got = strstr(signature.authorization, ", Signature=");
		assert_non_null(got);
		got += strlen(", Signature=");
	}
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", text(doc, vector, "name"), got, want);
}

static size_t check_file(const char *name)
{
	cJSON *doc = load(name);
	const cJSON *vector;
	size_t count = 0;

	cJSON_ArrayForEach(vector, cJSON_GetObjectItemCaseSensitive(doc, "vectors"))
	{
		check(doc, vector);
		count++;
	}
	cJSON_Delete(doc);
	return count;
}

static void test_published(void **state)
{
	(void)state;
	assert_int_equal(check_file("sigv4_suite.json"), 31);
}

static void test_botocore(void **state)
{
	(void)state;
	assert_int_equal(check_file("sigv4_botocore.json"), 300);
}

static const struct sigv4_pair host[] = { { "Host", "example.amazonaws.com" } };

static struct sigv4_request vanilla(void)
{
	return (struct sigv4_request){
		.method = "GET",
		.path = "/",
		.headers = host,
		.header_count = 1,
		.region = "us-east-1",
		.service = "service",
		.wall_ms = INT64_C(1440938160000),
	};
}

static const struct sigv4_keys example = { "AKIDEXAMPLE",
	                                   "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL };

static void test_whole_header(void **state)
{
	struct sigv4_request request = vanilla();
	struct sigv4_signed signature;

	(void)state;
	assert_int_equal(sigv4_sign(&request, &example, &signature), 0);
	assert_string_equal(signature.date, "20150830T123600Z");
	assert_string_equal(signature.authorization,
	                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
	                    "aws4_request, SignedHeaders=host;x-amz-date, Signature="
	                    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void test_canonical(void **state)
{
	const struct sigv4_pair headers[] = { { "Host", "h" }, { "B", " x  y " }, { "a", "1" } };
	const struct sigv4_pair query[] = { { "b", "2" }, { "a", "x y" }, { "a", "+" } };
	struct sigv4_request request = vanilla();
	const struct sigv4_keys keys = { "AK", "SK", "tok" };
	char buf[1024];
	struct sb sb;

	(void)state;
	request.headers = headers;
	request.header_count = 3;
	request.query = query;
	request.query_count = 3;
	request.path = "/a/../b c/";
	sb_init(&sb, buf, sizeof(buf));
	assert_int_equal(sigv4_canonical(&request, &keys, &sb), 0);
	assert_string_equal(buf,
	                    "GET\n/b%20c/\na=%2B&a=x%20y&b=2\n"
	                    "a:1\nb:x y\nhost:h\nx-amz-date:20150830T123600Z\n"
	                    "x-amz-security-token:tok\n\n"
	                    "a;b;host;x-amz-date;x-amz-security-token\n"
	                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* Everything that is signed changes the signature. */
static void test_all_is_signed(void **state)
{
	struct sigv4_request request = vanilla();
	struct sigv4_keys keys = example;
	struct sigv4_signed first, other;

	(void)state;
	assert_int_equal(sigv4_sign(&request, &keys, &first), 0);
	keys.token = "token";
	assert_int_equal(sigv4_sign(&request, &keys, &other), 0);
	assert_string_not_equal(first.authorization, other.authorization);
	assert_non_null(strstr(other.authorization, "x-amz-security-token"));
	keys.token = "other";
	assert_int_equal(sigv4_sign(&request, &keys, &first), 0);
	assert_string_not_equal(first.authorization, other.authorization);
	request.body = "x";
	request.body_len = 1;
	assert_int_equal(sigv4_sign(&request, &keys, &other), 0);
	assert_string_not_equal(first.authorization, other.authorization);
	keys.token = ""; /* an empty one is none */
	request = vanilla();
	assert_int_equal(sigv4_sign(&request, &keys, &first), 0);
	assert_int_equal(sigv4_sign(&request, &example, &other), 0);
	assert_string_equal(first.authorization, other.authorization);
}

static void test_rds_token(void **state)
{
	static const struct sigv4_pair db[] = { { "Host", "db.example.com:3306" } };
	static const struct sigv4_pair query[] = { { "Action", "connect" }, { "DBUser", "web" } };
	struct sigv4_request request = vanilla();
	char url[2048], small[64];

	(void)state;
	request.headers = db;
	request.query = query;
	request.query_count = 2;
	request.service = "rds-db";
	assert_int_equal(sigv4_presign(&request, &example, 900, url, sizeof(url)), 0);
	assert_non_null(strstr(url, "Action=connect&DBUser=web&X-Amz-Algorithm=AWS4-HMAC-SHA256"
	                            "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Frds-db"
	                            "%2Faws4_request&X-Amz-Date=20150830T123600Z"
	                            "&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
	                            "&X-Amz-Signature="));
	assert_int_equal(sigv4_presign(&request, &example, 900, small, sizeof(small)), -E2BIG);
	assert_int_equal(sigv4_presign(&request, &example, 0, url, sizeof(url)), -EINVAL);
	assert_int_equal(sigv4_presign(&request, &example, 604801, url, sizeof(url)), -EINVAL);
}

static void test_refused(void **state)
{
	struct sigv4_pair many[SIGV4_PAIRS_MAX];
	struct sigv4_keys keys = example;
	struct sigv4_request request = vanilla();
	struct sigv4_signed signature = { .date = "untouched" };
	char secret[400];

	(void)state;
	request.header_count = 0;
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request = vanilla();
	request.path = "no-slash";
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request = vanilla();
	request.wall_ms = -1;
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request.wall_ms = INT64_MAX;
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request = vanilla();
	request.region = "";
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request = vanilla();
	for (size_t i = 0; i < SIGV4_PAIRS_MAX; i++)
		many[i] = host[0];
	request.headers = many;
	request.header_count = SIGV4_PAIRS_MAX;
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	request = vanilla();
	memset(secret, 'x', sizeof(secret) - 1);
	secret[sizeof(secret) - 1] = '\0';
	keys.secret_key = secret;
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	keys.secret_key = "";
	assert_int_equal(sigv4_sign(&request, &keys, &signature), -EINVAL);
	assert_string_equal(signature.date, "untouched");
	assert_int_equal(sigv4_sign(&request, &example, &signature), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),     cmocka_unit_test(test_botocore),
		cmocka_unit_test(test_whole_header),  cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_all_is_signed), cmocka_unit_test(test_rds_token),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
