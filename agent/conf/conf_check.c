/* For wnactl; looks for one local file. The rules between values, and what is allowed but
 * probably not meant. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aws_name.h"
#include "conf_load.h"
#include "str.h"
#include "url.h"

enum { SLACK_MS = 250 }; /* a busy machine's wake-ups, from result to verdict */

#define EFS_HELPER "/sbin/mount.efs"

#define EXPECT(draft, error, section, key, what)                                                   \
	conf_blame(draft, error, section, -1, key, "expected %s", what)

/* True if `path` is `folder` or lies below it. */
static bool below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return len > 1 && strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/*
 * A good result must not become too old before the next one. The longest time between the two
 * is a period, a tenth of it for jitter, the time-out of the second question, and the way
 * through two sockets.
 */
static void check_age(struct conf_draft *draft, const char *section, int slot, int64_t max_age_ms,
                      int64_t period_ms, int64_t takes_ms, const char *sum)
{
	int64_t least_ms = period_ms + period_ms / 10 + takes_ms + SLACK_MS;

	if (max_age_ms < least_ms)
		conf_blame(draft, CONF_MISSING, section, slot, "max_age",
		           "expected at least %" PRId64
		           "ms (%s and %d ms), or a good result expires before the next one",
		           least_ms, sum, SLACK_MS);
}

static void check_one(struct conf_draft *draft, int slot)
{
	const struct conf_check *check = &draft->conf.checks.item[slot];
	const struct conf_mount *mount = &draft->conf.mount;
	const char *key = NULL, *expected = NULL, *why;
	struct url_target target;

	check_age(draft, "check", slot, check->max_age_ms, check->interval_ms, check->timeout_ms,
	          "interval, a tenth of it, timeout");
	switch ((enum check_type)check->type) {
	case CHECK_HTTP:
		/* With the parser of wna-check, which therefore refuses no URL later. */
		if (url_target_parse(check->url, check->host, &target, &why) < 0)
			conf_blame(draft, CONF_RANGE, "check", slot, "url",
			           "expected http://ADDRESS[:PORT]/PATH: %s", why);
		break;
	case CHECK_TCP:
		if (check->address.addr.family == 0)
			key = "address", expected = "ADDRESS:PORT";
		break;
	case CHECK_PROCESS:
		if (!*check->process)
			key = "process", expected = "the executable's name";
		break;
	case CHECK_FILE:
	case CHECK_DISK:
		if (!*check->path)
			key = "path", expected = "an absolute path";
		else if (mount->enabled && below(check->path, mount->path))
			key = "path",
			expected = "a path that is not on the shared file system (mount.path)";
		break;
	case CHECK_TYPE_MAX: break;
	}
	if (key)
		conf_blame(draft, CONF_MISSING, "check", slot, key, "expected %s", expected);
}

static bool has_prefix_id(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) != 0)
		return false;
	text += len;
	return strlen(text) >= 8 && strspn(text, "0123456789abcdef") == strlen(text);
}

static void check_mount(struct conf_draft *draft)
{
	const struct conf_mount *m = &draft->conf.mount;
	bool efs = strcmp(m->type, "efs") == 0 || strcmp(m->type, "auto") == 0;

	if (!m->enabled)
		return;
	if (!*m->path || strcmp(m->path, "/") == 0)
		EXPECT(draft, CONF_MISSING, "mount", "path", "a folder below /");
	if (!*m->type)
		EXPECT(draft, CONF_MISSING, "mount", "type", "auto, efs, nfs4 or another type");
	if (*m->file_system && !has_prefix_id(m->file_system, "fs-"))
		EXPECT(draft, CONF_RANGE, "mount", "file_system",
		       "fs- and 8 to 40 hexadecimal digits");
	if (*m->access_point && !has_prefix_id(m->access_point, "fsap-"))
		EXPECT(draft, CONF_RANGE, "mount", "access_point",
		       "fsap- and 17 hexadecimal digits");
	if (!*m->file_system && efs)
		EXPECT(draft, CONF_MISSING, "mount", "file_system", "fs-...");
	else if (!*m->file_system && !*m->source)
		EXPECT(draft, CONF_MISSING, "mount", "source", "a source to mount, or file_system");
	if ((m->iam || *m->access_point) && !m->tls && efs)
		EXPECT(draft, CONF_MISSING, "mount", "tls", "yes, which iam and access_point need");
	if (*m->probe_file &&
	    (m->probe_file[0] == '/' || strstr(m->probe_file, "..") || strchr(m->probe_file, '\\')))
		EXPECT(draft, CONF_RANGE, "mount", "probe_file",
		       "a path relative to mount.path without ..");
	if (m->retry_max_ms < m->retry_min_ms)
		EXPECT(draft, CONF_MISSING, "mount", "retry_max", "at least retry_min");
	check_age(draft, "mount", -1, m->max_age_ms, m->probe_interval_ms, m->probe_timeout_ms,
	          "probe_interval, a tenth of it, probe_timeout");
}

