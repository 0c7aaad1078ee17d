/* wna-mount, wna-check, wna-rds, wnactl. Pure. What a line of mountinfo says about its mount. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mountinfo.h"
#include "str.h"

bool mountinfo_option(const char *options, const char *name, char *ret, size_t size)
{
	size_t name_len = strlen(name), len;

	for (; *options; options += len + (options[len] == ',')) {
		len = strcspn(options, ",");
		if (len < name_len || strncmp(options, name, name_len) != 0)
			continue;
		if (len > name_len && options[name_len] == '=')
			return (size_t)snprintf(ret, size, "%.*s", (int)(len - name_len - 1),
			                        options + name_len + 1) < size;
		if (len == name_len) {
			ret[0] = '\0';
			return true;
		}
	}
	return false;
}

bool mountinfo_is_network(const char *type)
{
	static const char *const names[] = {
		"nfs",    "nfs4",  "efs",   "cifs",   "smb3",     "smbfs", "ceph",
		"9p",     "afs",   "coda",  "lustre", "gfs2",     "ocfs2", "fuse",
		"autofs", "ncpfs", "pvfs2", "beegfs", "virtiofs",
	};

	if (strncmp(type, "fuse.", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(type, names[i]) == 0)
			return true;
	}
	return false;
}

/* Over the text and its end. */
static uint64_t digest(uint64_t sum, const char *text)
{
	return str_hash(sum, text, strlen(text) + 1);
}

char *mountinfo_mark(const struct mountinfo *mi, char *ret, size_t size)
{
	static const char *const names[] = { "addr", "port" };
	uint64_t sum = STR_HASH;
	char text[64];

	snprintf(text, sizeof text, "%u:%u", mi->major, mi->minor);
	sum = digest(digest(digest(digest(sum, text), mi->root), mi->type), mi->source);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		bool given = mountinfo_option(mi->super_options, names[i], text, sizeof text);

		sum = digest(sum, given ? text : "");
	}
	snprintf(ret, size, "%.20s %.40s [%016" PRIx64 "]", mi->type,
	         mi->source[0] ? mi->source : "none", sum);
	return ret;
}
