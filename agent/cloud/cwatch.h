/*
 * CloudWatch's PutMetricData over AWS JSON 1.0 (API_PutMetricData,
 * API_MetricDatum; on the wire as botocore's model of cloudwatch/2010-08-01 and
 * Smithy's awsJson1_0 have it): the request's body, and what an answer means.
 */
#ifndef CLOUD_CWATCH_H
#define CLOUD_CWATCH_H

#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "limits.h"
#include "series.h"

#define CWATCH_TARGET "GraniteServiceVersion20100801.PutMetricData"
#define CWATCH_TYPE   "application/x-amz-json-1.0"

enum {
	CWATCH_NAME = 256,            /* metric names and namespaces, with the NUL */
	CWATCH_DATA_MAX = 1000,       /* data in one request */
	CWATCH_BODY_MAX = 900 * 1000, /* bytes; the limit is 1 MB */
};

enum cwatch_dimension { CWATCH_ASG, CWATCH_INSTANCE, CWATCH_DIMENSION_MAX };

/* "AutoScalingGroupName", "InstanceId": CloudWatch's names; "?" outside. */
const char *cwatch_dimension_name(int64_t dimension);

/* A series: its only dimension makes it the one that a scaling policy reads. */
struct cwatch_series {
	char space[CWATCH_NAME];
	char name[CWATCH_NAME];
	int32_t dimension;     /* enum cwatch_dimension */
	char who[CWATCH_NAME]; /* the dimension's value */
	int32_t resolution;    /* 1 or 60 */
};

/* A request's body being built. Zero it before use. */
struct cwatch_body {
	char *text;
	size_t len, size;
	unsigned count;
	char space[CWATCH_NAME];
};

/* Appends one datum. 0; -EFBIG if the request is full; -EXDEV if the series is of
 * another namespace (one request has one); -ENOMEM. Otherwise nothing changes. */
int cwatch_body_add(struct cwatch_body *body, const struct cwatch_series *series,
                    const struct datum *datum);

/* Closes the JSON text. The body has at least one datum. */
void cwatch_body_end(struct cwatch_body *body);
void cwatch_body_free(struct cwatch_body *body);

/* What to do about an answer. The table of error codes is in cwatch_answer.c. */
enum cwatch_verdict {
	CWATCH_ACCEPTED,
	CWATCH_RETRY,     /* throttled, their failure, no answer: back off */
	CWATCH_CLOCK,     /* the signature or its time is not believed */
	CWATCH_REFUSED,   /* the credentials are not accepted: get others */
	CWATCH_DENIED,    /* the credentials may not, or the service is not offered */
	CWATCH_BAD_DATUM, /* something in the request is not valid */
	CWATCH_TOO_LARGE,
	CWATCH_UNKNOWN, /* an error that is not in the table */
	CWATCH_FOREIGN, /* no answer of CloudWatch at all: HTML, a redirect, garbage */
	CWATCH_VERDICT_MAX
};

const char *cwatch_verdict_name(int64_t verdict);

struct cwatch_answer {
	enum cwatch_verdict verdict;
	char code[64];            /* "Throttling"; empty if there is none */
	char why[LIMIT_FACT_WHY]; /* for people; never a signature's or a token's text */
	int64_t date_ms;          /* AWS's clock; 0 = not told, or not told by AWS */
	int64_t sent_ms, took_ms; /* as in http_result */
};

/* Pure and total: decides by the error code, and by the status only without one. */
void cwatch_judge(const struct http_result *result, struct cwatch_answer *ret);

#endif
