/* Run by wna-mount. Reads small files on a tmpfs. Owns nothing. */
#include "mount.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

#define LOOPBACK "127.0.0.1"

__attribute__((format(printf, 3, 4))) static void say(struct finding *ret, enum mount_state state,
                                                      const char *format, ...)
{
	va_list args;

	ret->state = state;
	va_start(args, format);
	vsnprintf(ret->why, sizeof ret->why, format, args);
	va_end(args);
}

static char *judge_describe(const struct mountinfo *there, char *ret, size_t size)
{
	char addr[NET_ADDR_TEXT], port[8];
	struct sb sb;

	sb_init(&sb, ret, size);
	sb_printf(&sb, "%s %s", there->type, there->source[0] ? there->source : "none");
	if (!mountinfo_option(there->super_options, "addr", addr, sizeof addr))
		return ret;
	if (strcmp(addr, LOOPBACK) == 0 &&
	    mountinfo_option(there->super_options, "port", port, sizeof port))
		sb_printf(&sb, " (port %s)", port);
	else
		sb_printf(&sb, " (%s)", addr);
	return ret;
}

/* "/a" and "/a/" are the same export, and "" and "/" as well. */
static bool same_export(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	while (la > 0 && a[la - 1] == '/')
		la--;
	while (lb > 0 && b[lb - 1] == '/')
		lb--;
	return la == lb && memcmp(a, b, la) == 0;
}

static void judge_tunnel(const struct target *target, const char *path,
                         const struct mountinfo *there, const struct judge_env *env,
                         struct finding *ret)
{
	struct efs_state state;
	char text[8];
	int64_t port;
	int rc;

	if (target->file_system[0] == '\0') {
		say(ret, MOUNT_WRONG, "a tunnel on " LOOPBACK ", but no file system is configured");
		return;
	}
	if (!mountinfo_option(there->super_options, "port", text, sizeof text) ||
	    !str_int64(text, 1, 65535, &port)) {
		say(ret, MOUNT_WRONG, "a mount from " LOOPBACK " without the port of a tunnel");
		return;
	}
	rc = efs_state_read(env->state_dir, target->file_system, path, (unsigned)port, &state);
	if (rc == -EINPROGRESS)
		say(ret, MOUNT_UNVERIFIED, "mount.efs has not finished with port %d", (int)port);
	else if (rc == -ENOENT &&
	         efs_state_of_another(env->state_dir, target->file_system, (unsigned)port))
		/* The kernel joins mounts of one server; whether with the options that are
		 * configured is not known. */
		say(ret, MOUNT_UNVERIFIED,
		    "served by the proxy on port %d of another mount of %s, and ends with it",
		    (int)port, target->file_system);
	else if (rc == -ENOENT || rc == -ENOTDIR)
		say(ret, MOUNT_WRONG,
		    "efs-utils has no state file for %s on this path with port %d",
		    target->file_system, (int)port);
	else if (rc == -EBADMSG || rc == -EPERM)
		say(ret, MOUNT_WRONG, "efs-utils' state file for port %d is not to be trusted: %s",
		    (int)port,
		    rc == -EPERM ? "others may write it" : "malformed, or of another mount");
	else if (rc < 0)
		say(ret, MOUNT_UNVERIFIED, "efs-utils' state file for port %d: %s", (int)port,
		    strerror(-rc));
	else if (target->tls && !state.tls)
		say(ret, MOUNT_WRONG, "the tunnel on port %d is without TLS, which is configured",
		    (int)port);
	else if (strcmp(target->access_point, state.access_point) != 0)
		say(ret, MOUNT_WRONG, "mounted through access point %s, configured is %s",
		    state.access_point[0] ? state.access_point : "none",
		    target->access_point[0] ? target->access_point : "none");
	else if (state.unmount_ms >= 0)
		/* mount_tidy.c prevents it. */
		say(ret, MOUNT_UNVERIFIED, "efs-utils is about to end the proxy on port %d",
		    (int)port);
	else
		ret->state = MOUNT_RIGHT;
}

static void judge_direct(const struct target *target, const char *address,
                         const struct judge_env *env, struct finding *ret)
{
	const struct probe_answer *names = env->names;
	char text[NET_ADDR_TEXT];
	struct net_addr addr;

	if (!net_addr_parse(address, &addr)) {
		say(ret, MOUNT_WRONG, "the mount's server address is unreadable: %s", address);
		return;
	}
	if (env->proved) {
		ret->state = MOUNT_RIGHT;
		return;
	}
	if (target->host[0] == '\0') {
		say(ret, MOUNT_UNVERIFIED, "the region is not known yet");
		return;
	}
	ret->names = true;
	if (!names) {
		say(ret, MOUNT_UNVERIFIED, "no answer from DNS for %.100s", target->host);
		return;
	}
	if (names->count == 0) {
		say(ret, MOUNT_UNVERIFIED, "%.80s does not resolve: %.60s", target->host,
		    names->why);
		return;
	}
	for (unsigned i = 0; i < names->count; i++) {
		if (net_addr_equal(&names->address[i], &addr)) {
			ret->state = MOUNT_RIGHT;
			ret->names = false;
			return;
		}
	}
	say(ret, MOUNT_WRONG, "mounted from %s, but %.60s is %s", address, target->host,
	    net_addr_text(&names->address[0], text, sizeof text));
}

