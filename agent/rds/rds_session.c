/* wna-rds. Blocks on the database, under a deadline. Owns the session. */
#include "rds.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clock.h"
#include "str.h"

#define QUESTION "SELECT @@global.read_only, @@global.innodb_read_only, VERSION()"

enum {
	LONGEST_MS = 40000,       /* the unit's watchdog ends a process that is silent for 60 s */
	PACKET_BYTES = 64 * 1024, /* an answer has less than a hundred */
};

static int64_t bounded(int64_t ms)
{
	return ms < LONGEST_MS ? ms : LONGEST_MS;
}

static unsigned in_seconds(int64_t ms)
{
	return (unsigned)((ms + 999) / 1000);
}

__attribute__((format(printf, 3, 4))) static void
complain(struct rds_sample *sample, enum rds_trouble trouble, const char *format, ...)
{
	char text[LIMIT_FACT_WHY];
	struct sb sb;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	sample->trouble = trouble;
	sb_init(&sb, sample->why, sizeof sample->why);
	sb_printf(&sb, "%s: %s", trouble_text(trouble), text);
}

unsigned session_early_error(const char *text, const char **ret_text)
{
	static const char mark[] = "cannot be verified: ";
	const char *at = strstr(text, mark);
	unsigned long number;
	char *end;

	if (!at)
		return 0;
	number = strtoul(at + sizeof mark - 1, &end, 10);
	if (number > 65535 || strncmp(end, " - ", 3) != 0)
		return 0;
	*ret_text = end + 3;
	return (unsigned)number;
}

/* The client library's message, in which a server may have put anything. */
static void complain_mysql(struct rds_sample *sample, MYSQL *mysql, bool connecting)
{
	const char *text = mysql_error(mysql);
	unsigned number = mysql_errno(mysql), early = 0;
	char clean[128];

	/* Nothing proves which server sent it, but a longer wait is right in any case. */
	if (connecting)
		early = session_early_error(text, &text);
	if (early != 0)
		number = early;
	str_excerpt(clean, sizeof clean, text, strnlen(text, 512));
	complain(sample, trouble_from_error(number, connecting), "%u %s", number, clean);
}

static void complain_late(struct rds_sample *sample, enum rds_trouble trouble)
{
	complain(sample, trouble, "no complete answer within %.1f s",
	         (double)(sample->end_ms - sample->start_ms) / 1000.0);
}

static bool set_options(MYSQL *mysql, const struct conf_rds *conf, int addresses)
{
	unsigned protocol = MYSQL_PROTOCOL_TCP, no = 0;
	unsigned answer_s = in_seconds(conf->timeout_ms);
	unsigned connect_s = in_seconds(conf->timeout_ms / addresses);
	unsigned long packet = PACKET_BYTES;

	/* TCP even for "localhost"; and a server may not ask for a file of this host. */
	return mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) == 0 &&
	       connector_secure(mysql, conf);
}

/* Firewalls forget idle connections, AWS's after 350 s; database.interval may be longer. */
static void keep_alive(int fd)
{
	int on = 1, idle_s = 60;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
}

/* What the client library connects to. */
static struct {
	struct addrinfo info[2 * RDS_ADDRESSES];
	struct sockaddr_storage address[2 * RDS_ADDRESSES];
} targets;

static void set_targets(const struct rds_answer *answer, uint16_t port)
{
	for (int i = 0; i < answer->count; i++) {
		struct net_endpoint endpoint = { answer->addr[i], port };
		struct addrinfo *info = &targets.info[i];

		info->ai_family = endpoint.addr.family;
		info->ai_socktype = SOCK_STREAM;
		info->ai_protocol = IPPROTO_TCP;
		info->ai_addrlen = net_endpoint_sockaddr(&endpoint, &targets.address[i]);
		info->ai_addr = (struct sockaddr *)&targets.address[i];
		info->ai_next = i + 1 < answer->count ? info + 1 : NULL;
	}
}

/*
 * These two replace libc's functions in this process, also for the client library. A client
 * library verifies the certificate for the name that it resolves, and has no option for the
 * address. A second look-up could find another server than rds_resolve.c.
 */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai)
{
	(void)name;
	(void)service;
	(void)req;
	*pai = targets.info;
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

static bool peer_of(int fd, struct net_addr *ret)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof storage;

	if (getpeername(fd, (struct sockaddr *)&storage, &len) < 0)
		return false;
	net_addr_from_sockaddr((struct sockaddr *)&storage, ret);
	return ret->family != 0;
}

/* The name that the certificate must have. A token is for one name, and other servers cannot use it:
 * with it the endpoint may be an alias. */
static const char *session_host(const struct conf_rds *conf, const struct rds_answer *answer)
{
	return conf->auth == DB_AUTH_IAM ? answer->given : conf->endpoint;
}

