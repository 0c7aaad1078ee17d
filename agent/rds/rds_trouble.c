/*
 * wna-rds; pure. A new error number is one line of the second table; numbers are those of
 * the MySQL 8.0 Error Message Reference (client 2xxx, server the rest), which MariaDB
 * shares, and Connector/C's own.
 */
#include "rds_watch.h"

#include "clock.h"

#define S 1000

static const struct {
	const char *name, *text;
	int64_t base_ms, cap_ms; /* the wait is between half of it and all of it */
} kinds[TROUBLE_MAX] = {
	[TROUBLE_NONE] = { "none", "no trouble", 250, 250 },
	[TROUBLE_NETWORK] = { "network", "cannot connect", 250, 4 * S },
	[TROUBLE_STALLED] = { "stalled", "no proper handshake", 1 * S, 30 * S },
	[TROUBLE_LOST] = { "lost", "session lost", 250, 8 * S },
	[TROUBLE_DENIED] = { "denied", "login refused", 60 * S, 600 * S },
	[TROUBLE_SECRET] = { "secret", "no password or token", 60 * S, 600 * S },
	[TROUBLE_FULL] = { "full", "the server is full", 10 * S, 60 * S },
	[TROUBLE_CLOSED] = { "closed", "the server is out of service", 250, 4 * S },
	[TROUBLE_BLOCKED] = { "blocked", "this host is blocked by the server", 60 * S, 600 * S },
	[TROUBLE_FORBIDDEN] = { "forbidden", "this host may not log in", 60 * S, 600 * S },
	[TROUBLE_TLS] = { "tls", "no trusted connection", 10 * S, 120 * S },
	[TROUBLE_CONFIG] = { "config", "schema, login or TLS does not fit", 60 * S, 600 * S },
	[TROUBLE_OTHER] = { "other", "unexpected error", 5 * S, 60 * S },
};

