/* Run by wna-mount. Blocks on nothing. Owns nothing. */
#include "mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_name.h"
#include "str.h"

bool target_split(const char *source, char *ret_host, size_t host_size, char *ret_path,
                  size_t path_size)
{
	const char *host = source, *end, *path;
	size_t len;

	if (source[0] == '[') {
		host = source + 1;
		end = strstr(host, "]:/");
		path = end ? end + 2 : NULL;
	} else {
		end = strstr(host, ":/");
		path = end ? end + 1 : NULL;
	}
	if (!end || end == host)
		return false;
	len = (size_t)(end - host);
	if (len >= host_size || strlen(path) >= path_size)
		return false;
	memcpy(ret_host, host, len);
	ret_host[len] = '\0';
	str_copy(ret_path, path_size, path);
	return true;
}

static bool is_nfs_type(const char *type)
{
	return strcmp(type, "nfs") == 0 || strcmp(type, "nfs4") == 0;
}

/* efs-utils uses the id alone in the name of a state file, also if it was given a DNS name. */
static void file_system_of(const char *host, char *ret, size_t size)
{
	size_t len = strcspn(host, ".");

	if (strncmp(host, "fs-", 3) == 0 && len < size)
		snprintf(ret, size, "%.*s", (int)len, host);
}

static const char *domain_of(const struct target_place *place)
{
	return place->domain[0] != '\0' ? place->domain : aws_partition_of(place->region)->domain;
}

enum target_helper target_helper(const char *script)
{
	static const char line[] = "\nVERSION = ";
	const char *at = strstr(script, line);
	char *end;
	long major, minor;

	/* A package of its own since 3.0, which has the version. */
	if (strstr(script, "efs_utils_common"))
		return HELPER_TAKES_REGION;
	if (!at)
		return HELPER_OLD;
	at += strlen(line);
	at += *at == '"' || *at == '\'';
	major = strtol(at, &end, 10);
	minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 2 || (major == 2 && minor >= 1) ? HELPER_TAKES_REGION : HELPER_OLD;
}

static void make_efs(const struct conf_mount *conf, const char *region, struct target *t,
                     struct sb *options)
{
	str_copy(t->type, sizeof t->type, "efs");
	if (conf->source[0] == '\0')
		snprintf(t->source, sizeof t->source, "%s:%s", conf->file_system, t->export_path);
	sb_put(options, "_netdev," TARGET_SAFE_OPTIONS);
	if (conf->tls)
		sb_put(options, ",tls");
	if (conf->iam)
		sb_put(options, ",iam");
	if (conf->access_point[0] != '\0')
		sb_printf(options, ",accesspoint=%s", conf->access_point);
	if (region[0] != '\0')
		sb_printf(options, ",region=%s", region);
}

static void make_nfs(const struct conf_mount *conf, const char *type, struct target *t,
                     struct sb *options)
{
	str_copy(t->type, sizeof t->type, type);
	if (conf->source[0] == '\0') {
		if (t->host[0] == '\0')
			str_copy(t->blocked, sizeof t->blocked, "the region is not known yet");
		else
			snprintf(t->source, sizeof t->source, "%s:%s", t->host, t->export_path);
	}
	sb_put(options, TARGET_NFS_OPTIONS);
}

/* The server and its export, as far as they are known. */
static void locate(const struct conf_mount *conf, const struct target_place *place,
                   struct target *t)
{
	str_copy(t->export_path, sizeof t->export_path,
	         conf->export_path[0] != '\0' ? conf->export_path : "/");
	str_copy(t->file_system, sizeof t->file_system, conf->file_system);
	if (conf->source[0] != '\0') {
		char host[LIMIT_HOST], path[LIMIT_PATH];

		if (!target_split(conf->source, host, sizeof host, path, sizeof path))
			return;
		str_copy(t->export_path, sizeof t->export_path, path);
		if (t->file_system[0] == '\0')
			file_system_of(host, t->file_system, sizeof t->file_system);
		/* "fs-...:/" is the helper's short form, and not a DNS name. */
		if (strncmp(host, "fs-", 3) != 0 || strchr(host, '.')) {
			str_copy(t->host, sizeof t->host, host);
			return;
		}
	}
	if (t->file_system[0] != '\0' && place->region[0] != '\0') {
		struct sb host;

		sb_init(&host, t->host, sizeof t->host);
		sb_printf(&host, "%s.efs.%s.%s", t->file_system, place->region, domain_of(place));
		if (host.cut)
			t->host[0] = '\0';
	}
}

