/* A socket that is connected to itself is not a server that answers. */
#include "check_tcp.c"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A socket bound to a free port of loopback; with its address. */
static int bound(struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof *ret;

	*ret = (struct sockaddr_in){ .sin_family = AF_INET };
	ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof *ret), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static void itself_and_another(void **state)
{
	struct sockaddr_in address;
	int self = bound(&address);
	int listener, client;

	(void)state;
	/* This happens by chance if the kernel picks the destination's port as the source port. */
	assert_int_equal(connect(self, (struct sockaddr *)&address, sizeof address), 0);
	assert_true(tcp_self(self));
	close(self);

	listener = bound(&address);
	assert_int_equal(listen(listener, 1), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	assert_false(tcp_self(client));
	close(client);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(itself_and_another) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
