/*
 * Prints, one a line, what this machine and its emulator, if there is one, cannot
 * do. Run as it is, it has to print nothing; what it prints emulated is therefore
 * the emulator's fault, and tests that need it may be skipped (tests/skips).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int has_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };

	return syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how) >= 0;
}

static int has_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

/* A filter at an address that cannot be read: EFAULT is a kernel's answer that knows filters. */
static int has_seccomp(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;
}

int main(void)
{
	static const struct {
		const char *name;
		int (*has)(void);
	} all[] = {
		{ "openat2", has_openat2 },
		{ "subreaper", has_subreaper },
		{ "seccomp", has_seccomp },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!all[i].has())
			puts(all[i].name);
	}
	return 0;
}
