/* Needed by wna-cloud, wna-rds, wna-mount and wnactl; pure. */
#include "aws_name.h"

#include <stdio.h>
#include <string.h>

bool aws_is_region(const char *text)
{
	size_t len = strnlen(text, 64);

	return len >= 4 && len <= 63 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && text[0] >= 'a' &&
	       strchr(text, '-') != NULL && strstr(text, "--") == NULL && text[len - 1] >= '0' &&
	       text[len - 1] <= '9';
}

bool aws_is_group(const char *text)
{
	size_t len = strnlen(text, 256);

	if (len == 0 || len > 255 || text[0] == ' ' || text[len - 1] == ' ' || text[0] == ':' ||
	    text[0] == '<')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static const struct aws_partition partitions[] = {
	{ "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false },
	{ "us-gov-", "amazonaws.com", "api.aws", true },
	{ "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false },
	{ "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false },
	{ "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false },
	{ "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false },
	{ "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false },
	{ "", "amazonaws.com", "api.aws", false },
};

const struct aws_partition *aws_partition_of(const char *region)
{
	const struct aws_partition *p = partitions;

	while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
		p++;
	return p;
}

bool aws_is_domain(const char *text)
{
	for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
		if (strcmp(text, partitions[i].domain) == 0)
			return true;
	}
	return false;
}

bool aws_is_database(const char *host, char *ret_region)
{
	const char *rds = strstr(host, ".rds."), *start = rds, *rest;
	size_t len;

	if (!rds)
		return false;
	rest = rds + strlen(".rds.");
	if (aws_is_domain(rest)) {
		while (start > host && start[-1] != '.')
			start--;
		len = (size_t)(rds - start);
	} else { /* as in China */
		start = rest;
		len = strcspn(rest, ".");
		if (rest[len] != '.' || !aws_is_domain(rest + len + 1))
			return false;
	}
	return start > host && snprintf(ret_region, 64, "%.*s", (int)len, start) < 64 &&
	       aws_is_region(ret_region);
}
