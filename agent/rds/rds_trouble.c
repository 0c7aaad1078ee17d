/* wna-rds; pure: never blocks, owns nothing. */
#include "rds_trouble.h"

#include <stddef.h>

#include "clock.h"

#define S 1000

static const struct {
	const char *name, *text;
	int64_t base_ms, cap_ms; /* the wait is between half of it and all of it */
	bool of_server;
} kinds[TROUBLE_MAX] = {
	[TROUBLE_NONE] = { "none", "no trouble", 250, 250, true },
	[TROUBLE_NETWORK] = { "network", "cannot connect", 250, 4 * S, true },
	[TROUBLE_STALLED] = { "stalled", "no proper handshake", 1 * S, 30 * S, true },
	[TROUBLE_LOST] = { "lost", "session lost", 250, 8 * S, true },
	[TROUBLE_DNS] = { "dns", "the system does not resolve the name", 1 * S, 8 * S, true },
	[TROUBLE_STALE] = { "stale", "not an address of the endpoint", 1 * S, 15 * S, true },
	[TROUBLE_READ_ONLY] = { "read-only", "no longer the writer", 500, 8 * S, true },
	[TROUBLE_DENIED] = { "denied", "login refused", 60 * S, 600 * S, false },
	[TROUBLE_SECRET] = { "secret", "no password", 60 * S, 600 * S, false },
	[TROUBLE_FULL] = { "full", "too many connections", 10 * S, 60 * S, true },
	[TROUBLE_BLOCKED] = { "blocked", "this host is blocked by the server", 60 * S, 600 * S,
	                      true },
	[TROUBLE_FORBIDDEN] = { "forbidden", "this host may not log in", 60 * S, 600 * S, true },
	[TROUBLE_TLS] = { "tls", "no trusted connection", 10 * S, 120 * S, true },
	[TROUBLE_CONFIG] = { "config", "the server refuses what is configured", 60 * S, 600 * S,
	                     true },
	[TROUBLE_OTHER] = { "other", "unexpected error", 5 * S, 60 * S, true },
};

