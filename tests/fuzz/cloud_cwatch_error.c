/*
 * An answer of CloudWatch or EC2 Auto Scaling, or of another program in between. The first two bytes are
 * the status, then X-Amzn-Errortype, a NUL, and the body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	char clean[LIMIT_FACT_WHY];

	if (memchr(text, '\0', size) == NULL)
		abort();
	str_clean(clean, sizeof(clean), text, strlen(text));
	if (strcmp(clean, text) != 0)
		abort();
}

static void check_answer(const struct http_result *result, const struct cwatch_answer *answer)
{
	if (answer->verdict > CWATCH_UNKNOWN)
		abort();
	if (answer->verdict == CWATCH_ACCEPTED && result->status / 100 != 2)
		abort();
	if (answer->verdict != CWATCH_ACCEPTED && answer->why[0] == '\0')
		abort();
	check_text(answer->code, sizeof(answer->code));
	check_text(answer->why, sizeof(answer->why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_result result = { .outcome = HTTP_ANSWERED, .took_ms = 5 };
	struct cwatch_answer answer;
	char *copy, *at, *next;

	if (size < 2)
		return 0;
	copy = calloc(1, size - 1);
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 2, size - 2);
	result.status = 100 + (data[0] << 8 | data[1]) % 500;
	result.date_wall_ms = 1;
	at = copy;
	next = memchr(at, '\0', size - 2);
	if (next != NULL && next < copy + size - 2) {
		/* As http does it. */
		str_clean(result.error_type, sizeof(result.error_type), at, (size_t)(next - at));
		at = next + 1;
	}
	result.body = at;
	result.body_len = (size_t)(copy + size - 2 - at);
	cwatch_judge(&result, &answer);
	check_answer(&result, &answer);
	query_judge(&result, &answer);
	check_answer(&result, &answer);
	free(copy);
	return 0;
}
