/* For wnactl; looks for one local file. What is allowed, and hardly meant. */
#include <string.h>
#include <unistd.h>

#include "conf_table.h"

#define EFS_HELPER "/sbin/mount.efs"

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
}
