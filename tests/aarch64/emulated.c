/*
 * Linked into the emulated test programs, in front of libc and libseccomp.
 *
 * An aarch64 program that they execute is executed by the emulator, as the kernel
 * would if its format were registered (binfmt_misc), which would change the
 * machine. What is of the machine's own format, or a script, is the kernel's as
 * ever. And wna-core lives without its filter, which the emulator refuses; the
 * test of the filter itself stays refused (tests/skips).
 *
 * EMULATOR is QEMU's path.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARGUMENTS = 64, OWN = 4, LEVEL_KILL_PROCESS = 3 };

static bool is_ours(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head = { 0 };
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, &head, sizeof head);
	close(fd);
	return n == sizeof head && memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
	       head.e_machine == EM_AARCH64;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	/* For the emulator /proc/self/exe would be itself. */
	char real[PATH_MAX];
	char *all[OWN + ARGUMENTS] = { (char *)EMULATOR, (char *)"-0", argv[0], real };
	int n;

	if (!is_ours(path) || access(path, X_OK) < 0 || !realpath(path, real))
		return (int)syscall(SYS_execve, path, argv, envp);
	for (n = 1; argv[n]; n++) {
		if (n >= ARGUMENTS) {
			errno = E2BIG;
			return -1;
		}
		all[OWN + n - 1] = argv[n];
	}
	return (int)syscall(SYS_execve, EMULATOR, all, envp);
}

/* libseccomp's, whose header is not needed for these. */
void *seccomp_init(uint32_t action);
int seccomp_load(const void *filter);

/* It asks the kernel what that knows of filters; ours is told and not asked, so
 * that the rules are made, by the numbers that aarch64 has. */
void *seccomp_init(uint32_t action)
{
	int (*set)(unsigned) = (int (*)(unsigned))dlsym(RTLD_DEFAULT, "seccomp_api_set");
	void *(*init)(uint32_t) = (void *(*)(uint32_t))dlsym(RTLD_NEXT, "seccomp_init");

	if (!set || !init || set(LEVEL_KILL_PROCESS) < 0)
		return NULL;
	return init(action);
}

int seccomp_load(const void *filter)
{
	(void)filter;
	return 0;
}

/* Only as fexecve(3) calls it: of an open file, by the name which that had. */
int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	char link[32];

	if (path[0] || flags != AT_EMPTY_PATH) {
		errno = ENOSYS;
		return -1;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	return execve(link, argv, envp);
}

int execl(const char *path, const char *arg, ...)
{
	char *argv[ARGUMENTS] = { (char *)arg };
	va_list list;

	va_start(list, arg);
	for (int n = 1; n < ARGUMENTS - 1; n++) {
		argv[n] = va_arg(list, char *);
		if (!argv[n])
			break;
	}
	va_end(list);
	return execve(path, argv, environ);
}
