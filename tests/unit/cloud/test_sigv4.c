/*
 * The signer against AWS's published vectors, as far as they have the form of the agent's
 * requests, and against botocore's signer; the files and their origin are in data/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

enum { HEADERS_MAX = 8 };

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

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct http_header *)a)->name, ((const struct http_header *)b)->name);
}

/* As cloud_push_request.c makes it: names in lower case and sorted, with date and token. */
static size_t take_headers(const cJSON *array, const char *date, const char *token,
                           struct http_header *ret, char names[HEADERS_MAX][64])
{
	const cJSON *pair;
	size_t count = 0;

	cJSON_ArrayForEach(pair, array)
	{
		assert_true(count < HEADERS_MAX - 2);
		snprintf(names[count], 64, "%s", cJSON_GetArrayItem(pair, 0)->valuestring);
		for (char *c = names[count]; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		ret[count] = (struct http_header){ names[count],
			                           cJSON_GetArrayItem(pair, 1)->valuestring };
		count++;
	}
	ret[count++] = (struct http_header){ "x-amz-date", date };
	if (token[0] != '\0')
		ret[count++] = (struct http_header){ "x-amz-security-token", token };
	qsort(ret, count, sizeof(*ret), by_name);
	return count;
}

static void check(const cJSON *doc, const cJSON *vector)
{
	struct http_header headers[HEADERS_MAX];
	char names[HEADERS_MAX][64], date[SIGV4_DATE], authorization[SIGV4_AUTHORIZATION];
	const char *want = text(doc, vector, "signature"), *got;
	const struct sigv4_request request = {
		.headers = headers,
		.header_count = take_headers(item(doc, vector, "headers"), date,
		                             text(doc, vector, "token"), headers, names),
		.body = text(doc, vector, "body"),
		.body_len = strlen(text(doc, vector, "body")),
		.date = date,
		.region = text(doc, vector, "region"),
		.service = text(doc, vector, "service"),
		.access_key = text(doc, vector, "access_key"),
		.secret_key = text(doc, vector, "secret_key"),
	};

	assert_true(sigv4_date((int64_t)item(doc, vector, "time")->valuedouble * 1000 + 999, date));
	assert_int_equal(sigv4_sign(&request, authorization), 0);
	got = strstr(authorization, ", Signature=");
	assert_non_null(got);
	got += strlen(", Signature=");
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
	assert_int_equal(check_file("sigv4_suite.json"), 7);
}

static void test_botocore(void **state)
{
	(void)state;
	assert_int_equal(check_file("sigv4_botocore.json"), 60);
}

/* The parameters may have another order: the signature is about the sorted ones. */
static void test_login(void **state)
{
	cJSON *doc = load("sigv4_login.json");
	const cJSON *vector;
	char date[SIGV4_DATE], token[LIMIT_LOGIN_TOKEN], start[512];
	size_t count = 0;

	(void)state;
	cJSON_ArrayForEach(vector, cJSON_GetObjectItemCaseSensitive(doc, "vectors"))
	{
		const char *want = text(doc, vector, "login");
		const struct sigv4_request request = {
			.date = date,
			.region = text(doc, vector, "region"),
			.service = text(doc, vector, "service"),
			.access_key = text(doc, vector, "access_key"),
			.secret_key = text(doc, vector, "secret_key"),
		};

		assert_true(
		        sigv4_date((int64_t)item(doc, vector, "time")->valuedouble * 1000, date));
		assert_int_equal(sigv4_login(&request, text(doc, vector, "host"),
		                             text(doc, vector, "user"), text(doc, vector, "token"),
		                             token, sizeof token),
		                 0);
		assert_int_equal(strlen(token), strlen(want));
		assert_string_equal(strstr(token, "&X-Amz-Signature="),
		                    strstr(want, "&X-Amz-Signature="));
		snprintf(start, sizeof start, "%.*s", (int)(strstr(want, "&X-Amz-Date") - want),
		         want);
		assert_memory_equal(token, start, strlen(start));
		assert_int_equal(sigv4_login(&request, text(doc, vector, "host"),
		                             text(doc, vector, "user"), text(doc, vector, "token"),
		                             token, strlen(want)),
		                 -E2BIG);
		count++;
	}
	assert_int_equal(count, 20);
	cJSON_Delete(doc);
}

static const struct http_header vanilla[] = { { "host", "example.amazonaws.com" },
	                                      { "x-amz-date", "20150830T123600Z" } };

static const struct sigv4_request example = {
	.headers = vanilla,
	.header_count = 2,
	.date = "20150830T123600Z",
	.region = "us-east-1",
	.service = "service",
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

static void test_whole_header(void **state)
{
	char authorization[SIGV4_AUTHORIZATION];

	(void)state;
	assert_int_equal(sigv4_sign(&example, authorization), 0);
	assert_string_equal(authorization,
	                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
	                    "aws4_request, SignedHeaders=host;x-amz-date, Signature="
	                    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void test_date(void **state)
{
	char date[SIGV4_DATE] = "untouched";

	(void)state;
	assert_false(sigv4_date(-1, date));
	assert_false(sigv4_date(INT64_MAX, date));
	assert_false(sigv4_date(INT64_C(253402300800000), date)); /* the year 10000 */
	assert_string_equal(date, "untouched");
	assert_true(sigv4_date(INT64_C(1440938160999), date));
	assert_string_equal(date, "20150830T123600Z");
}

/* What does not fit is refused and not cut. */
static void test_too_long(void **state)
{
	struct sigv4_request request = example;
	struct http_header headers[3] = { vanilla[0],
		                          vanilla[1],
		                          { "x-amz-security-token", NULL } };
	char authorization[SIGV4_AUTHORIZATION] = "untouched", longest[9000];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	request.headers = headers;
	request.header_count = 3;
	headers[2].value = longest;
	assert_int_equal(sigv4_sign(&request, authorization), -E2BIG);
	headers[2].value = longest + sizeof(longest) - 4097; /* the longest token */
	assert_int_equal(sigv4_sign(&request, authorization), 0);
	request = example;
	request.secret_key = longest;
	assert_true(sigv4_sign(&request, authorization) < 0);
	request = example;
	request.access_key = longest;
	assert_int_equal(sigv4_sign(&request, authorization), -E2BIG);
	request = example;
	request.region = longest;
	assert_int_equal(sigv4_sign(&request, authorization), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),    cmocka_unit_test(test_botocore),
		cmocka_unit_test(test_whole_header), cmocka_unit_test(test_date),
		cmocka_unit_test(test_too_long),     cmocka_unit_test(test_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
