/* wnad only; pure. What values say of each other. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws_name.h"
#include "conf_table.h"
#include "str.h"
#include "url.h"

enum { SLACK_MS = 250 }; /* a busy machine's wake-ups, from result to verdict */

struct finding {
	const char **section, **key;
	struct sb expected;
};

static enum conf_error find(struct finding *f, enum conf_error error, const char *section,
                            const char *key, const char *expected)
{
	*f->section = section;
	*f->key = key;
	sb_put(&f->expected, expected);
	return error;
}

/* True if `path` is `folder` or lies below it. */
static bool below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return len > 1 && strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/*
 * What is well must not age between two results: between their ends lies a period,
 * which jitter makes a tenth longer, what the second one may take beyond the first,
 * and the way through two sockets.
 */
static enum conf_error check_age(struct finding *f, const char *section, int64_t max_age_ms,
                                 int64_t period_ms, int64_t takes_ms, const char *sum)
{
	int64_t least_ms = period_ms + period_ms / 10 + takes_ms + SLACK_MS;

	if (max_age_ms >= least_ms)
		return CONF_OK;
	find(f, CONF_MISSING, section, "max_age", "");
	sb_printf(&f->expected,
	          "at least %" PRId64 "ms (%s and %d ms), or it ages between two results", least_ms,
	          sum, SLACK_MS);
	return CONF_MISSING;
}

/* By the rule that wna-check goes by, so that it cannot refuse what was taken. */
static enum conf_error check_url(const struct conf_check *check, const char *section,
                                 struct finding *f)
{
	struct url_target target;
	const char *why;

	if (url_target_parse(check->url, check->host, &target, &why) == 0)
		return CONF_OK;
	find(f, CONF_VALUE, section, "url", "http://ADDRESS[:PORT]/PATH: ");
	sb_put(&f->expected, why);
	return CONF_VALUE;
}

static enum conf_error check_one(const struct conf *conf, const struct conf_check *check,
                                 struct finding *f)
{
	/* The section's name for the message; one call, one finding. */
	static char section[LIMIT_NAME + 8];

	snprintf(section, sizeof section, "check %s", check->name);
	if (check_age(f, section, check->max_age_ms, check->interval_ms, check->timeout_ms,
	              "interval, a tenth of it, timeout") != CONF_OK)
		return CONF_MISSING;
	switch ((enum check_type)check->type) {
	case CHECK_HTTP: return check_url(check, section, f);
	case CHECK_TCP:
		if (check->address.addr.family == 0)
			return find(f, CONF_MISSING, section, "address", "ADDRESS:PORT");
		break;
	case CHECK_PROCESS:
		if (!*check->process)
			return find(f, CONF_MISSING, section, "process", "the executable's name");
		break;
	case CHECK_FILE:
	case CHECK_DISK:
		if (!*check->path)
			return find(f, CONF_MISSING, section, "path", "an absolute path");
		if (conf->mount.enabled && below(check->path, conf->mount.path))
			return find(f, CONF_MISSING, section, "path",
			            "a path that is not on the shared file system (mount.path)");
		break;
	case CHECK_TYPE_MAX: break;
	}
	return CONF_OK;
}

static bool has_prefix_id(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) != 0)
		return false;
	text += len;
	return strlen(text) >= 8 && strspn(text, "0123456789abcdef") == strlen(text);
}

static enum conf_error check_mount(const struct conf_mount *m, struct finding *f)
{
	bool efs = strcmp(m->type, "efs") == 0;
	bool automatic = strcmp(m->type, "auto") == 0;

	if (!m->enabled)
		return CONF_OK;
	if (!*m->path || strcmp(m->path, "/") == 0)
		return find(f, CONF_MISSING, "mount", "path", "a folder below /");
	if (!*m->type)
		return find(f, CONF_MISSING, "mount", "type", "auto, efs, nfs4 or another type");
	if (*m->file_system && !has_prefix_id(m->file_system, "fs-"))
		return find(f, CONF_VALUE, "mount", "file_system",
		            "fs- and 8 to 40 hexadecimal digits");
	if (*m->access_point && !has_prefix_id(m->access_point, "fsap-"))
		return find(f, CONF_VALUE, "mount", "access_point",
		            "fsap- and 17 hexadecimal digits");
	if (!*m->file_system && (efs || automatic))
		return find(f, CONF_MISSING, "mount", "file_system", "fs-...");
	if (!*m->file_system && !*m->source)
		return find(f, CONF_MISSING, "mount", "source", "what to mount, or file_system");
	if ((m->iam || *m->access_point) && !m->tls && (efs || automatic))
		return find(f, CONF_MISSING, "mount", "tls",
		            "yes, which iam and access_point need");
	if (*m->probe_file &&
	    (m->probe_file[0] == '/' || strstr(m->probe_file, "..") || strchr(m->probe_file, '\\')))
		return find(f, CONF_VALUE, "mount", "probe_file",
		            "a path relative to mount.path without ..");
	if (m->retry_max_ms < m->retry_min_ms)
		return find(f, CONF_MISSING, "mount", "retry_max", "at least retry_min");
	return check_age(f, "mount", m->max_age_ms, m->probe_interval_ms, m->probe_timeout_ms,
	                 "probe_interval, a tenth of it, probe_timeout");
}

