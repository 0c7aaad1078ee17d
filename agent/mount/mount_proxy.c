/*
 * Run by wna-mount as root; never blocks: it reads and writes small files on a tmpfs. Owns the
 * process of a proxy that it has started, until either ends.
 */
#include "mount.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "file.h"
#include "str.h"

enum {
	WORDS = 32,
	FILE_BYTES = 64 * 1024,
};

/* A refusal, with its reason. */
__attribute__((format(printf, 4, 5))) static int refuse(char *ret_why, size_t why_size, int rc,
                                                        const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_why, why_size, format, args);
	va_end(args);
	return rc;
}

/* The state file, which is freed by cJSON_Delete; NULL with a reason. */
static cJSON *load_state(const struct proxy *proxy, char *ret_name, size_t name_size, char *ret_why,
                         size_t why_size)
{
	int dir = open(EFS_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static char text[FILE_BYTES];
	cJSON *state;
	ssize_t n;

	if (dir < 0) {
		refuse(ret_why, why_size, 0, EFS_STATE_DIR ": %s", strerror(errno));
		return NULL;
	}
	n = -ENAMETOOLONG;
	if (efs_state_name(proxy->file_system, proxy->path, proxy->port, ret_name, name_size))
		n = file_load(dir, ret_name, FILE_OF_ROOT, text, sizeof text);
	close(dir);
	state = n > 0 ? cJSON_ParseWithLength(text, (size_t)n) : NULL;
	if (!state)
		refuse(ret_why, why_size, 0, "the state file of port %u: %s", proxy->port,
		       n < 0 ? strerror((int)-n) : "not JSON");
	return state;
}

/* The command of the state file, into `ret`, which ends with NULL. How many words; 0 with a
 * reason. */
static int command_of(const cJSON *state, char **ret, char *ret_why, size_t why_size)
{
	const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(state, "cmd"), *word;
	int count = 0;

	ret[0] = NULL;
	cJSON_ArrayForEach(word, cmd)
	{
		if (!cJSON_IsString(word) || count == WORDS - 1)
			return refuse(ret_why, why_size, 0, "the state file has no command");
		ret[count++] = word->valuestring;
	}
	ret[count] = NULL;
	if (count < 2 || ret[0][0] != '/' || ret[1][0] != '/')
		return refuse(ret_why, why_size, 0,
		              "the state file's command is no program with its configuration");
	return count;
}

/* Loads the proxy's configuration. Its length; -errno with a reason. */
static int load_configuration(const struct proxy *proxy, char *ret_path, size_t path_size,
                              char *ret_text, size_t size, char *ret_why, size_t why_size)
{
	char name[LIMIT_PATH * 2], *words[WORDS];
	cJSON *state = load_state(proxy, name, sizeof name, ret_why, why_size);
	int rc = -EBADMSG;

	if (state && command_of(state, words, ret_why, why_size) > 0) {
		str_copy(ret_path, path_size, words[1]);
		rc = (int)file_load(AT_FDCWD, words[1], FILE_OF_ROOT, ret_text, size);
		if (rc < 0)
			refuse(ret_why, why_size, 0, "%.100s: %s", words[1], strerror(-rc));
	}
	cJSON_Delete(state);
	return rc;
}

/* The value of the first line "KEY = VALUE", and its length; NULL: no line has the key. */
static const char *find_value(const char *text, const char *key, size_t *ret_len)
{
	size_t len = strlen(key);

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		const char *value = at + len;

		if (strncmp(at, key, len) != 0)
			continue;
		value += strspn(value, " \t");
		if (*value++ != '=')
			continue;
		value += strspn(value, " \t");
		*ret_len = strcspn(value, " \t\r\n");
		return *ret_len > 0 ? value : NULL;
	}
	return NULL;
}

