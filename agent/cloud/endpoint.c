/* Run by wna-cloud before each push; never blocks, resolves no name; owns nothing. */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "str.h"

void endpoint_env(struct endpoint_env *ret)
{
	*ret = (struct endpoint_env){
		.url_cloudwatch = getenv("AWS_ENDPOINT_URL_CLOUDWATCH"),
		.url = getenv("AWS_ENDPOINT_URL"),
		.region = getenv("AWS_REGION"),
		.default_region = getenv("AWS_DEFAULT_REGION"),
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

/* Labels of letters, digits and inner hyphens (RFC 1123). */
static bool is_host_name(const char *host)
{
	size_t label = 0;

	for (const char *c = host;; c++) {
		if (*c == '.' || *c == '\0') {
			if (label == 0 || label > 63 || c[-1] == '-')
				return false;
			if (*c == '\0')
				return true;
			label = 0;
		} else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
		           (*c == '-' && label > 0)) {
			label++;
		} else {
			return false;
		}
	}
}

/* Splits "host", "host:port", "[v6]", "[v6]:port", lower case; 0 = no port given. */
static bool split_authority(char *text, char **ret_host, int64_t *ret_port)
{
	char *host = text, *port;

	*ret_port = 0;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		host = text + 1;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		if (strchr(host, ':') == NULL || !str_is_address(host))
			return false;
	} else {
		port = strchr(text, ':');
		if (port != NULL)
			*port++ = '\0';
		if (!is_host_name(host))
			return false;
	}
	*ret_host = host;
	return port == NULL || str_int64(port, 1, 65535, ret_port);
}

static bool is_loopback(const char *host)
{
	struct net_addr addr;

	if (strcmp(host, "localhost") == 0)
		return true;
	return net_addr_parse(host, &addr) && net_addr_is_loopback(&addr);
}

/* A configured URL into url and host, written the one way that curl sends it. */
static int take_url(const char *url, bool allow_http, struct endpoint *ret, char *why, size_t size)
{
	bool https = begins(url, "https://");
	char authority[LIMIT_HOST], *host;
	const char *start, *v6;
	int64_t port;
	size_t len;

	if (!https && !begins(url, "http://")) {
		snprintf(why, size, "the endpoint's URL must begin with https://");
		return -EINVAL;
	}
	start = strchr(url, '/') + 2;
	len = strcspn(start, "/");
	if (len == 0 || len >= sizeof(authority) || (start[len] == '/' && start[len + 1] != '\0')) {
		snprintf(why, size, "the endpoint's URL must be https://HOST[:PORT] and no more");
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		authority[i] =
		        (char)(start[i] >= 'A' && start[i] <= 'Z' ? start[i] + 32 : start[i]);
	authority[len] = '\0';
	if (!split_authority(authority, &host, &port)) {
		snprintf(why, size, "the endpoint's URL has no valid host and port");
		return -EINVAL;
	}
	if (!https && !allow_http && !is_loopback(host)) {
		snprintf(why, size,
		         "the endpoint is plain http:// beyond loopback "
		         "(metrics.allow_http is off)");
		return -EINVAL;
	}
	v6 = strchr(host, ':') != NULL ? "[" : "";
	if (port == 0 || port == (https ? 443 : 80))
		snprintf(ret->host, sizeof(ret->host), "%s%s%s", v6, host, *v6 ? "]" : "");
	else
		snprintf(ret->host, sizeof(ret->host), "%s%s%s:%d", v6, host, *v6 ? "]" : "",
		         (int)port);
	snprintf(ret->url, sizeof(ret->url), "%s://%s/", https ? "https" : "http", ret->host);
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

static void regional(const struct conf_metrics *conf, const char *domain, struct endpoint *ret)
{
	const struct partition *p = partitions;
	bool fips;

	while (!begins(ret->region, p->prefix))
		p++;
	fips = conf->fips && !p->plain_is_fips;
	if (conf->dual_stack)
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
	                  : is_set(env->url_cloudwatch) ? env->url_cloudwatch
	                  : is_set(env->url)            ? env->url
	                                                : NULL;
	struct endpoint found = { 0 };
	int r = 0;

	if (!is_set(region)) {
		snprintf(why, why_size, "the region is not known yet");
		return -EAGAIN;
	}
	if (!str_copy(found.region, sizeof(found.region), region) || strlen(region) > 32 ||
	    strchr(region, '.') != NULL || !is_host_name(region)) {
		snprintf(why, why_size, "the region's name is not valid");
		return -EINVAL;
	}
	if (url == NULL) {
		regional(conf, identity->domain, &found);
		if (!is_host_name(found.host)) {
			snprintf(why, why_size, "the metadata's domain is not a valid name");
			return -EINVAL;
		}
	} else if (conf->fips || conf->dual_stack) {
		snprintf(why, why_size, "metrics.fips and dual_stack contradict a given endpoint");
		return -EINVAL;
	} else {
		r = take_url(url, conf->allow_http, &found, why, why_size);
	}
	if (r == 0)
		*ret = found;
	return r;
}
