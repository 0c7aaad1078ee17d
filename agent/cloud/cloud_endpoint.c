/* Run by wna-cloud before each request to AWS; never blocks, resolves no name; owns nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_name.h"
#include "cloud_aws.h"
#include "url.h"

static bool is_true(const char *value)
{
	return value && strcasecmp(value, "true") == 0;
}

static bool is_set(const char *text)
{
	return text && text[0];
}

/* A configured URL into url and host, as curl sends them. */
static int take_url(const char *url, bool allow_http, struct endpoint *ret, char *why, size_t size)
{
	struct url_base base;
	char wrong[64];

	if (url_base_parse(url, &base, wrong, sizeof wrong) < 0) {
		snprintf(why, size, "the endpoint's %s", wrong);
		return -EINVAL;
	}
	if (!base.https && !base.loopback && !allow_http) {
		snprintf(why, size,
		         "the endpoint is plain http:// beyond loopback "
		         "(metrics.allow_http is off)");
		return -EINVAL;
	}
	str_copy(ret->host, sizeof ret->host, base.host);
	snprintf(ret->url, sizeof ret->url, "%s://%s/", base.https ? "https" : "http", base.host);
	return 0;
}

static void regional(const char *service, bool fips, bool dual_stack, const char *domain,
                     struct endpoint *ret)
{
	const struct aws_partition *p = aws_partition_of(ret->region);

	fips = fips && !p->plain_is_fips;
	if (dual_stack)
		domain = p->dual_stack;
	else if (!is_set(domain))
		domain = p->domain;
	snprintf(ret->host, sizeof ret->host, "%s%s.%s.%s", service, fips ? "-fips" : "",
	         ret->region, domain);
	snprintf(ret->url, sizeof ret->url, "https://%s/", ret->host);
}

/* The first of these that is set, else NULL. */
static const char *first(const char *a, const char *b, const char *c)
{
	return is_set(a) ? a : is_set(b) ? b : is_set(c) ? c : NULL;
}

int endpoint_find(const struct conf_metrics *conf, const struct endpoint_service *service,
                  char *(*env)(const char *name), const struct identity *identity,
                  struct endpoint *ret, char *why, size_t why_size)
{
	bool ignore = is_true(env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"));
	bool fips = conf->fips || is_true(env("AWS_USE_FIPS_ENDPOINT"));
	bool dual_stack = conf->dual_stack || is_true(env("AWS_USE_DUALSTACK_ENDPOINT"));
	const char *url = first(service->url, ignore ? NULL : env(service->variable),
	                        ignore ? NULL : env("AWS_ENDPOINT_URL"));
	const char *region = first(conf->region, env("AWS_REGION"), env("AWS_DEFAULT_REGION"));
	struct endpoint found = { 0 };
	int r = 0;

	region = region ? region : identity->region;
	if (!is_set(region)) {
		snprintf(why, why_size, "the region is not known yet");
		return -EAGAIN;
	}
	if (!str_copy(found.region, sizeof found.region, region) || strlen(region) > 32 ||
	    strchr(region, '.') || !url_is_host_name(region)) {
		snprintf(why, why_size, "the region's name is not valid");
		return -EINVAL;
	}
	if (!url) {
		regional(service->name, fips, dual_stack, identity->domain, &found);
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