static void choose_place(const struct conf_mount *conf, const struct target_place *found,
                         struct target_place *ret)
{
	*ret = *found;
	if (conf->region[0] != '\0' && strcmp(conf->region, found->region) != 0) {
		str_copy(ret->region, sizeof ret->region, conf->region);
		ret->domain[0] = '\0';
	}
	if (conf->domain[0] != '\0')
		str_copy(ret->domain, sizeof ret->domain, conf->domain);
}

void target_make(const struct conf_mount *conf, const struct target_place *found,
                 enum target_helper helper, struct target *ret)
{
	/* What plain NFS does not have. */
	const char *demand = conf->tls                       ? "tls"
	                     : conf->iam                     ? "iam"
	                     : conf->access_point[0] != '\0' ? "an access point"
	                                                     : NULL;
	bool is_auto = strcmp(conf->type, "auto") == 0, have_helper = helper != HELPER_NONE;
	struct target_place place;
	struct target t = { 0 };
	struct sb options;
	char value[8];

	choose_place(conf, found, &place);
	sb_init(&options, t.options, sizeof t.options);
	str_copy(t.source, sizeof t.source, conf->source);
	str_copy(t.access_point, sizeof t.access_point, conf->access_point);
	t.tls = conf->tls;

	if (is_auto || strcmp(conf->type, "efs") == 0) {
		locate(conf, &place, &t);
		t.by_tunnel = true;
		t.by_nfs = !demand;
		if (!is_auto || have_helper)
			make_efs(conf, helper == HELPER_TAKES_REGION ? place.region : "", &t,
			         &options);
		else
			make_nfs(conf, "nfs4", &t, &options);
		if (!have_helper && demand)
			snprintf(t.blocked, sizeof t.blocked,
			         "%s is configured, which needs amazon-efs-utils: no "
			         "/sbin/mount.efs",
			         demand);
		else if (!have_helper && !is_auto)
			str_copy(t.blocked, sizeof t.blocked,
			         "type efs needs amazon-efs-utils: no /sbin/mount.efs");
	} else if (is_nfs_type(conf->type)) {
		locate(conf, &place, &t);
		t.by_nfs = true;
		make_nfs(conf, conf->type, &t, &options);
	} else {
		str_copy(t.type, sizeof t.type, conf->type);
		t.by_bind = mountinfo_option(conf->options, "bind", value, sizeof value) ||
		            mountinfo_option(conf->options, "rbind", value, sizeof value);
	}

	if (conf->options[0] != '\0')
		sb_printf(&options, "%s%s", options.len ? "," : "", conf->options);
	if (options.cut)
		str_copy(t.blocked, sizeof t.blocked, "mount.options is too long");
	else if (t.by_tunnel && t.file_system[0] == '\0' && conf->source[0] == '\0')
		str_copy(t.blocked, sizeof t.blocked,
		         "neither file_system nor source is configured");

	if (conf->expect_type[0] != '\0')
		str_copy(t.expect_type, sizeof t.expect_type, conf->expect_type);
	else if (t.by_tunnel || t.by_nfs)
		str_copy(t.expect_type, sizeof t.expect_type, "nfs4");
	else if (!t.by_bind)
		str_copy(t.expect_type, sizeof t.expect_type, conf->type);
	*ret = t;
}