/* The host in the line "connect = HOST:PORT", and its length; NULL: there is none. */
static const char *find_host(const char *text, size_t *ret_len, uint16_t *ret_port)
{
	const char *at, *colon;
	char port_text[8];
	int64_t port;
	size_t len;

	at = find_value(text, "connect", &len);
	colon = at ? memchr(at, ':', len) : NULL;
	if (!colon || colon == at)
		return NULL;
	snprintf(port_text, sizeof port_text, "%.*s", (int)(at + len - colon - 1), colon + 1);
	if (!str_int64(port_text, 1, UINT16_MAX, &port))
		return NULL;
	*ret_len = (size_t)(colon - at);
	*ret_port = (uint16_t)port;
	return at;
}

bool proxy_checks_name(const char *configuration)
{
	size_t len;

	return find_value(configuration, "checkHost", &len) != NULL;
}

bool proxy_may_use(const struct net_addr *addr)
{
	enum { THIS = 0, MULTICAST = 224 /* and all above it */ };
	const uint8_t *bytes = addr->bytes;

	return addr->family == AF_INET && bytes[0] != THIS && bytes[0] < MULTICAST &&
	       !net_addr_is_loopback(addr) && !(bytes[0] == 169 && bytes[1] == 254);
}

bool proxy_verifies(const struct proxy *proxy)
{
	static char text[FILE_BYTES];
	char path[PATH_MAX], why[LIMIT_FACT_WHY];
	struct efs_state state;

	return efs_state_read(EFS_STATE_DIR, proxy->file_system, proxy->path, proxy->port,
	                      &state) == 0 &&
	       state.tls &&
	       load_configuration(proxy, path, sizeof path, text, sizeof text, why, sizeof why) >=
	               0 &&
	       proxy_checks_name(text);
}

int proxy_target(const struct proxy *proxy, char *ret_host, size_t host_size, uint16_t *ret_port,
                 char *ret_why, size_t why_size)
{
	static char text[FILE_BYTES];
	char path[PATH_MAX];
	const char *host;
	size_t len;
	int rc = load_configuration(proxy, path, sizeof path, text, sizeof text, ret_why, why_size);

	if (rc < 0)
		return rc;
	host = find_host(text, &len, ret_port);
	if (!host || len >= host_size)
		return refuse(ret_why, why_size, -EBADMSG, "%.100s: no \"connect = HOST:PORT\"",
		              path);
	snprintf(ret_host, host_size, "%.*s", (int)len, host);
	return 0;
}

int proxy_redirect(const struct proxy *proxy, const char *host, char *ret_why, size_t why_size)
{
	static char text[FILE_BYTES], changed[FILE_BYTES + LIMIT_HOST];
	char path[PATH_MAX], *slash;
	const char *old;
	uint16_t port;
	size_t len;
	int rc = load_configuration(proxy, path, sizeof path, text, sizeof text, ret_why, why_size);

	if (rc < 0)
		return rc;
	old = find_host(text, &len, &port);
	slash = strrchr(path, '/');
	if (!old || !slash)
		return refuse(ret_why, why_size, -EBADMSG, "%.100s: no \"connect = HOST:PORT\"",
		              path);
	snprintf(changed, sizeof changed, "%.*s%s%s", (int)(old - text), text, host, old + len);
	*slash = '\0';
	rc = file_write(path, slash + 1, changed, strlen(changed));
	return rc < 0 ? refuse(ret_why, why_size, rc, "%.100s: %s", path, strerror(-rc)) : 0;
}

/* The path of the program, without links (/sbin may be one): root alone can replace it. */
static int find_program(const char *path, char *ret_real, char *ret_why, size_t why_size)
{
	char folder[PATH_MAX], wrong[TRUST_PATH], *slash;
	int dir, rc;
	struct stat st;

	if (!realpath(path, ret_real))
		return refuse(ret_why, why_size, -errno, "%.100s: %s", path, strerror(errno));
	str_copy(folder, sizeof folder, ret_real);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	rc = trust_open_dir(folder, 0, &dir, wrong);
	if (rc < 0)
		return refuse(ret_why, why_size, rc, "%.100s %s", wrong, trust_explain(rc));
	close(dir);
	if (lstat(ret_real, &st) < 0 || file_allows(&st, FILE_OF_ROOT) < 0)
		return refuse(ret_why, why_size, -EPERM, "%.100s: others can write it", path);
	return 0;
}

