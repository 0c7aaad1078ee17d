/*
 * The configuration as a sealed memfd: wnad makes it, every child maps it.
 * Seals keep a child from changing what the next one will read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int conf_to_memfd(const struct conf *conf)
{
	int fd, rc;

	fd = memfd_create("web-node-agent.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (write(fd, conf, sizeof *conf) != (ssize_t)sizeof *conf) {
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
	struct stat st;
	void *map;

	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    st.st_size != (off_t)sizeof(struct conf)) {
		errno = EINVAL;
		return NULL;
	}
	map = mmap(NULL, sizeof(struct conf), PROT_READ, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}
