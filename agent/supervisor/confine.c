/*
 * A child of wnad between fork and exec: only system calls, no allocation, no
 * log. Blocks on nothing.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FD_PARKING = 64 }; /* above every number that a child is given */

/* A sanitizer's shadow memory is address space; limits would end every child. */
#if defined(__SANITIZE_ADDRESS__)
enum { LIMIT_ADDRESS_SPACE = 0 };
#else
enum { LIMIT_ADDRESS_SPACE = 1 };
#endif

int confine_fds(const struct spawn *spawn, int *keep_fd, int *exe_fd)
{
	int parked[WORKER_FD_ENDS], null;

	/* A source may have the number that another one is to get. */
	for (int i = WORKER_FD_WNAD; i < WORKER_FD_ENDS; i++) {
		parked[i] = -1;
		if (spawn->fds[i] < 0)
			continue;
		parked[i] = fcntl(spawn->fds[i], F_DUPFD_CLOEXEC, FD_PARKING);
		if (parked[i] < 0)
			return -errno;
	}
	*keep_fd = fcntl(*keep_fd, F_DUPFD_CLOEXEC, FD_PARKING);
	if (*exe_fd >= 0) {
		*exe_fd = fcntl(*exe_fd, F_DUPFD_CLOEXEC, FD_PARKING);
		if (*exe_fd < 0)
			return -errno;
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (*keep_fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	if (syscall(SYS_close_range, WORKER_FD_WNAD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	for (int i = WORKER_FD_WNAD; i < WORKER_FD_ENDS; i++) {
		if (parked[i] >= 0 && dup2(parked[i], i) < 0)
			return -errno;
	}
	return 0;
}

static int limit(int resource, uint64_t value)
{
	struct rlimit old, new = { .rlim_cur = value, .rlim_max = value };

	/* Lowering always works; raising only as far as the hard limit. */
	if (setrlimit((__rlimit_resource_t)resource, &new) == 0)
		return 0;
	if (errno != EPERM || getrlimit((__rlimit_resource_t)resource, &old) < 0)
		return -errno;
	new.rlim_cur = new.rlim_max = old.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &new) < 0 ? -errno : 0;
}

static void oom_score_adj(int value)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof text, "%d", value);

	if (fd < 0)
		return;
	(void)!write(fd, text, (size_t)len);
	close(fd);
}

int confine_limits(const struct spawn *spawn)
{
	const struct role_info *info = spawn->info;
	int rc = limit(RLIMIT_CORE, 0);

	if (rc == 0 && spawn->nofile)
		rc = limit(RLIMIT_NOFILE, spawn->nofile);
	if (rc == 0 && info->address_space && LIMIT_ADDRESS_SPACE)
		rc = limit(RLIMIT_AS, info->address_space);
	if (rc == 0 && info->cpu_s)
		rc = limit(RLIMIT_CPU, info->cpu_s);
	oom_score_adj(info->oom_score_adj);
	if (info->nice)
		setpriority(PRIO_PROCESS, 0, info->nice);
	return rc;
}

/* A hook that runs as root is the operator's own root script: a root that
 * cannot do what root does would only surprise. */
static bool keeps_all_caps(const struct spawn *spawn)
{
	return spawn->role == ROLE_HOOK && spawn->user->uid == 0;
}

static bool stays_root(const struct spawn *spawn)
{
	return spawn->user->uid == 0;
}

int confine_bounding(const struct spawn *spawn)
{
	if (keeps_all_caps(spawn))
		return 0;
	for (int cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap);

		if (has < 0)
			return cap > 0 ? 0 : -errno; /* past the kernel's last one */
		if (has && !(spawn->info->caps & (UINT64_C(1) << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap) < 0)
			return -errno;
	}
	return 0;
}

int confine_securebits(const struct spawn *spawn)
{
	/* Root keeps its meaning for roles that stay root: exec gives them their
	 * bounding set. For all others uid 0 would never again mean a capability. */
	unsigned long bits = SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
	                     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (stays_root(spawn))
		return 0;
	bits |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
	return prctl(PR_SET_SECUREBITS, bits) < 0 ? -errno : 0;
}

int confine_user(const struct user *user)
{
	uid_t real, effective, saved;

	/* Not initgroups(): a worker belongs to its own group and no other. */
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	if (getresuid(&real, &effective, &saved) < 0)
		return -errno;
	if (real != user->uid || effective != user->uid || saved != user->uid)
		return -EPERM;
	return 0;
}

int confine_caps(const struct user *user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].inheritable = 0;
		if (user->uid != 0 && (data[i].permitted || data[i].effective))
			return -EPERM;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int confine_privs(const struct spawn *spawn)
{
	bool gains = spawn->info->gains || keeps_all_caps(spawn);

	if (!gains && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}
