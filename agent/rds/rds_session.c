/*
 * wna-rds. Blocks on the database and, inside the connector, on the system's
 * resolver; everything under a deadline. Owns the session.
 */
#include "rds_session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clock.h"
#include "rds_connector.h"
#include "rds_deadline.h"
#include "rds_secret.h"
#include "str.h"

#define QUESTION "SELECT @@global.read_only, @@global.innodb_read_only, VERSION()"

enum {
	LONGEST_MS = 40000,       /* the unit's watchdog ends a process that is silent for 60 s */
	PACKET_BYTES = 64 * 1024, /* our answers have less than a hundred */
};

int session_library(void)
{
	return mysql_library_init(0, NULL, NULL) == 0 ? 0 : -ENOMEM;
}

static int64_t bounded(int64_t ms)
{
	return ms < LONGEST_MS ? ms : LONGEST_MS;
}

static unsigned whole_seconds(int64_t ms)
{
	return ms <= 1000 ? 1 : (unsigned)((ms + 999) / 1000);
}

static void complain(struct watch_sample *sample, enum rds_trouble trouble, const char *text)
{
	struct sb sb;

	sample->trouble = trouble;
	sb_init(&sb, sample->why, sizeof sample->why);
	sb_printf(&sb, "%s: %s", trouble_text(trouble), text);
}

unsigned session_early_error(const char *text, const char **ret_text)
{
	static const char mark[] = "cannot be verified: ";
	const char *at = strstr(text, mark);
	unsigned number = 0;
	size_t digits;

	if (at == NULL)
		return 0;
	at += sizeof mark - 1;
	digits = strspn(at, "0123456789");
	if (digits == 0 || digits > 5 || strncmp(at + digits, " - ", 3) != 0)
		return 0;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (unsigned)(at[i] - '0');
	*ret_text = at + digits + 3;
	return number;
}

/* The connector's words; a server may have put anything into them. */
static void complain_mysql(struct watch_sample *sample, MYSQL *mysql, bool connecting)
{
	const char *text = mysql_error(mysql);
	unsigned number = mysql_errno(mysql), early = 0;
	char clean[128], numbered[LIMIT_FACT_WHY];

	/* Whoever sent it is not known, but slowing down is right in any case. */
	if (connecting)
		early = session_early_error(text, &text);
	if (early != 0)
		number = early;
	str_excerpt(clean, sizeof clean, text, strnlen(text, 512));
	snprintf(numbered, sizeof numbered, "%u %s", number, clean);
	complain(sample, trouble_from_error(number, connecting), numbered);
}

static void complain_late(struct watch_sample *sample, enum rds_trouble trouble)
{
	char text[64];

	snprintf(text, sizeof text, "no complete answer within %.1f s",
	         (double)(sample->end_ms - sample->start_ms) / 1000.0);
	complain(sample, trouble, text);
}

static bool set_options(MYSQL *mysql, const struct conf_rds *conf, int addresses)
{
	unsigned protocol = MYSQL_PROTOCOL_TCP, no = 0;
	unsigned answer_s = whole_seconds(conf->timeout_ms);
	unsigned connect_s = whole_seconds(conf->timeout_ms / (addresses > 0 ? addresses : 1));
	unsigned long packet = PACKET_BYTES;

	/* TCP even for "localhost"; and no file of ours for a server that asks. */
	return mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_s) == 0 &&
	       mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) == 0 &&
	       connector_secure(mysql, conf);
}

/* A host that vanished sends nothing: the kernel must give up by itself. */
static void guard_socket(int fd, const struct conf_rds *conf)
{
	unsigned user_ms = (unsigned)bounded(conf->timeout_ms);
	int on = 1, idle_s = 10, every_s = 3, count = 3;

	/* Refinements: the questions have time-outs of their own. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/*
 * libc's resolver, which the connector uses, waits 5 s for each server, twice, and then
 * searches other domains. Here it is 3 s for one server and 6 s for three, and no search:
 * the endpoint's name is complete. libc does not look for a changed resolv.conf after
 * something was set in _res, therefore this is done before each login.
 */
static void bound_resolver(void)
{
	if ((_res.options & RES_INIT) != 0)
		res_nclose(&_res);
	if (res_ninit(&_res) < 0)
		return; /* no memory: then getaddrinfo has none either, and says it */
	_res.retrans = 1;
	_res.retry = 2;
	_res.options &= ~(unsigned long)RES_DNSRCH;
}

static bool peer_of(int fd, struct net_addr *ret)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof storage;

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&storage, &len) < 0)
		return false;
	net_addr_from_sockaddr((struct sockaddr *)&storage, ret);
	return ret->family != 0;
}