static const struct {
	unsigned number;
	enum rds_trouble trouble;
} errors[] = {
	{ 1040, TROUBLE_FULL },      /* ER_CON_COUNT_ERROR */
	{ 1041, TROUBLE_FULL },      /* ER_OUT_OF_RESOURCES */
	{ 1043, TROUBLE_STALLED },   /* ER_HANDSHAKE_ERROR */
	{ 1044, TROUBLE_CONFIG },    /* ER_DBACCESS_DENIED_ERROR */
	{ 1045, TROUBLE_DENIED },    /* ER_ACCESS_DENIED_ERROR */
	{ 1049, TROUBLE_CONFIG },    /* ER_BAD_DB_ERROR */
	{ 1053, TROUBLE_LOST },      /* ER_SERVER_SHUTDOWN */
	{ 1129, TROUBLE_BLOCKED },   /* ER_HOST_IS_BLOCKED */
	{ 1130, TROUBLE_FORBIDDEN }, /* ER_HOST_NOT_PRIVILEGED */
	{ 1135, TROUBLE_FULL },      /* ER_CANT_CREATE_THREAD */
	{ 1158, TROUBLE_LOST },      /* ER_NET_READ_ERROR */
	{ 1159, TROUBLE_LOST },      /* ER_NET_READ_INTERRUPTED */
	{ 1160, TROUBLE_LOST },      /* ER_NET_ERROR_ON_WRITE */
	{ 1161, TROUBLE_LOST },      /* ER_NET_WRITE_INTERRUPTED */
	{ 1203, TROUBLE_FULL },      /* ER_TOO_MANY_USER_CONNECTIONS */
	{ 1226, TROUBLE_FULL },      /* ER_USER_LIMIT_REACHED */
	{ 1251, TROUBLE_CONFIG },    /* ER_NOT_SUPPORTED_AUTH_MODE */
	{ 1290, TROUBLE_CLOSED },    /* ER_OPTION_PREVENTS_STATEMENT: --read-only */
	{ 1317, TROUBLE_LOST },      /* ER_QUERY_INTERRUPTED */
	{ 1698, TROUBLE_DENIED },    /* ER_ACCESS_DENIED_NO_PASSWORD_ERROR */
	{ 1820, TROUBLE_DENIED },    /* ER_MUST_CHANGE_PASSWORD */
	{ 1836, TROUBLE_CLOSED },    /* ER_READ_ONLY_MODE */
	{ 1862, TROUBLE_DENIED },    /* ER_MUST_CHANGE_PASSWORD_LOGIN */
	{ 1927, TROUBLE_LOST },      /* ER_CONNECTION_KILLED (MariaDB) */
	{ 2002, TROUBLE_NETWORK },   /* CR_CONNECTION_ERROR */
	{ 2003, TROUBLE_NETWORK },   /* CR_CONN_HOST_ERROR */
	{ 2004, TROUBLE_NETWORK },   /* CR_IPSOCK_ERROR */
	{ 2006, TROUBLE_LOST },      /* CR_SERVER_GONE_ERROR */
	{ 2007, TROUBLE_STALLED },   /* CR_VERSION_ERROR */
	{ 2012, TROUBLE_STALLED },   /* CR_SERVER_HANDSHAKE_ERR */
	{ 2013, TROUBLE_LOST },      /* CR_SERVER_LOST */
	{ 2020, TROUBLE_STALLED },   /* CR_NET_PACKET_TOO_LARGE */
	{ 2026, TROUBLE_TLS },       /* CR_SSL_CONNECTION_ERROR */
	{ 2027, TROUBLE_STALLED },   /* CR_MALFORMED_PACKET */
	{ 2055, TROUBLE_LOST },      /* CR_SERVER_LOST_EXTENDED */
	{ 2059, TROUBLE_CONFIG },    /* CR_AUTH_PLUGIN_CANNOT_LOAD */
	{ 2061, TROUBLE_CONFIG },    /* CR_AUTH_PLUGIN_ERR */
	{ 3032, TROUBLE_CLOSED },    /* ER_SERVER_OFFLINE_MODE */
	{ 3118, TROUBLE_DENIED },    /* ER_ACCOUNT_HAS_BEEN_LOCKED */
	{ 3159, TROUBLE_CONFIG },    /* ER_SECURE_TRANSPORT_REQUIRED */
	{ 3169, TROUBLE_LOST },      /* ER_SESSION_WAS_KILLED */
	{ 4151, TROUBLE_DENIED },    /* ER_ACCOUNT_HAS_BEEN_LOCKED (MariaDB) */
	{ 5010, TROUBLE_CONFIG },    /* CR_PLUGIN_NOT_ALLOWED (Connector/C) */
	{ 5013, TROUBLE_LOST },      /* CR_ERR_NET_READ (Connector/C) */
	{ 5014, TROUBLE_LOST },      /* CR_ERR_NET_WRITE (Connector/C) */
};

const char *trouble_name(enum rds_trouble trouble)
{
	return kinds[trouble].name;
}

const char *trouble_text(enum rds_trouble trouble)
{
	return kinds[trouble].text;
}

enum rds_trouble trouble_from_error(unsigned number, bool connecting)
{
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i].number != number)
			continue;
		/* The end of an encrypted session is reported as a TLS error. */
		if (!connecting && errors[i].trouble == TROUBLE_TLS)
			return TROUBLE_LOST;
		/* The client library's numbers: a server that ends the connection before the
		 * login has counted a broken handshake, and the next login must not follow at
		 * once. */
		if (connecting && errors[i].trouble == TROUBLE_LOST && number >= 2000 &&
		    (number < 3000 || number >= 5000))
			return TROUBLE_STALLED;
		return errors[i].trouble;
	}
	return TROUBLE_OTHER;
}

int64_t trouble_backoff(enum rds_trouble trouble, unsigned failures, uint32_t random)
{
	return clock_backoff(failures, kinds[trouble].base_ms, kinds[trouble].cap_ms, random);
}

bool trouble_is_down(enum rds_trouble trouble)
{
	return trouble == TROUBLE_NETWORK || trouble == TROUBLE_STALLED ||
	       trouble == TROUBLE_LOST || trouble == TROUBLE_CLOSED;
}

bool trouble_is_secret(enum rds_trouble trouble)
{
	return trouble == TROUBLE_DENIED || trouble == TROUBLE_SECRET;
}