static void judge_nfs(const struct target *target, const char *path, const struct mountinfo *there,
                      const struct judge_env *env, struct finding *ret)
{
	char host[LIMIT_HOST], export_path[LIMIT_PATH], addr[NET_ADDR_TEXT];

	if (strcmp(there->type, target->expect_type) != 0) {
		say(ret, MOUNT_WRONG, "%s is mounted there, expected %s", there->type,
		    target->expect_type);
		return;
	}
	if (!target_split(there->source, host, sizeof host, export_path, sizeof export_path) ||
	    !mountinfo_option(there->super_options, "addr", addr, sizeof addr)) {
		say(ret, MOUNT_WRONG, "a %s mount without server and address: %.80s", there->type,
		    there->source);
		return;
	}
	if (!same_export(export_path, target->export_path)) {
		say(ret, MOUNT_WRONG, "the export %.60s is mounted there, configured is %.60s",
		    export_path, target->export_path);
		return;
	}
	if (target->by_tunnel && strcmp(addr, LOOPBACK) == 0 && strcmp(host, LOOPBACK) == 0)
		judge_tunnel(target, path, there, env, ret);
	else if (target->by_nfs)
		judge_direct(target, addr, env, ret);
	else
		say(ret, MOUNT_WRONG, "mounted from %s, not through efs-utils as configured", addr);
}

static void judge_bind(const struct target *target, const struct mountinfo *there,
                       const struct judge_env *env, struct finding *ret)
{
	struct mountinfo holds;
	const char *rest;
	char root[1024];

	if (mountinfo_holding(env->mountinfo, env->mountinfo_len, target->source, &holds) != 1) {
		say(ret, MOUNT_UNVERIFIED, "mountinfo does not say on which mount %.80s lies",
		    target->source);
		return;
	}
	rest = strcmp(holds.path, "/") == 0 ? target->source : target->source + strlen(holds.path);
	snprintf(root, sizeof root, "%s%s", strcmp(holds.root, "/") == 0 ? "" : holds.root, rest);
	if (holds.major == there->major && holds.minor == there->minor &&
	    same_export(root, there->root))
		ret->state = MOUNT_RIGHT;
	else
		say(ret, MOUNT_WRONG, "%.60s of device %u:%u is mounted there, not %.60s",
		    there->root, there->major, there->minor, target->source);
}

/* A mount on a parent directory leaves this one in mountinfo, but the path does not lead to it any
 * more. */
static bool is_hidden(const char *path, const struct mountinfo *there, const struct judge_env *env,
                      struct mountinfo *ret_by)
{
	return mountinfo_holding(env->mountinfo, env->mountinfo_len, path, ret_by) == 1 &&
	       ret_by->id != there->id;
}

/* The right mount is on top, and is used. A mount beneath it stays busy, and becomes visible when
 * the upper one is unmounted. */
static void note_beneath(const char *path, const struct mountinfo *there,
                         const struct judge_env *env, struct finding *ret)
{
	const char *text = env->mountinfo;
	size_t len = env->mountinfo_len;
	struct mountinfo below;

	while (mountinfo_next(&text, &len, &below)) {
		if (below.id == there->parent && below.id != there->id &&
		    strcmp(below.path, path) == 0) {
			bool same = strcmp(below.type, there->type) == 0 &&
			            strcmp(below.source, there->source) == 0;

			say(ret, ret->state,
			    same ? "mounted twice: beneath it lies %s %.80s"
			         : "beneath it lies %s %.80s",
			    below.type, below.source);
			return;
		}
	}
}

void judge(const struct target *target, const char *path, const struct mountinfo *there,
           const struct judge_env *env, struct finding *ret)
{
	struct finding found = { .state = MOUNT_WRONG };
	struct mountinfo by;

	judge_describe(there, found.text, sizeof found.text);
	if (is_hidden(path, there, env, &by))
		say(&found, MOUNT_WRONG, "hidden by %s, which is mounted on %.80s", by.type,
		    by.path);
	else if (target->by_tunnel || target->by_nfs)
		judge_nfs(target, path, there, env, &found);
	else if (target->expect_type[0] != '\0' && strcmp(there->type, target->expect_type) != 0)
		say(&found, MOUNT_WRONG, "%s is mounted there, expected %s", there->type,
		    target->expect_type);
	else if (target->by_bind)
		judge_bind(target, there, env, &found);
	else if (target->source[0] == '\0' || strcmp(there->source, target->source) == 0 ||
	         (env->backing && strcmp(env->backing, target->source) == 0))
		found.state = MOUNT_RIGHT;
	else
		say(&found, MOUNT_WRONG, "%.60s is mounted there, configured is %.60s",
		    there->source, target->source);
	if (found.state == MOUNT_RIGHT)
		note_beneath(path, there, env, &found);
	*ret = found;
}
