/* Run by wna-cloud before each push; never blocks, resolves no name; owns nothing. */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "str.h"
#include "url.h"

static bool is_true(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && strcasecmp(value, "true") == 0;
}

void endpoint_env(struct endpoint_env *ret)
{
	*ret = (struct endpoint_env){
		.url_cloudwatch = getenv("AWS_ENDPOINT_URL_CLOUDWATCH"),
		.url = getenv("AWS_ENDPOINT_URL"),
		.region = getenv("AWS_REGION"),
		.default_region = getenv("AWS_DEFAULT_REGION"),
		.ca_bundle = getenv("AWS_CA_BUNDLE"),
		.ignore_urls = is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
		.fips = is_true("AWS_USE_FIPS_ENDPOINT"),
		.dual_stack = is_true("AWS_USE_DUALSTACK_ENDPOINT"),
	};
}

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A configured URL into url and host, written the one way that curl sends it. */
static int take_url(const char *url, bool allow_http, struct endpoint *ret, char *why, size_t size)
{
	struct url_base base;
	char wrong[64];

	if (url_base_parse(url, &base, wrong, sizeof(wrong)) < 0) {
		snprintf(why, size, "the endpoint's %s", wrong);
		return -EINVAL;
	}
	if (!base.https && !base.loopback && !allow_http) {
		snprintf(why, size,
		         "the endpoint is plain http:// beyond loopback "
		         "(metrics.allow_http is off)");
		return -EINVAL;
	}
	str_copy(ret->host, sizeof(ret->host), base.host);
	snprintf(ret->url, sizeof(ret->url), "%s://%s/", base.https ? "https" : "http", base.host);
	return 0;
}

static const struct partition {
	const char *prefix; /* of its regions */
	const char *domain, *dual_stack;
	bool plain_is_fips; /* GovCloud: the usual host is the FIPS one */
} partitions[] = {
	{ "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false },
	{ "us-gov-", "amazonaws.com", "api.aws", true },
	{ "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false },
	{ "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false },
	{ "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false },
	{ "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false },
	{ "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false },
	{ "", "amazonaws.com", "api.aws", false },
};

static void regional(bool fips, bool dual_stack, const char *domain, struct endpoint *ret)
{
	const struct partition *p = partitions;

	while (!begins(ret->region, p->prefix))
		p++;
	fips = fips && !p->plain_is_fips;
	if (dual_stack)
		domain = p->dual_stack;
	else if (!is_set(domain))
		domain = p->domain;
	snprintf(ret->host, sizeof(ret->host), "monitoring%s.%s.%s", fips ? "-fips" : "",
	         ret->region, domain);
	snprintf(ret->url, sizeof(ret->url), "https://%s/", ret->host);
}

int endpoint_find(const struct conf_metrics *conf, const struct endpoint_env *env,
                  const struct identity *identity, struct endpoint *ret, char *why, size_t why_size)
{
	const char *region = is_set(conf->region)          ? conf->region
	                     : is_set(env->region)         ? env->region
	                     : is_set(env->default_region) ? env->default_region
	                                                   : identity->region;
	const char *url = is_set(conf->endpoint)        ? conf->endpoint
	                  : env->ignore_urls            ? NULL
	                  : is_set(env->url_cloudwatch) ? env->url_cloudwatch
	                  : is_set(env->url)            ? env->url
	                                                : NULL;
	bool fips = conf->fips || env->fips, dual_stack = conf->dual_stack || env->dual_stack;
	struct endpoint found = { 0 };
	int r = 0;

	if (!is_set(region)) {
		snprintf(why, why_size, "the region is not known yet");
		return -EAGAIN;
	}
	if (!str_copy(found.region, sizeof(found.region), region) || strlen(region) > 32 ||
	    strchr(region, '.') != NULL || !url_is_host_name(region)) {
		snprintf(why, why_size, "the region's name is not valid");
		return -EINVAL;
	}
	if (url == NULL) {
		regional(fips, dual_stack, identity->domain, &found);
		if (!url_is_host_name(found.host)) {
			snprintf(why, why_size, "the metadata's domain is not a valid name");
			return -EINVAL;
		}
	} else if (fips || dual_stack) {
		snprintf(why, why_size, "FIPS and dual-stack contradict a given endpoint");
		return -EINVAL;
	} else {
		r = take_url(url, conf->allow_http, &found, why, why_size);
	}
	if (r == 0)
		*ret = found;
	return r;
}
