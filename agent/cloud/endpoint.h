/*
 * Where CloudWatch is: configured, from the SDKs' environment variables, or the
 * region's own endpoint (AWS General Reference, "Amazon CloudWatch endpoints and
 * quotas"; the partitions are those of botocore's partitions.json).
 */
#ifndef CLOUD_ENDPOINT_H
#define CLOUD_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "identity.h"

/* All texts may be NULL. The switches are on at "true" in any case, as in the SDKs. */
struct endpoint_env {
	const char *url_cloudwatch; /* AWS_ENDPOINT_URL_CLOUDWATCH */
	const char *url;            /* AWS_ENDPOINT_URL */
	const char *region;         /* AWS_REGION */
	const char *default_region; /* AWS_DEFAULT_REGION */
	const char *ca_bundle;      /* AWS_CA_BUNDLE: file of CA certificates */
	bool ignore_urls;           /* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: not the two above */
	bool fips, dual_stack;      /* AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT */
};

struct endpoint {
	char url[LIMIT_VALUE];     /* "https://monitoring.eu-west-1.amazonaws.com/" */
	char host[LIMIT_HOST + 8]; /* Host header as curl sends it: lower case, with the
	                             * port unless it is the scheme's own */
	char region[LIMIT_FACT_TEXT];
};

/* What this process was started with. */
void endpoint_env(struct endpoint_env *ret);

/*
 * 0; -EAGAIN if the region is not known yet; -EINVAL if what is configured cannot
 * be used. Then `why` says it. A URL is http:// or https://, a host name or an
 * address, perhaps a port, and nothing more; http:// only leads to loopback unless
 * metrics.allow_http. FIPS and dual-stack, by configuration or environment, contradict
 * a given URL, as in the SDKs.
 */
int endpoint_find(const struct conf_metrics *conf, const struct endpoint_env *env,
                  const struct identity *identity, struct endpoint *ret, char *why,
                  size_t why_size);

#endif
