/*
 * Stand-in for AWSAuthenticationPlugin of RDS, which only AWS has: a login method of that name for the
 * tests' MariaDB. It asks for mysql_clear_password, and gives user and token to a process that verifies
 * them (iam_verifier.py). TLS is the user's own condition (REQUIRE SSL). The structs are those of
 * MariaDB's plugin interface (mysql/plugin.h, mysql/plugin_auth.h), as far as they are used: its package
 * of headers also has the whole server as a library.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { AUTHENTICATION = 7, LICENSE_GPL = 1, STABLE = 4, CR_OK = -1, CR_ERROR = 0 };

struct vio {
	int (*read_packet)(struct vio *vio, unsigned char **packet);
	int (*write_packet)(struct vio *vio, const unsigned char *packet, int len);
	void (*info)(struct vio *vio, void *ret);
};

struct login {
	const char *user;
	unsigned int user_len;
	const char *text; /* AS '...' */
	unsigned long text_len;
};

struct method {
	int interface_version;
	const char *client_plugin;
	int (*authenticate)(struct vio *vio, struct login *login);
	int (*hash)(const char *password, size_t len, char *ret, size_t *ret_len);
	int (*preprocess)(const char *hash, size_t len, unsigned char *ret, size_t *ret_len);
};

struct plugin {
	int type;
	void *info;
	const char *name, *author, *description;
	int license;
	int (*init)(void *), (*deinit)(void *);
	unsigned int version;
	void *status, *settings;
	const char *version_text;
	unsigned int maturity;
};

static int authenticate(struct vio *vio, struct login *login)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX, .sun_path = "/run/mysqld/iam.sock" };
	unsigned char *token;
	char line[8192], answer = 'n';
	int len = vio->read_packet(vio, &token), fd;

	if (len <= 0 || login->text_len != 3 || memcmp(login->text, "RDS", 3) != 0)
		return CR_ERROR;
	len = snprintf(line, sizeof line, "%.*s %.*s\n", (int)login->user_len, login->user, len,
	               token);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return CR_ERROR;
	if (len >= (int)sizeof line || connect(fd, (struct sockaddr *)&place, sizeof place) < 0 ||
	    write(fd, line, (size_t)len) != len || read(fd, &answer, 1) != 1)
		answer = 'n';
	close(fd);
	return answer == 'y' ? CR_OK : CR_ERROR;
}

static int no_hash(const char *password, size_t len, char *ret, size_t *ret_len)
{
	(void)password, (void)ret;
	*ret_len = 0;
	return len > 0;
}

static struct method method = { 0x0202, "mysql_clear_password", authenticate, no_hash, NULL };

int _maria_plugin_interface_version_ = 0x010e;
int _maria_sizeof_struct_st_plugin_ = sizeof(struct plugin);
struct plugin _maria_plugin_declarations_[] = {
	{ AUTHENTICATION, &method, "AWSAuthenticationPlugin", "web-node-agent",
	  "stand-in for RDS's", LICENSE_GPL, NULL, NULL, 0x0100, NULL, NULL, "1", STABLE },
	{ 0 },
};
