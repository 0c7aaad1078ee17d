/* Run by wna-mount as root; never blocks. Owns the read-ahead. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "str.h"

#define KERNEL_READ_AHEAD "128" /* VM_READAHEAD_PAGES, as sysfs shows it */

/* The one line of a file of the kernel's; empty if there is none. */
static void read_line(const char *path, char *ret, size_t size)
{
	file_load(AT_FDCWD, path, FILE_OF_ANYBODY, ret, size);
	ret[strcspn(ret, "\n")] = '\0';
}

/* The file of a loop device; empty if the mount is not of one. */
static void backing_file(const struct mountinfo *there, char *ret, size_t size)
{
	char path[80];

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/loop/backing_file", there->major,
	         there->minor);
	read_line(path, ret, size);
}

/* The server of an NFS mount, and the port of its proxy on this machine. A proxy in another network
 * namespace is not seen from here: it counts as none. */
static void find_server(const struct target *target, const struct mountinfo *there,
                        struct keeper_look *ret)
{
	char text[NET_ADDR_TEXT], netns[LIMIT_PATH];
	int64_t port;

	if (strncmp(there->type, "nfs", 3) != 0 ||
	    !mountinfo_option(there->super_options, "addr", text, sizeof text) ||
	    !net_addr_parse(text, &ret->server))
		return;
	if (net_addr_is_loopback(&ret->server) &&
	    !mountinfo_option(target->options, "netns", netns, sizeof netns) &&
	    mountinfo_option(there->super_options, "port", text, sizeof text) &&
	    str_int64(text, 1, UINT16_MAX, &port))
		ret->port = (uint16_t)port;
}

int look_at(const struct conf_mount *conf, const struct target *target, const struct keeper *keeper,
            const struct look_names *names, struct keeper_look *ret)
{
	struct judge_env env = { .state_dir = EFS_STATE_DIR };
	char *text = NULL, backing[LIMIT_PATH];
	struct mountinfo there;
	struct finding finding;
	int rc = mountinfo_read("/proc/self/mountinfo", &text, &env.mountinfo_len);

	if (rc < 0)
		return rc;
	memset(ret, 0, sizeof *ret);
	rc = mountinfo_topmost(text, env.mountinfo_len, conf->path, &there);
	/* The trigger of an automount unit; what it mounts will be on top of it. */
	if (rc == 1 && strcmp(there.type, "autofs") == 0)
		rc = 0;
	if (rc == 1) {
		ret->id = there.id;
		mountinfo_mark(&there, ret->mark, sizeof ret->mark);
		find_server(target, &there, ret);
		backing_file(&there, backing, sizeof backing);
		env.mountinfo = text;
		env.backing = backing[0] ? backing : NULL;
		if (keeper_knows(keeper, ret->id, ret->mark)) {
			env.proved = keeper->look.state == MOUNT_RIGHT;
			env.names = names->serial == keeper->serial ? &names->answer : NULL;
		}
		judge(target, conf->path, &there, &env, &finding);
		ret->state = finding.state;
		ret->names = finding.names;
		str_copy(ret->text, sizeof ret->text, finding.text);
		str_copy(ret->why, sizeof ret->why, finding.why);
	} else if (rc < 0) {
		/* Something may be mounted, and must not be covered. */
		ret->state = MOUNT_WRONG;
		str_copy(ret->why, sizeof ret->why,
		         "the line of mountinfo about this path cannot be read");
	}
	free(text);
	return 0;
}

void look_read_ahead(const struct conf_mount *conf)
{
	struct mountinfo there;
	char path[64], value[24];
	char *text = NULL;
	int64_t rsize;
	size_t len;
	int fd;

	if (mountinfo_read("/proc/self/mountinfo", &text, &len) < 0 ||
	    mountinfo_topmost(text, len, conf->path, &there) != 1 ||
	    strncmp(there.type, "nfs", 3) != 0 || strncmp(there.source, "127.0.0.1:", 10) == 0 ||
	    !mountinfo_option(there.super_options, "rsize", value, sizeof value) ||
	    !str_int64(value, 1024, 64 << 20, &rsize))
		goto out;
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", there.major, there.minor);
	read_line(path, value, sizeof value);
	if (value[0] && strcmp(value, KERNEL_READ_AHEAD) != 0)
		goto out;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%d\n", (int)(15 * rsize / 1024)) < 0)
		log_warning("mount: %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
out:
	free(text);
}
