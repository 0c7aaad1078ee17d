/* The kernel's tables, as they were read on a node with an EFS mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/tcp.h>

#include "mount_watch.h"

static const char mountstats[] =
        "device /dev/root mounted on / with fstype ext4\n"
        "device 127.0.0.1:/ mounted on /var/www/html/efs2 with fstype nfs4 statvers=1.1\n"
        "\txprt:\ttcp 1 1 1 0 0 7 777 0 7 0 2 0 0\n"
        "device 127.0.0.1:/ mounted on /var/www/html/efs with fstype nfs4 statvers=1.1\n"
        "\topts:\trw,vers=4.1\n"
        "\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)\n"
        "\txprt:\ttcp 931 1 1 0 0 25 24 1 25 0 2 0 0\n"
        "\txprt:\ttcp 932 1 1 0 0 8 6 0 8 0 2 0 0\n"
        "\tper-op statistics\n"
        "\t        NULL: 1 1 0 44 24 0 0 0 0\n"
        "device tmpfs mounted on /run with fstype tmpfs\n";

static bool count_in(const char *text, const char *path, struct watch_counts *ret)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");
	bool found = watch_count(file, path, ret);

	fclose(file);
	return found;
}

static void replies_are_of_this_mount_alone(void **state)
{
	struct watch_counts count;

	(void)state;
	assert_true(count_in(mountstats, "/var/www/html/efs", &count));
	assert_int_equal(count.recvs, 30);
	assert_true(count_in(mountstats, "/var/www/html/efs2", &count));
	assert_int_equal(count.recvs, 777);
	assert_false(count_in(mountstats, "/var/www/html", &count));
	assert_false(count_in(mountstats, "/run", &count));
}

static void a_path_with_a_blank(void **state)
{
	struct watch_counts count;

	(void)state;
	assert_true(count_in(
	        "device 127.0.0.1:/ mounted on /srv/my\\040files with fstype nfs4 statvers=1.1\n"
	        "\txprt:\ttcp 931 1 1 0 0 25 24 1 25 0 2 0 0\n",
	        "/srv/my files", &count));
	assert_int_equal(count.recvs, 24);
}

/* A listener on another loopback address is not the proxy, and does not hide that it is dead. */
static void only_what_the_kernel_connects_to(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	uint64_t inode;
	int other, proxy;

	(void)state;
	other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	proxy = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(0x7f000002);
	assert_int_equal(bind(other, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(other, 1), 0);
	assert_int_equal(getsockname(other, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(watch_listens(ntohs(at.sin_port), &inode), 0);
	assert_int_equal(inode, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(proxy, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(proxy, 1), 0);
	assert_int_equal(watch_listens(ntohs(at.sin_port), &inode), 0);
	assert_int_not_equal(inode, 0);
	close(proxy);
	close(other);
}

static bool is_idle(const char *first, const char *second)
{
	struct watch_counts count;
	char text[512];

	snprintf(text, sizeof text,
	         "device 127.0.0.1:/ mounted on /efs with fstype nfs4 statvers=1.1\n"
	         "\txprt:\ttcp 931 1 1 0 %s 0 25 0 2 0 0\n"
	         "\txprt:\ttcp 932 1 1 0 %s 0 8 0 2 0 0\n",
	         first, second);
	assert_true(count_in(text, "/efs", &count));
	return count.idle;
}

/* Idle time, requests and replies of two connections. */
static void a_mount_with_a_reply_to_each_request_is_idle(void **state)
{
	(void)state;
	assert_true(is_idle("6 25 25", "7 8 8"));
	assert_false(is_idle("6 25 24", "7 8 8"));
	assert_false(is_idle("6 25 25", "7 9 8"));
	/* Lost, or never made. */
	assert_false(is_idle("6 25 25", "0 8 8"));
}

#define HEAD                                                                                       \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ...\n"
#define REST " 00000000:00000000 00:00000000 00000000     0        0 "

static uint64_t listener(const char *table, uint16_t port)
{
	FILE *file = fmemopen((char *)table, strlen(table), "r");
	uint64_t inode = watch_listener(file, port);

	fclose(file);
	return inode;
}

static void only_a_listening_socket_of_loopback_counts(void **state)
{
	static const char table[] =
	        HEAD "   0: 0100007F:4E51 00000000:0000 0A" REST "4711 1 0 100 0 0 10 0\n"
	             "   1: 0200007F:4E52 00000000:0000 0A" REST "4712 1 0 100 0 0 10 0\n"
	             "   2: 00000000:4E53 00000000:0000 0A" REST "4713 1 0 100 0 0 10 0\n"
	             "   3: 0100007F:4E54 0100007F:8000 01" REST "4714 1 0 100 0 0 10 0\n";
	static const char v6[] =
	        HEAD "   0: 0000000000000000FFFF00000100007F:4E51 "
	             "00000000000000000000000000000000:0000 0A" REST "4715 1 0 100 0 0 10 0\n";

	(void)state;
	assert_int_equal(listener(table, 0x4e51), 4711);
	assert_int_equal(listener(table, 0x4e52), 0);
	assert_int_equal(listener(table, 0x4e53), 4713);
	assert_int_equal(listener(table, 0x4e54), 0);
	assert_int_equal(listener(v6, 0x4e51), 4715);
	assert_int_equal(listener(HEAD, 0x4e51), 0);
}

enum { PORT = 20049 };

static struct sockdiag_socket between(const char *local, const char *remote)
{
	struct sockdiag_socket sock = { 0 };

	assert_true(net_endpoint_parse(local, &sock.local));
	assert_true(net_endpoint_parse(remote, &sock.remote));
	return sock;
}

/* Last argument: the socket of the proxy (inode 5) to the server. */
static enum heal_flow flow_of(bool unread, struct sockdiag_socket out)
{
	struct watch watch = { .path = "/efs", .port = PORT };
	struct watch_owner owner = { .pid = 7, .count = 1, .inode = { 5 } };
	struct sockdiag_socket kernel = between("127.0.0.1:900", "127.0.0.1:20049"),
	                       accepted = between("127.0.0.1:20049", "127.0.0.1:900"),
	                       other = between("10.0.0.9:444", "10.0.0.7:2049");
	struct watch_flow flow = { 0 };

	kernel.quiet_ms = 5000;
	accepted.unread_bytes = unread ? 100 : 0;
	other.unacked_segments = other.backoff = 9;
	watch_flow_add(&flow, &watch, &owner, &kernel);
	watch_flow_add(&flow, &watch, &owner, &accepted);
	watch_flow_add(&flow, &watch, &owner, &other);
	watch_flow_add(&flow, &watch, &owner, &out);
	return watch_flow_of(&flow, &watch);
}

static void the_sockets_tell_the_cause(void **state)
{
	struct sockdiag_socket out = between("10.0.0.9:445", "10.0.0.2:2049"), bad;

	(void)state;
	out.inode = 5;
	out.quiet_ms = 5000;
	assert_int_equal(flow_of(false, out), FLOW_ACKED);
	bad = out;
	bad.unacked_segments = 1;
	bad.backoff = 2;
	assert_int_equal(flow_of(false, bad), FLOW_ACKED);
	bad.backoff = 3;
	assert_int_equal(flow_of(true, bad), FLOW_STUCK);
	bad = out;
	bad.state = TCP_SYN_SENT;
	assert_int_equal(flow_of(false, bad), FLOW_STUCK);
	/* Nothing forwarded: unread requests, or no data for longer than the kernel has sent none. */
	assert_int_equal(flow_of(true, out), FLOW_HELD);
	bad = out;
	bad.quiet_ms = 10001;
	assert_int_equal(flow_of(false, bad), FLOW_HELD);
	/* The server accepts no more data. */
	bad.unsent_bytes = 1;
	assert_int_equal(flow_of(true, bad), FLOW_ACKED);
	/* No connection of the proxy's to any server. */
	bad = out;
	bad.inode = 6;
	assert_int_equal(flow_of(false, bad), FLOW_HELD);
}

static bool may_use(const char *text)
{
	struct net_addr addr = { 0 };

	assert_true(net_addr_parse(text, &addr));
	return proxy_may_use(&addr);
}

static void only_another_machine_is_a_mount_target(void **state)
{
	static const char *const bad[] = {
		"127.0.0.1",       "127.1.2.3", "0.0.0.0", "0.0.0.9",
		"169.254.169.254", "224.0.0.1", "::1",     "255.255.255.255",
		"2001:db8::1",     "fe80::1",   "::",      "::ffff:127.0.0.1"
	};
	static const struct net_addr none;

	(void)state;
	assert_true(may_use("10.0.0.7"));
	assert_true(may_use("172.16.3.4"));
	assert_true(may_use("169.253.0.1"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(may_use(bad[i]));
	assert_false(proxy_may_use(&none));
}

static void a_configuration_has_the_name_or_not(void **state)
{
	(void)state;
	assert_true(proxy_checks_name("[efs]\nverify = 2\ncheckHost = fs-1.efs.x\nlibwrap = no\n"));
	assert_true(proxy_checks_name("checkHost=fs-1.efs.x"));
	assert_false(proxy_checks_name("[efs]\nverify = 2\n;checkHost = fs-1.efs.x\n"));
	assert_false(proxy_checks_name("checkHost =\nlibwrap = no\n"));
	assert_false(proxy_checks_name("checkHosts = fs-1.efs.x\n"));
	assert_false(proxy_checks_name(""));
}

#define UNIT "amazon-efs-mount-watchdog.service"

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void the_watchdog_is_found_by_its_unit(void **state)
{
	static const char *const folders[] = { "systemd", "systemd/system.slice",
		                               "systemd/system.slice/" UNIT, "system.slice",
		                               "system.slice/" UNIT };
	char dir[] = "/tmp/wna-cgroup-XXXXXX", path[160], older[160];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_false(watch_unit(dir));
	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof path, "%s/system.slice/" UNIT "/cgroup.procs", dir);
	snprintf(older, sizeof older, "%s/systemd/system.slice/" UNIT "/cgroup.procs", dir);
	put_file(path, "");
	put_file(older, "");
	assert_false(watch_unit(dir));
	put_file(older, "812\n");
	assert_true(watch_unit(dir));
	assert_int_equal(unlink(older), 0);
	put_file(path, "812\n813\n814\n815\n816\n817\n818\n819\n820\n");
	assert_true(watch_unit(dir));
	assert_int_equal(unlink(path), 0);
	for (size_t i = 5; i-- > 0;) {
		snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void a_redirect_is_noted(void **state)
{
	struct home home = { "fs-1.efs.ap-northeast-2.amazonaws.com", "10.0.0.7" }, found = { 0 };
	char dir[] = "/tmp/wna-home-XXXXXX", path[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_false(home_read(dir, &found));
	assert_int_equal(home_note(dir, &home), 0);
	assert_true(home_read(dir, &found));
	assert_string_equal(found.host, home.host);
	assert_string_equal(found.away, home.away);
	home_forget(dir, &found);
	assert_string_equal(found.host, "");
	assert_false(home_read(dir, &found));
	snprintf(path, sizeof path, "%s/redirect", dir);
	put_file(path, "fs-1.efs.x and more");
	assert_false(home_read(dir, &found));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_of_this_mount_alone),
		cmocka_unit_test(a_path_with_a_blank),
		cmocka_unit_test(only_what_the_kernel_connects_to),
		cmocka_unit_test(a_mount_with_a_reply_to_each_request_is_idle),
		cmocka_unit_test(a_redirect_is_noted),
		cmocka_unit_test(only_a_listening_socket_of_loopback_counts),
		cmocka_unit_test(the_sockets_tell_the_cause),
		cmocka_unit_test(the_watchdog_is_found_by_its_unit),
		cmocka_unit_test(only_another_machine_is_a_mount_target),
		cmocka_unit_test(a_configuration_has_the_name_or_not),
	};

	return cmocka_run_group_tests_name("mount/watch", tests, NULL, NULL);
}