static enum conf_error check_database(const struct conf_rds *r, struct finding *f)
{
	if (!r->enabled)
		return CONF_OK;
	if (!*r->endpoint)
		return find(f, CONF_MISSING, "database", "endpoint", "the endpoint's DNS name");
	if (strpbrk(r->endpoint, ":/@+=[]"))
		return find(f, CONF_VALUE, "database", "endpoint", "a DNS name without port");
	if (!*r->user)
		return find(f, CONF_MISSING, "database", "user", "a user name");
	if (!*r->password_file)
		return find(f, CONF_MISSING, "database", "password_file",
		            "a file with the password in its first line");
	if (r->tls == DB_TLS_VERIFY && !*r->tls_ca)
		return find(f, CONF_MISSING, "database", "tls_ca",
		            "a file of CA certificates (tls = verify)");
	/* A question may have to wait for a resolution that is under way. */
	return check_age(f, "database", r->max_age_ms, r->interval_ms,
	                 r->dns_timeout_ms + r->timeout_ms,
	                 "interval, a tenth of it, dns_timeout, timeout");
}

static enum conf_error check_endpoint(const struct conf_metrics *m, struct finding *f)
{
	struct url_base url;
	char why[64];

	if (!*m->endpoint)
		return CONF_OK;
	if (url_base_parse(m->endpoint, &url, why, sizeof why) < 0)
		return find(f, CONF_VALUE, "metrics", "endpoint", "https://HOST[:PORT]");
	if (!url.https && !url.loopback && !m->allow_http)
		return find(f, CONF_VALUE, "metrics", "endpoint",
		            "https://, since plain http:// beyond loopback needs allow_http = yes");
	if (m->fips || m->dual_stack)
		return find(f, CONF_MISSING, "metrics", "endpoint",
		            "nothing, since fips or dual_stack choose the endpoint");
	return CONF_OK;
}

static enum conf_error check_imds(const struct conf_imds *imds, struct finding *f)
{
	char base[LIMIT_VALUE];

	if (*imds->endpoint && !url_prefix_parse(imds->endpoint, base, sizeof base))
		return find(f, CONF_VALUE, "imds", "endpoint", "http://HOST[:PORT]");
	if (*imds->asg && !aws_is_group(imds->asg))
		return find(f, CONF_VALUE, "imds", "auto_scaling_group",
		            "up to 255 ASCII characters, the first no colon");
	return CONF_OK;
}

static enum conf_error check_metrics(const struct conf_metrics *m, struct finding *f)
{
	if (!m->enabled)
		return CONF_OK;
	if (m->push_ms != 10000 && m->push_ms != 60000)
		return find(f, CONF_VALUE, "metrics", "push_interval", "10s or 60s");
	if (m->resolution != 1 && m->resolution != 60)
		return find(f, CONF_VALUE, "metrics", "resolution", "1 or 60");
	/* CWAPI/API_PutMetricData */
	if (!*m->space || m->space[0] == ':' || strncmp(m->space, "AWS/", 4) == 0 ||
	    !str_only(m->space, ".-_/#: "))
		return find(f, CONF_VALUE, "metrics", "namespace",
		            "letters, digits and .-_/#: that do not begin with AWS/ or a colon");
	if (!*m->name)
		return find(f, CONF_VALUE, "metrics", "name", "a metric name");
	if (*m->region && !aws_is_region(m->region))
		return find(f, CONF_VALUE, "metrics", "region", "a region such as ap-northeast-2");
	if (m->max_age_ms < 2 * m->push_ms)
		return find(f, CONF_MISSING, "metrics", "max_age", "at least twice push_interval");
	return check_endpoint(m, f);
}

enum conf_error conf_check_values(const struct conf *conf, const char **ret_section,
                                  const char **ret_key, char *expected, size_t size)
{
	struct finding f = { .section = ret_section, .key = ret_key };
	enum conf_error error;

	sb_init(&f.expected, expected, size);
	error = check_imds(&conf->imds, &f);
	if (!error)
		error = check_mount(&conf->mount, &f);
	for (int i = 0; !error && i < conf->checks.count; i++)
		error = check_one(conf, &conf->checks.item[i], &f);
	if (!error)
		error = check_database(&conf->rds, &f);
	if (!error)
		error = check_metrics(&conf->metrics, &f);
	if (!error && conf->hooks.enabled && (!*conf->hooks.directory || !*conf->hooks.user))
		error = find(&f, CONF_MISSING, "hooks", "directory", "a folder, and a user");
	return error;
}
