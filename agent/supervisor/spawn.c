/*
 * wnad and, between fork and exec, its child. The parent's half never waits:
 * what went wrong in the child is read when the child has ended.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

enum { EXIT_NOT_EXECUTED = 127, ENVIRONMENT_MAX = 40 };

static const char *const step_names[SPAWN_STEP_MAX] = {
	[SPAWN_GROUP] = "set process group",   [SPAWN_FDS] = "place descriptors",
	[SPAWN_LIMITS] = "set limits",         [SPAWN_BOUNDING] = "cut capabilities",
	[SPAWN_SECUREBITS] = "set securebits", [SPAWN_USER] = "set user",
	[SPAWN_CAPS] = "check capabilities",   [SPAWN_PRIVS] = "give up privileges",
	[SPAWN_PARENT] = "find its parent",    [SPAWN_EXEC] = "execute",
};

/*
 * The AWS SDKs' variables that wna-cloud reads, for it alone (AWS SDKs and Tools Reference
 * Guide: settings for IMDS, region, credentials, endpoints; botocore's
 * configprovider.py for the names that only it knows).
 */
static const char *const aws_names[] = {
	"AWS_EC2_METADATA_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_METADATA_SERVICE_TIMEOUT",
	"AWS_METADATA_SERVICE_NUM_ATTEMPTS",
	"AWS_IMDS_USE_IPV6",
	"AWS_REGION",
	"AWS_DEFAULT_REGION",
	"AWS_ACCESS_KEY_ID",
	"AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN",
	"AWS_CREDENTIAL_EXPIRATION",
	"AWS_PROFILE",
	"AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_CLOUDWATCH",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_USE_FIPS_ENDPOINT",
	"AWS_USE_DUALSTACK_ENDPOINT",
	"AWS_CA_BUNDLE",
};

const char *spawn_step_name(int32_t step)
{
	return step >= 0 && step < SPAWN_STEP_MAX ? step_names[step] : "?";
}

static bool exe_path(const char *libexec, const struct role_info *info, char *ret, size_t size)
{
	return snprintf(ret, size, "%s/%s", libexec, info->exe) < (int)size;
}

void spawn_hold(const char *libexec, int ret_fds[ROLE_MAX])
{
	char exe[PATH_MAX];

	for (enum role role = 0; role < ROLE_MAX; role++) {
		const struct role_info *info = role_info(role);

		ret_fds[role] = info && exe_path(libexec, info, exe, sizeof exe)
		                        ? open(exe, O_PATH | O_CLOEXEC)
		                        : -1;
	}
}

/* The entry of our own environment as it stands there, "NAME=value". */
static char *entry_of(const char *name)
{
	size_t len = strlen(name);

	for (char **entry = environ; entry && *entry; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry;
	}
	return NULL;
}

static void environment(enum role role, char *ret[ENVIRONMENT_MAX])
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
	size_t n = 0;
	char *entry;

	_Static_assert(sizeof aws_names / sizeof aws_names[0] + 4 <= ENVIRONMENT_MAX,
	               "room for PATH, LANG, JOURNAL_STREAM and the end");
	ret[n++] = path;
	ret[n++] = lang;
	/* Tells log_init() that its lines go to the journal. */
	entry = entry_of("JOURNAL_STREAM");
	if (entry)
		ret[n++] = entry;
	for (size_t i = 0; role == ROLE_CLOUD && i < sizeof aws_names / sizeof aws_names[0]; i++) {
		entry = entry_of(aws_names[i]);
		if (entry)
			ret[n++] = entry;
	}
	ret[n] = NULL;
}

/* libevent's handlers write into a pipe that the child still shares with us:
 * a signal for the child must not look like one for wnad. */
static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void child(const struct spawn *spawn, pid_t parent, int failure_fd,
                                            const char *exe, char *const argv[], char *const envp[])
{
	struct spawn_failure failure = { .step = SPAWN_GROUP };
	int exe_fd = spawn->exe_fd;
	int rc = setpgid(0, 0) < 0 ? -errno : 0;

	reset_signals();
	for (failure.step = SPAWN_FDS; rc == 0; failure.step++) {
		switch ((enum spawn_step)failure.step) {
		case SPAWN_FDS: rc = confine_fds(spawn, &failure_fd, &exe_fd); break;
		case SPAWN_LIMITS: rc = confine_limits(spawn); break;
		case SPAWN_BOUNDING: rc = confine_bounding(spawn); break;
		case SPAWN_SECUREBITS: rc = confine_securebits(spawn); break;
		case SPAWN_USER: rc = confine_user(spawn->user); break;
		case SPAWN_CAPS: rc = confine_caps(spawn->user); break;
		case SPAWN_PRIVS: rc = confine_privs(spawn); break;
		case SPAWN_PARENT:
			/* It may have died before the wish to die with it was made. */
			rc = getppid() == parent ? 0 : -ESRCH;
			break;
		case SPAWN_EXEC:
			if (exe_fd >= 0)
				execveat(exe_fd, "", argv, envp, AT_EMPTY_PATH);
			else
				execve(exe, argv, envp);
			rc = -errno;
			break;
		case SPAWN_GROUP:
		case SPAWN_STEP_MAX: rc = -EINVAL; break;
		}
	}
	failure.step--;
	failure.error = -rc;
	(void)!write(failure_fd, &failure, sizeof failure);
	_exit(EXIT_NOT_EXECUTED);
}

int spawn(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, int *ret_failure_fd)
{
	char exe[PATH_MAX], name[LIMIT_NAME], arg[16];
	char *argv[] = { name, arg, NULL }, *envp[ENVIRONMENT_MAX];
	sigset_t all, old;
	int fds[2], rc = 0;
	pid_t parent = getpid(), pid;

	if (!exe_path(spawn->libexec, spawn->info, exe, sizeof exe))
		return -ENAMETOOLONG;
	snprintf(name, sizeof name, "%s", spawn->info->exe);
	snprintf(arg, sizeof arg, "%u", spawn->arg);
	environment(spawn->role, envp);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child(spawn, parent, fds[1], exe, argv, envp);
	if (pid < 0)
		rc = -errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fds[1]);
	if (rc < 0) {
		close(fds[0]);
		return rc;
	}
	/* Both sides do it, so that neither has to wait for the other. */
	setpgid(pid, pid);
	*ret_pid = pid;
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*ret_failure_fd = fds[0];
	return 0;
}

bool spawn_failure(int fd, struct spawn_failure *ret)
{
	struct spawn_failure failure;

	if (read(fd, &failure, sizeof failure) != (ssize_t)sizeof failure)
		return false;
	*ret = failure;
	return true;
}