bool session_open(struct session *session, const struct conf_rds *conf,
                  const struct rds_answer *answer, struct rds_sample *ret_sample,
                  struct net_addr *ret_peer)
{
	char password[SECRET_SIZE];
	MYSQL *mysql = NULL;
	bool late, ok;
	int rc;

	memset(ret_sample, 0, sizeof *ret_sample);
	ret_sample->start_ms = ret_sample->end_ms = clock_ms();
	rc = secret_read(conf, password, sizeof password);
	if (rc < 0) {
		complain(ret_sample, TROUBLE_SECRET, "%s", secret_explain(conf, rc));
		return false;
	}
	mysql = mysql_init(NULL);
	if (!mysql || !set_options(mysql, conf, answer->count)) {
		complain(ret_sample, TROUBLE_OTHER, "the client library refuses an option");
		goto out;
	}
	set_targets(answer, (uint16_t)conf->port);
	deadline_start(bounded(2 * conf->timeout_ms));
	ok = mysql_real_connect(mysql, session_host(conf, answer), conf->user, password,
	                        conf->schema[0] ? conf->schema : NULL, (unsigned)conf->port, NULL,
	                        0);
	late = deadline_stop();
	ret_sample->end_ms = clock_ms();
	if (!ok && late) {
		complain_late(ret_sample, TROUBLE_STALLED);
		goto out;
	}
	if (!ok) {
		complain_mysql(ret_sample, mysql, true);
		goto out;
	}
	connector_forget(mysql);
	if (conf->tls != DB_TLS_OFF && !mysql_get_ssl_cipher(mysql)) {
		/* Only with Connector/C before 3.3. The back-off of TROUBLE_CONFIG is long. */
		complain(ret_sample, TROUBLE_CONFIG, "the connection is not encrypted");
		goto out;
	}
	if (late || !peer_of((int)mysql->net.fd, ret_peer)) {
		complain(ret_sample, TROUBLE_LOST, "the connection ended after the login");
		goto out;
	}
	keep_alive((int)mysql->net.fd);
	session->mysql = mysql;
	mysql = NULL;
out:
	explicit_bzero(password, sizeof password);
	if (mysql)
		mysql_close(mysql);
	return session->mysql;
}

bool session_read_only(const char *text, bool *ret)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > 32 || !str_only(text, "_-"))
		return false;
	*ret = strcmp(text, "0") != 0 && strcasecmp(text, "OFF") != 0;
	return true;
}

/* False unless it is one row of three texts and nothing more. */
static bool take_answer(MYSQL *mysql, struct rds_sample *sample)
{
	bool global = false, innodb = false, ok;
	const unsigned long *lengths;
	MYSQL_RES *result;
	MYSQL_ROW row;

	result = mysql_use_result(mysql);
	if (!result)
		return false;
	row = mysql_num_fields(result) == 3 ? mysql_fetch_row(result) : NULL;
	lengths = row ? mysql_fetch_lengths(result) : NULL;
	ok = lengths && session_read_only(row[0], &global) && session_read_only(row[1], &innodb) &&
	     row[2];
	if (ok) {
		sample->read_only = global || innodb;
		str_clean(sample->version, sizeof sample->version, row[2], lengths[2]);
		ok = !mysql_fetch_row(result) && mysql_errno(mysql) == 0;
	}
	mysql_free_result(result);
	return ok;
}

bool session_ask(struct session *session, const struct conf_rds *conf,
                 struct rds_sample *ret_sample)
{
	int64_t start_us = clock_us();
	bool ok, late;

	memset(ret_sample, 0, sizeof *ret_sample);
	ret_sample->start_ms = clock_ms();
	deadline_start(bounded(conf->timeout_ms));
	ok = mysql_real_query(session->mysql, QUESTION, sizeof QUESTION - 1) == 0 &&
	     take_answer(session->mysql, ret_sample);
	late = deadline_stop();
	ret_sample->end_ms = clock_ms();
	ret_sample->end_wall_ms = clock_wall_ms();
	ret_sample->rtt_us = clock_us() - start_us;
	if (ok && !late)
		return true;
	if (late)
		complain_late(ret_sample, TROUBLE_LOST);
	else if (mysql_errno(session->mysql) != 0)
		complain_mysql(ret_sample, session->mysql, false);
	else
		complain(ret_sample, TROUBLE_STALLED, "the answer is not that of a MySQL server");
	session_close(session);
	return false;
}

void session_close(struct session *session)
{
	if (!session->mysql)
		return;
	/* COM_QUIT is one small write, for which a full socket would wait. */
	deadline_start(1000);
	mysql_close(session->mysql);
	deadline_stop();
	session->mysql = NULL;
}
