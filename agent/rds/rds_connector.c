/*
 * wna-rds; never blocks. Where MariaDB Connector/C and Oracle's libmysqlclient differ; the
 * other files use what both have. The tests run both (Oracle's in the suite `oracle`, but for IAM).
 */
#include "rds.h"

#include <string.h>

#ifdef LIBMARIADB

/*
 * Only 3.3 and newer have these options. Login methods are limited: otherwise a false server
 * could ask for mysql_clear_password and get the password. TLS is enforced: Connector/C does
 * this only if it checks the certificate. An empty fingerprint is a check that accepts every
 * certificate.
 */
static bool secure_more(MYSQL *mysql, const struct conf_rds *conf)
{
#if defined(MARIADB_PACKAGE_VERSION_ID) && MARIADB_PACKAGE_VERSION_ID >= 30300
#define HASHED "mysql_native_password,caching_sha2_password,client_ed25519"
	const char *plugins = conf->tls == DB_TLS_VERIFY ? HASHED
	                              ",sha256_password,mysql_clear_password"
	                                                 : HASHED;

	return mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, plugins) == 0 &&
	       (conf->tls != DB_TLS_REQUIRED ||
	        mysql_optionsv(mysql, MARIADB_OPT_TLS_PEER_FP, "") == 0);
#else
	(void)mysql;
	(void)conf;
	return true;
#endif
}

bool connector_secure(MYSQL *mysql, const struct conf_rds *conf)
{
	my_bool enforce = conf->tls != DB_TLS_OFF;
	my_bool verify = conf->tls == DB_TLS_VERIFY;

	if (mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce) != 0 ||
	    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify) != 0)
		return false;
	if (verify && conf->tls_ca[0] != '\0' &&
	    mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, conf->tls_ca) != 0)
		return false;
	return secure_more(mysql, conf);
}

#else /* Oracle's, where mysql_clear_password, which sends the token of IAM, is off by default */

bool connector_secure(MYSQL *mysql, const struct conf_rds *conf)
{
	unsigned mode = conf->tls == DB_TLS_VERIFY     ? SSL_MODE_VERIFY_IDENTITY
	                : conf->tls == DB_TLS_REQUIRED ? SSL_MODE_REQUIRED
	                                               : SSL_MODE_DISABLED;

	bool clear = conf->auth == DB_AUTH_IAM;

	if (mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode) != 0 ||
	    mysql_options(mysql, MYSQL_ENABLE_CLEARTEXT_PLUGIN, &clear) != 0)
		return false;
	return conf->tls != DB_TLS_VERIFY || conf->tls_ca[0] == '\0' ||
	       mysql_options(mysql, MYSQL_OPT_SSL_CA, conf->tls_ca) == 0;
}

#endif

void connector_forget(MYSQL *mysql)
{
	if (mysql->passwd)
		explicit_bzero(mysql->passwd, strlen(mysql->passwd));
}