static void check_database(struct conf_draft *draft)
{
	const struct conf_rds *r = &draft->conf.rds;

	if (!r->enabled)
		return;
	if (!*r->endpoint)
		EXPECT(draft, CONF_MISSING, "database", "endpoint", "the endpoint's DNS name");
	else if (strpbrk(r->endpoint, ":/@+=[]"))
		EXPECT(draft, CONF_RANGE, "database", "endpoint", "a DNS name without port");
	if (!*r->user)
		EXPECT(draft, CONF_MISSING, "database", "user", "a user name");
	if (r->auth == DB_AUTH_IAM && r->tls != DB_TLS_VERIFY)
		EXPECT(draft, CONF_MISSING, "database", "tls",
		       "verify, which auth = iam needs: the token itself is sent to the server");
	if (r->auth == DB_AUTH_PASSWORD && !*r->password_file)
		EXPECT(draft, CONF_MISSING, "database", "password_file",
		       "a file with the password in its first line");
	if (r->tls == DB_TLS_VERIFY && !*r->tls_ca)
		EXPECT(draft, CONF_MISSING, "database", "tls_ca",
		       "a file of CA certificates (tls = verify)");
	/* A question may have to wait for a resolution that is under way. */
	check_age(draft, "database", -1, r->max_age_ms, r->interval_ms,
	          r->dns_timeout_ms + r->timeout_ms,
	          "interval, a tenth of it, dns_timeout, timeout");
}

static void check_imds(struct conf_draft *draft)
{
	const struct conf_imds *imds = &draft->conf.imds;
	char base[LIMIT_VALUE];

	if (*imds->endpoint && !url_prefix_parse(imds->endpoint, base, sizeof base))
		EXPECT(draft, CONF_RANGE, "imds", "endpoint", "http://HOST[:PORT]");
	if (*imds->asg && !aws_is_group(imds->asg))
		EXPECT(draft, CONF_RANGE, "imds", "auto_scaling_group",
		       "up to 255 ASCII characters, the first no colon");
}

static void check_metrics(struct conf_draft *draft)
{
	const struct conf_metrics *m = &draft->conf.metrics;
	struct url_base url = { 0 };
	char why[64];

	if (!m->enabled)
		return;
	if (m->push_ms != 10000 && m->push_ms != 60000)
		EXPECT(draft, CONF_RANGE, "metrics", "push_interval", "10s or 60s");
	if (m->resolution != 1 && m->resolution != 60)
		EXPECT(draft, CONF_RANGE, "metrics", "resolution", "1 or 60");
	/* CWAPI/API_PutMetricData */
	if (!*m->space || m->space[0] == ':' || strncmp(m->space, "AWS/", 4) == 0 ||
	    !str_only(m->space, ".-_/#: "))
		EXPECT(draft, CONF_RANGE, "metrics", "namespace",
		       "letters, digits and .-_/#: that do not begin with AWS/ or a colon");
	if (!*m->name)
		EXPECT(draft, CONF_RANGE, "metrics", "name", "a metric name");
	if (*m->region && !aws_is_region(m->region))
		EXPECT(draft, CONF_RANGE, "metrics", "region", "a region such as ap-northeast-2");
	if (m->max_age_ms < 2 * m->push_ms)
		EXPECT(draft, CONF_MISSING, "metrics", "max_age", "at least twice push_interval");
	if (!*m->endpoint)
		return;
	if (url_base_parse(m->endpoint, &url, why, sizeof why) < 0)
		EXPECT(draft, CONF_RANGE, "metrics", "endpoint", "https://HOST[:PORT]");
	else if (!url.https && !url.loopback && !m->allow_http)
		EXPECT(draft, CONF_RANGE, "metrics", "endpoint",
		       "https://, since plain http:// beyond loopback needs allow_http = yes");
	else if (m->fips || m->dual_stack)
		EXPECT(draft, CONF_MISSING, "metrics", "endpoint",
		       "nothing, since fips or dual_stack choose the endpoint");
}

