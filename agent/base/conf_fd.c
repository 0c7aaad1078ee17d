/*
 * The configuration as a sealed memfd: wnad makes it, every child maps it.
 * Seals keep a child from changing what the next one will read. Before it stands
 * the mark of the contract that both were built with: a struct of another version
 * may have the same size and mean something else.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "conf.h"
#include "conf_mark.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct handover {
	char mark[CONF_MARK_SIZE];
	struct conf conf;
};

int conf_to_memfd(const struct conf *conf)
{
	struct iovec parts[] = {
		{ .iov_base = (void *)conf_mark, .iov_len = sizeof conf_mark },
		{ .iov_base = (void *)conf, .iov_len = sizeof *conf },
	};
	int fd, rc;

	_Static_assert(sizeof(struct handover) == sizeof conf_mark + sizeof *conf,
	               "no gap between");
	fd = memfd_create("web-node-agent.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (writev(fd, parts, 2) != (ssize_t)sizeof(struct handover)) {
		rc = errno ? -errno : -EIO;
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		rc = -errno;
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return rc;
}

const struct conf *conf_from_fd(int fd)
{
	char theirs[CONF_MARK_SIZE];
	struct handover *map;
	struct stat st;

	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    pread(fd, theirs, sizeof theirs, 0) != (ssize_t)sizeof theirs) {
		errno = EINVAL;
		return NULL;
	}
	/* First of all: of another version even the size may be another. */
	if (memcmp(theirs, conf_mark, sizeof conf_mark) != 0) {
		errno = EPROTO;
		return NULL;
	}
	if (st.st_size != (off_t)sizeof(struct handover)) {
		errno = EINVAL;
		return NULL;
	}
	map = mmap(NULL, sizeof *map, PROT_READ, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : &map->conf;
}
