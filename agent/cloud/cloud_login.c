/*
 * Run by wna-cloud. Blocks on a tmpfs alone. wna-rds itself has no credentials: a token is valid for
 * one user of one database for a quarter of an hour. The folder of the file is the secret's
 * protection: only wna-cloud, the group wna-rds and root can enter it.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_name.h"
#include "clock.h"
#include "cloud_push.h"
#include "file.h"
#include "log.h"

enum { DRIFT_MS = 60 * 1000 }; /* a token with a more wrong date is replaced */

struct login {
	bool wanted;
	const struct conf_rds *conf;
	const struct creds_store *creds;
	const struct identity *identity;
	const char *dir;
	char own[LIMIT_HOST];  /* the endpoint */
	char host[LIMIT_HOST]; /* the name that RDS has given; empty: not known yet */
	char key[129];         /* access key id of the last token; empty: a new one is due */
	bool told;
	int64_t signed_ms, signed_aws_ms;
	int rc; /* of the last try */
};

struct login *login_new(const struct worker *worker, const struct creds_store *creds,
                        const struct identity *identity, const char *dir)
{
	struct login *login = calloc(1, sizeof *login);
	const struct conf_rds *conf = &worker->conf->rds;
	char region[64];

	if (!login)
		return NULL;
	login->wanted = conf->enabled && conf->auth == DB_AUTH_IAM;
	login->conf = conf;
	login->creds = creds;
	login->identity = identity;
	login->dir = dir;
	str_lower(login->own, sizeof login->own, conf->endpoint);
	if (aws_is_database(login->own, region))
		str_copy(login->host, sizeof login->host, login->own);
	return login;
}

void login_free(struct login *login)
{
	free(login);
}

/* The fact is of a process that may have been taken over: the endpoint's own name of RDS is not
 * replaced, and an alias only by a name of RDS. */
void login_host(struct login *login, const char *name)
{
	char host[LIMIT_HOST], region[64];

	str_lower(host, sizeof host, name);
	if (aws_is_database(login->own, region) || strcmp(host, login->host) == 0 ||
	    (strcmp(host, login->own) != 0 && !aws_is_database(host, region)))
		return;
	str_copy(login->host, sizeof login->host, host);
	login->key[0] = '\0';
	login->told = false;
}

/* Of the name that RDS has given, else the node's. */
static void find_region(const struct login *login, char *ret, size_t size)
{
	if (!aws_is_database(login->host, ret))
		str_copy(ret, size, login->identity->region ? login->identity->region : "");
}

static int sign(const struct login *login, const struct creds *creds, const char *region,
                int64_t aws_ms)
{
	char date[SIGV4_DATE], token[LIMIT_LOGIN_TOKEN], host[LIMIT_HOST + 8];
	struct sigv4_request request = { .date = date,
		                         .region = region,
		                         .service = "rds-db",
		                         .access_key = creds->access_key,
		                         .secret_key = creds->secret_key };
	int rc = -ERANGE;

	snprintf(host, sizeof host, "%s:%d", login->host, (int)login->conf->port);
	if (sigv4_date(aws_ms, date))
		rc = sigv4_login(&request, host, login->conf->user, creds->token, token,
		                 sizeof token);
	if (rc == 0)
		rc = file_write(login->dir, LOGIN_FILE, token, strlen(token));
	OPENSSL_cleanse(token, sizeof token);
	return rc;
}

static bool is_due(const struct login *login, const struct creds *creds, int64_t now_ms,
                   int64_t aws_ms)
{
	int64_t age_ms = now_ms - login->signed_ms;

	return strcmp(login->key, creds->access_key) != 0 || age_ms >= LOGIN_PERIOD_MS ||
	       llabs(aws_ms - login->signed_aws_ms - age_ms) > DRIFT_MS;
}

int64_t login_turn(struct login *login, int64_t now_ms, int64_t aws_ms)
{
	const struct creds *creds = creds_get(login->creds);
	char region[64];
	int rc;

	if (!login->wanted)
		return INT64_MAX;
	find_region(login, region, sizeof region);
	/* The loop turns when what is missing has come. */
	if (!creds || !login->host[0] || !region[0])
		return INT64_MAX;
	if (!is_due(login, creds, now_ms, aws_ms))
		return login->signed_ms + LOGIN_PERIOD_MS;
	rc = sign(login, creds, region, aws_ms);
	if (rc < 0 && rc != login->rc)
		log_warning("database: the login token cannot be made: %s/" LOGIN_FILE ": %s; "
		            "systemd-tmpfiles --create, and a restart of this service, make the "
		            "folder",
		            login->dir, strerror(-rc));
	login->rc = rc;
	if (rc < 0)
		return now_ms + 1000;
	if (!login->told)
		log_info("database: login token for user %s at %s, region %s, is in %s/" LOGIN_FILE,
		         login->conf->user, login->host, region, login->dir);
	login->told = true;
	str_copy(login->key, sizeof login->key, creds->access_key);
	login->signed_ms = now_ms;
	login->signed_aws_ms = aws_ms;
	return now_ms + LOGIN_PERIOD_MS;
}