int session_open(struct session *session, const struct conf_rds *conf, int addresses,
                 struct watch_sample *ret_sample, struct net_addr *ret_peer)
{
	char password[SECRET_SIZE];
	MYSQL *mysql = NULL;
	bool late, ok;
	int rc;

	memset(ret_sample, 0, sizeof *ret_sample);
	ret_sample->start_ms = ret_sample->end_ms = clock_ms();
	rc = secret_read(conf->password_file, password, sizeof password);
	if (rc < 0) {
		complain(ret_sample, TROUBLE_SECRET, secret_explain(rc));
		goto out;
	}
	mysql = mysql_init(NULL);
	if (mysql == NULL || !set_options(mysql, conf, addresses)) {
		complain(ret_sample, TROUBLE_OTHER, "the client library does not take its options");
		goto out;
	}
	bound_resolver();
	deadline_start(bounded(2 * conf->timeout_ms));
	ok = mysql_real_connect(mysql, conf->endpoint, conf->user, password,
	                        conf->schema[0] != '\0' ? conf->schema : NULL, (unsigned)conf->port,
	                        NULL, 0) != NULL;
	late = deadline_stop();
	explicit_bzero(password, sizeof password);
	ret_sample->end_ms = clock_ms();
	if (!ok) {
		if (late)
			complain_late(ret_sample, TROUBLE_STALLED);
		else
			complain_mysql(ret_sample, mysql, true);
		goto out;
	}
	connector_forget(mysql);
	if (conf->tls != DB_TLS_OFF && mysql_get_ssl_cipher(mysql) == NULL) {
		/* Only of connectors that cannot be kept from it: so not often. */
		complain(ret_sample, TROUBLE_CONFIG, "the connection is not encrypted");
		goto out;
	}
	if (late || !peer_of(connector_socket(mysql), ret_peer)) {
		complain(ret_sample, TROUBLE_LOST, "gone right after the login");
		goto out;
	}
	guard_socket(connector_socket(mysql), conf);
	session->mysql = mysql;
	mysql = NULL;
out:
	explicit_bzero(password, sizeof password);
	if (mysql != NULL)
		mysql_close(mysql);
	return session->mysql != NULL ? 0 : -1;
}

bool session_read_only(const char *text, bool *ret)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len == 0 || len > 32 || !str_only(text, "_-"))
		return false;
	*ret = strcmp(text, "0") != 0 && strcasecmp(text, "OFF") != 0;
	return true;
}

/* One row of three texts and nothing more, or it is no database that we know. */
static bool take_answer(MYSQL *mysql, struct watch_sample *sample)
{
	bool global = false, innodb = false, ok;
	const unsigned long *lengths;
	MYSQL_RES *result;
	MYSQL_ROW row;

	result = mysql_use_result(mysql);
	if (result == NULL)
		return false;
	row = mysql_num_fields(result) == 3 ? mysql_fetch_row(result) : NULL;
	lengths = row != NULL ? mysql_fetch_lengths(result) : NULL;
	ok = lengths != NULL && session_read_only(row[0], &global) &&
	     session_read_only(row[1], &innodb) && row[2] != NULL;
	if (ok) {
		sample->read_only = global || innodb;
		str_clean(sample->version, sizeof sample->version, row[2], lengths[2]);
		ok = mysql_fetch_row(result) == NULL && mysql_errno(mysql) == 0;
	}
	mysql_free_result(result);
	return ok;
}

int session_ask(struct session *session, const struct conf_rds *conf,
                struct watch_sample *ret_sample)
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
	ret_sample->rtt_us = clock_us() - start_us;
	if (ok && !late)
		return 0;
	if (late)
		complain_late(ret_sample, TROUBLE_LOST);
	else if (mysql_errno(session->mysql) != 0)
		complain_mysql(ret_sample, session->mysql, false);
	else
		complain(ret_sample, TROUBLE_STALLED, "the answer is not one of a MySQL server");
	session_close(session);
	return -1;
}

void session_close(struct session *session)
{
	if (session->mysql == NULL)
		return;
	/* COM_QUIT is one small write; a full socket must not hold us. */
	deadline_start(1000);
	mysql_close(session->mysql);
	deadline_stop();
	session->mysql = NULL;
}
