/*
 * Preloaded into User-mode Linux, whose kernel runs processes by ptrace(2). Debian 12's (6.1) reads
 * and writes 2.7 KB of their registers. A processor with AMX has 11 KB, and there the host's kernel
 * refuses to write less: the machine ends with "ptrace set fp regs failed, errno = 14". Here a write
 * is completed by zeros, the initial state of what is missing: no program of the machine uses AMX,
 * for which it would have to ask the host's kernel (arch_prctl(2), ARCH_REQ_XCOMP_PERM).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static char all[1 << 16];
static size_t all_bytes; /* as long as the processor's state is */

long ptrace(enum __ptrace_request request, ...)
{
	static long (*real)(enum __ptrace_request, ...);
	struct iovec *part, whole = { all, sizeof all };
	va_list list;
	void *what;
	long pid, rc;

	va_start(list, request);
	pid = va_arg(list, long);
	what = va_arg(list, void *);
	part = va_arg(list, struct iovec *);
	va_end(list);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
	if (what != (void *)NT_X86_XSTATE ||
	    (request != PTRACE_GETREGSET && request != PTRACE_SETREGSET))
		return real(request, pid, what, part);
	if (request == PTRACE_SETREGSET) {
		memset(all, 0, all_bytes);
		memcpy(all, part->iov_base, part->iov_len);
		whole.iov_len = all_bytes;
		return real(request, pid, what, &whole);
	}
	rc = real(request, pid, what, &whole);
	if (!rc) {
		all_bytes = whole.iov_len;
		if (part->iov_len > all_bytes)
			part->iov_len = all_bytes;
		memcpy(part->iov_base, all, part->iov_len);
	}
	return rc;
}