static void check_lifecycle(struct conf_draft *draft)
{
	const struct conf_life *life = &draft->conf.life;
	struct url_base url = { 0 };
	char why[64];

	/* ASAPI/API_PutLifecycleHook */
	if (*life->launch_hook && !str_only(life->launch_hook, "-_/"))
		EXPECT(draft, CONF_RANGE, "lifecycle", "launch_hook", "letters, digits and - _ /");
	if (*life->terminate_hook && !str_only(life->terminate_hook, "-_/"))
		EXPECT(draft, CONF_RANGE, "lifecycle", "terminate_hook",
		       "letters, digits and - _ /");
	if (*life->endpoint && (url_base_parse(life->endpoint, &url, why, sizeof why) < 0 ||
	                        (!url.https && !url.loopback && !draft->conf.metrics.allow_http)))
		EXPECT(draft, CONF_RANGE, "lifecycle", "endpoint", "https://HOST[:PORT]");
	else if (*life->endpoint && (draft->conf.metrics.fips || draft->conf.metrics.dual_stack))
		EXPECT(draft, CONF_MISSING, "lifecycle", "endpoint",
		       "nothing, since metrics.fips or dual_stack choose the endpoint");
}

void conf_check_values(struct conf_draft *draft)
{
	check_imds(draft);
	check_mount(draft);
	for (int i = 0; i < draft->conf.checks.count; i++)
		check_one(draft, i);
	check_database(draft);
	check_metrics(draft);
	check_lifecycle(draft);
	if (draft->conf.hooks.enabled && !*draft->conf.hooks.directory)
		EXPECT(draft, CONF_MISSING, "hooks", "directory", "a folder");
	if (draft->conf.hooks.enabled && !*draft->conf.hooks.user)
		EXPECT(draft, CONF_MISSING, "hooks", "user", "a user");
}

/* A key that is given another value than its default and is not used, because of what
 * `why` says. (A file that `wnactl config` made gives all keys.) */
static void unused(struct conf_draft *draft, const char *section, int slot, const char *name,
                   const char *why)
{
	const struct conf_key *key = conf_key_find(section, name);
	char value[LIMIT_VALUE], initial[LIMIT_VALUE] = "";
	struct conf_check plain;

	if (slot >= 0) {
		conf_reset(true, &plain);
		conf_key_text(key, &plain, initial, sizeof initial);
	}
	if (strcmp(conf_key_text(key, conf_base(draft, slot), value, sizeof value), initial) != 0)
		conf_blame(draft, CONF_OK, section, slot, name, "it has no effect: %s", why);
}

static void remark_check(struct conf_draft *draft, int slot)
{
	const struct conf_check *check = &draft->conf.checks.item[slot];
	char why[64];

	snprintf(why, sizeof why, "the check's type is %s",
	         conf_key_find("check", "type")->names[check->type]);
	for (size_t i = 0; i < conf_keys_count; i++) {
		if (conf_keys[i].uses && !(conf_keys[i].uses & 1 << check->type))
			unused(draft, "check", slot, conf_keys[i].name, why);
	}
	if (check->type == CHECK_HTTP && check->status_max > 299)
		conf_blame(draft, CONF_OK, "check", slot, "status", "%s counts as healthy",
		           check->status_max > 399 ? "an error of the web server"
		                                   : "a redirect, wherever it leads,");
}

static void remark_mount(struct conf_draft *draft)
{
	const struct conf_mount *mount = &draft->conf.mount;
	bool efs = strcmp(mount->type, "efs") == 0;

	if (!mount->enabled) {
		unused(draft, "mount", -1, "file_system", "mount.enabled is no");
		unused(draft, "mount", -1, "source", "mount.enabled is no");
		return;
	}
	/* iam and access_point need tls as well. */
	if ((efs || (strcmp(mount->type, "auto") == 0 && mount->tls)) &&
	    access(EFS_HELPER, X_OK) < 0)
		conf_blame(draft, CONF_OK, "mount", -1, efs ? "type" : "tls",
		           "%s needs amazon-efs-utils, which is not installed (no " EFS_HELPER
		           "): nothing will be mounted",
		           efs ? "efs" : "tls = yes");
}

void conf_check_meaning(struct conf_draft *draft)
{
	const struct conf *conf = &draft->conf;
	bool local = false;

	for (int i = 0; i < conf->checks.count; i++) {
		remark_check(draft, i);
		local = local || conf->checks.item[i].scope == SCOPE_LOCAL;
	}
	if (!local)
		conf_problem_put(draft, CONF_OK, (struct conf_origin){ .file = 1 },
		                 "no local check is configured: /healthz then says nothing about "
		                 "the web server");
	remark_mount(draft);
	if (!conf->rds.enabled)
		unused(draft, "database", -1, "endpoint", "database.enabled is no");
	else if (conf->rds.tls != DB_TLS_VERIFY)
		unused(draft, "database", -1, "tls_ca", "database.tls is not verify");
	if (conf->rds.enabled && conf->rds.auth == DB_AUTH_IAM)
		unused(draft, "database", -1, "password_file", "database.auth is iam");
}