static _Noreturn void be_proxy(const char *program, char **words, pid_t parent)
{
	static char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL };
	const int fds[] = { -1, -1, -1 };

	if (child_begin(parent, fds, 3) < 0 || prctl(PR_SET_PDEATHSIG, 0) < 0 || setsid() < 0 ||
	    chdir("/") < 0)
		_exit(126);
	execve(program, words, envp);
	_exit(127);
}

/* Finds what is to be started; *ret_state is freed by cJSON_Delete. 0 or -errno with a reason. */
static int find_command(const struct proxy *proxy, cJSON **ret_state, char **ret_words,
                        char *ret_program, char *ret_why, size_t why_size)
{
	char name[LIMIT_PATH * 2];

	*ret_state = load_state(proxy, name, sizeof name, ret_why, why_size);
	if (!*ret_state || command_of(*ret_state, ret_words, ret_why, why_size) == 0)
		return -EBADMSG;
	return find_program(ret_words[0], ret_program, ret_why, why_size);
}

int proxy_kill(const struct proxy *proxy, pid_t *ret_pid, char *ret_why, size_t why_size)
{
	static struct watch_owner owner; /* large */
	char program[PATH_MAX], *words[WORDS];
	uint64_t listener;
	cJSON *state;
	pid_t pid;
	int fd, rc;

	/* One that could not be started again serves better than none. */
	rc = find_command(proxy, &state, words, program, ret_why, why_size);
	cJSON_Delete(state);
	if (rc < 0)
		return rc;
	if (watch_listens(proxy->port, &listener) < 0 || !watch_find(listener, &owner))
		return refuse(ret_why, why_size, -ESRCH, "no proxy listens on port %u",
		              proxy->port);
	pid = *ret_pid = owner.pid;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* The number may have been given to another process before it was opened. */
	if (fd < 0 || !watch_find(listener, &owner) || owner.pid != pid)
		rc = -ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc < 0 ? refuse(ret_why, why_size, rc, "process %d: %s", pid, strerror(-rc)) : 0;
}

int proxy_start(struct proxy *proxy, char *ret_why, size_t why_size)
{
	char program[PATH_MAX], *words[WORDS];
	pid_t parent = getpid(), pid;
	cJSON *state;
	int rc = find_command(proxy, &state, words, program, ret_why, why_size);

	if (rc < 0)
		goto out;
	pid = fork();
	if (pid == 0)
		be_proxy(program, words, parent);
	rc = pid < 0 ? refuse(ret_why, why_size, -errno, "fork: %s", strerror(errno)) : 0;
	if (rc == 0) {
		proxy->pid = pid;
		proxy->started = proxy->port;
	}
out:
	cJSON_Delete(state);
	return rc;
}

int proxy_note(struct proxy *proxy, uint64_t listener)
{
	static struct watch_owner owner; /* large */
	char name[LIMIT_PATH * 2];
	static char text[FILE_BYTES];
	int dir, rc;
	ssize_t n;

	if (proxy->listener != listener) {
		proxy->owner = watch_find(listener, &owner) ? owner.pid : 0;
		proxy->listener = proxy->owner != 0 ? listener : 0;
	}
	if (proxy->owner == 0 ||
	    !efs_state_name(proxy->file_system, proxy->path, proxy->port, name, sizeof name))
		return 0;
	dir = open(EFS_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	n = file_load(dir, name, FILE_OF_ROOT, text, sizeof text);
	rc = n < 0 ? (int)n : efs_state_note(EFS_STATE_DIR, name, text, proxy->owner);
	close(dir);
	return rc;
}

void proxy_reap(struct proxy *proxy)
{
	if (proxy->pid > 0 && waitpid(proxy->pid, NULL, WNOHANG) != 0)
		proxy->pid = 0;
}
