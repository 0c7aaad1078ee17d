/* Every process, and wnactl load. Blocks on a tmpfs only. Owns nothing. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "str.h"

int snapshot_write(const char *path, struct snapshot *snapshot)
{
	char dir[LIMIT_PATH];
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= sizeof dir)
		return -EINVAL;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	memcpy(snapshot->contract, hub_contract, sizeof snapshot->contract);
	snapshot->loaded_ms = clock_wall_ms();
	return file_write(dir, slash + 1, snapshot, sizeof *snapshot);
}

const struct snapshot *snapshot_map(const char *path)
{
	char theirs[HUB_CONTRACT_SIZE];
	const struct snapshot *map = MAP_FAILED;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = EINVAL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(fd, theirs, sizeof theirs, 0) != (ssize_t)sizeof theirs)
		goto out;
	/* Compared first: another build may have another size. */
	error = EPROTO;
	if (memcmp(theirs, hub_contract, sizeof theirs) != 0)
		goto out;
	error = EINVAL;
	if (st.st_size != (off_t)sizeof *map)
		goto out;
	map = mmap(NULL, sizeof *map, PROT_READ, MAP_PRIVATE, fd, 0);
	error = errno;
out:
	close(fd);
	errno = error;
	return map == MAP_FAILED ? NULL : map;
}

void snapshot_unmap(const struct snapshot *snapshot)
{
	if (snapshot)
		munmap((void *)snapshot, sizeof *snapshot);
}

bool snapshot_wants(const struct conf *conf, enum role role)
{
	switch (role) {
	case ROLE_CORE:
	case ROLE_CLOUD: return true;
	case ROLE_MOUNT: return conf->mount.enabled;
	case ROLE_CHECK: return conf->checks.count > 0;
	case ROLE_RDS: return conf->rds.enabled;
	case ROLE_HOOKS: return conf->hooks.enabled;
	case ROLE_SOCKETS: return conf->rds.enabled && conf->rds.stale_connections != STALE_OFF;
	case ROLE_CTL:
	case ROLE_MAX: break;
	}
	return false;
}

#define BIT(role) (1u << (role))

/* The parts, and which roles depend on them. */
static const struct {
	size_t offset, size;
	unsigned roles;
} parts[] = {
#define PART(name, roles)                                                                          \
	{                                                                                          \
		offsetof(struct conf, name), sizeof(((struct conf *)0)->name), roles               \
	}
	PART(health, BIT(ROLE_CORE)),
	PART(imds, BIT(ROLE_CORE) | BIT(ROLE_CLOUD)),
	PART(mount, BIT(ROLE_CORE) | BIT(ROLE_MOUNT) | BIT(ROLE_CHECK)),
	PART(checks, BIT(ROLE_CORE) | BIT(ROLE_CHECK)),
	PART(rds, BIT(ROLE_CORE) | BIT(ROLE_RDS) | BIT(ROLE_HOOKS) | BIT(ROLE_SOCKETS)),
	PART(hooks, BIT(ROLE_CORE) | BIT(ROLE_HOOKS)),
	PART(metrics, BIT(ROLE_CORE) | BIT(ROLE_CLOUD)),
	PART(life, BIT(ROLE_CLOUD)),
#undef PART
};

enum { PARTS = sizeof parts / sizeof parts[0] };

/* wna-cloud signs the login, if it is by IAM. */
static bool concerns(const struct conf *conf, size_t part, enum role role)
{
	if (role == ROLE_CLOUD && parts[part].offset == offsetof(struct conf, rds))
		return conf->rds.auth == DB_AUTH_IAM;
	return parts[part].roles & BIT(role);
}

int64_t snapshot_hash(const struct conf *conf, enum role role)
{
	uint64_t hash = STR_HASH;

	for (size_t i = 0; i < PARTS; i++) {
		if (concerns(conf, i, role))
			hash = str_hash(hash, (const char *)conf + parts[i].offset, parts[i].size);
	}
	return (int64_t)(hash >> 1);
}

bool snapshot_differs(const struct conf *a, const struct conf *b, enum role role)
{
	return snapshot_hash(a, role) != snapshot_hash(b, role);
}
