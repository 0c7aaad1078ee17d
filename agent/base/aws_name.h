/*
 * Names from AWS, as they are in the configuration, in the metadata and in DNS. Pure. The rules are as
 * strict as possible, but AWS can add regions and partitions.
 */
#ifndef WNA_AWS_NAME_H
#define WNA_AWS_NAME_H

#include <stdbool.h>

/* "ap-northeast-2", "us-gov-west-1": lower-case words with hyphens, a digit at the
 * end, 4 to 63 characters. */
bool aws_is_region(const char *text);

/* An Auto Scaling group: visible ASCII and inner blanks, 1 to 255 characters, no
 * colon in front; what CloudWatch takes as a dimension's value (API_Dimension). */
bool aws_is_group(const char *text);

struct aws_partition {
	const char *prefix; /* of its regions; "" for all other regions */
	const char *domain, *dual_stack;
	bool plain_is_fips; /* GovCloud: the usual host is the FIPS one */
};

/* The partition of a region (botocore's endpoints.json: "dnsSuffix"). Never NULL. */
const struct aws_partition *aws_partition_of(const char *region);

/* The DNS suffix of one of AWS's partitions ("amazonaws.com.cn"; botocore's
 * endpoints.json, "dnsSuffix"). */
bool aws_is_domain(const char *text);

/* A name of RDS: "practice.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com", or, in China,
 * "practice.c9akciq32rrw.rds.cn-north-1.amazonaws.com.cn". In lower case, without a final dot.
 * `ret_region` has 64 bytes. */
bool aws_is_database(const char *host, char *ret_region);

#endif
