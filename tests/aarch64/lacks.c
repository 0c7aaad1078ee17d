/*
 * Prints, one a line, what this machine and its emulator, if there is one, cannot
 * do. Run as it is, it has to print nothing; what it prints emulated is therefore
 * the emulator's fault, and tests that need it may be skipped (tests/skips).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* A filter at an address that cannot be read: EFAULT is the answer of who knows filters. */
static int has_seccomp(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;
}

/* The child of vfork(2) has its parent's memory and not a copy of it. */
static int has_vfork(void)
{
	static volatile int shared;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 1;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return shared;
}

static pid_t waiting_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static int has_ptrace(void)
{
	pid_t pid = waiting_child();
	int has = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return has;
}

/* Whether another process shows what it executes. */
static int has_exe(void)
{
	char path[64], own[PATH_MAX] = "", other[PATH_MAX] = "";
	pid_t pid = waiting_child();

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	(void)!readlink("/proc/self/exe", own, sizeof own - 1);
	(void)!readlink(path, other, sizeof other - 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return strcmp(own, other) == 0;
}

int main(void)
{
	static const struct {
		const char *name;
		int (*has)(void);
	} all[] = {
		{ "openat2", has_openat2 }, { "subreaper", has_subreaper },
		{ "seccomp", has_seccomp }, { "vfork", has_vfork },
		{ "ptrace", has_ptrace },   { "exe", has_exe },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!all[i].has())
			puts(all[i].name);
	}
	return 0;
}