static const struct {
	unsigned number;
	enum rds_trouble trouble;
} errors[] = {
	{ 1040, TROUBLE_FULL },      /* ER_CON_COUNT_ERROR */
	{ 1043, TROUBLE_STALLED },   /* ER_HANDSHAKE_ERROR */
	{ 1044, TROUBLE_CONFIG },    /* ER_DBACCESS_DENIED_ERROR */
	{ 1045, TROUBLE_DENIED },    /* ER_ACCESS_DENIED_ERROR */
	{ 1049, TROUBLE_CONFIG },    /* ER_BAD_DB_ERROR */
	{ 1053, TROUBLE_LOST },      /* ER_SERVER_SHUTDOWN */
	{ 1129, TROUBLE_BLOCKED },   /* ER_HOST_IS_BLOCKED */
	{ 1130, TROUBLE_FORBIDDEN }, /* ER_HOST_NOT_PRIVILEGED */
	{ 1158, TROUBLE_LOST },      /* ER_NET_READ_ERROR */
	{ 1159, TROUBLE_LOST },      /* ER_NET_READ_INTERRUPTED */
	{ 1160, TROUBLE_LOST },      /* ER_NET_ERROR_ON_WRITE */
	{ 1161, TROUBLE_LOST },      /* ER_NET_WRITE_INTERRUPTED */
	{ 1203, TROUBLE_FULL },      /* ER_TOO_MANY_USER_CONNECTIONS */
	{ 1226, TROUBLE_FULL },      /* ER_USER_LIMIT_REACHED */
	{ 1251, TROUBLE_CONFIG },    /* ER_NOT_SUPPORTED_AUTH_MODE */
	{ 1290, TROUBLE_READ_ONLY }, /* ER_OPTION_PREVENTS_STATEMENT */
	{ 1317, TROUBLE_LOST },      /* ER_QUERY_INTERRUPTED */
	{ 1698, TROUBLE_DENIED },    /* ER_ACCESS_DENIED_NO_PASSWORD_ERROR */
	{ 1792, TROUBLE_READ_ONLY }, /* ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION */
	{ 1820, TROUBLE_DENIED },    /* ER_MUST_CHANGE_PASSWORD */
	{ 1836, TROUBLE_READ_ONLY }, /* ER_READ_ONLY_MODE */
	{ 1862, TROUBLE_DENIED },    /* ER_MUST_CHANGE_PASSWORD_LOGIN */
	{ 1927, TROUBLE_LOST },      /* ER_CONNECTION_KILLED (MariaDB) */
	{ 2002, TROUBLE_NETWORK },   /* CR_CONNECTION_ERROR */
	{ 2003, TROUBLE_NETWORK },   /* CR_CONN_HOST_ERROR */
	{ 2004, TROUBLE_NETWORK },   /* CR_IPSOCK_ERROR */
	{ 2005, TROUBLE_DNS },       /* CR_UNKNOWN_HOST */
	{ 2006, TROUBLE_LOST },      /* CR_SERVER_GONE_ERROR */
	{ 2007, TROUBLE_STALLED },   /* CR_VERSION_ERROR */
	{ 2012, TROUBLE_STALLED },   /* CR_SERVER_HANDSHAKE_ERR */
	{ 2013, TROUBLE_LOST },      /* CR_SERVER_LOST */
	{ 2020, TROUBLE_STALLED },   /* CR_NET_PACKET_TOO_LARGE */
	{ 2026, TROUBLE_TLS },       /* CR_SSL_CONNECTION_ERROR */
	{ 2027, TROUBLE_STALLED },   /* CR_MALFORMED_PACKET */
	{ 2055, TROUBLE_LOST },      /* CR_SERVER_LOST_EXTENDED */
	{ 2059, TROUBLE_CONFIG },    /* CR_AUTH_PLUGIN_CANNOT_LOAD */
	{ 2061, TROUBLE_CONFIG },    /* CR_AUTH_PLUGIN_ERR: ours, at what the server wants */
	{ 3118, TROUBLE_DENIED },    /* ER_ACCOUNT_HAS_BEEN_LOCKED */
	{ 3159, TROUBLE_CONFIG },    /* ER_SECURE_TRANSPORT_REQUIRED */
	{ 4151, TROUBLE_DENIED },    /* ER_ACCOUNT_HAS_BEEN_LOCKED (MariaDB) */
	{ 5010, TROUBLE_CONFIG },    /* CR_PLUGIN_NOT_ALLOWED (Connector/C) */
	{ 5013, TROUBLE_LOST },      /* CR_ERR_NET_READ (Connector/C) */
	{ 5014, TROUBLE_LOST },      /* CR_ERR_NET_WRITE (Connector/C) */
};

static unsigned index_of(enum rds_trouble trouble)
{
	return (unsigned)trouble < TROUBLE_MAX ? (unsigned)trouble : TROUBLE_OTHER;
}

const char *trouble_name(enum rds_trouble trouble)
{
	return (unsigned)trouble < TROUBLE_MAX ? kinds[trouble].name : "?";
}

const char *trouble_text(enum rds_trouble trouble)
{
	return kinds[index_of(trouble)].text;
}

enum rds_trouble trouble_from_error(unsigned number, bool connecting)
{
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i].number != number)
			continue;
		/* The end of an encrypted session comes as an error of TLS. */
		if (!connecting && errors[i].trouble == TROUBLE_TLS)
			return TROUBLE_LOST;
		/* A server that drops us before the login has counted a broken
		 * handshake: that is not a session to be remade at once. */
		if (connecting && errors[i].trouble == TROUBLE_LOST && number >= 2000)
			return TROUBLE_STALLED;
		return errors[i].trouble;
	}
	return TROUBLE_OTHER;
}

int64_t trouble_backoff(enum rds_trouble trouble, unsigned attempt, uint32_t random)
{
	unsigned i = index_of(trouble);

	return clock_backoff(attempt, kinds[i].base_ms, kinds[i].cap_ms, random);
}

bool trouble_is_of_server(enum rds_trouble trouble)
{
	return kinds[index_of(trouble)].of_server;
}

bool trouble_is_secret(enum rds_trouble trouble)
{
	return trouble == TROUBLE_DENIED || trouble == TROUBLE_SECRET;
}
