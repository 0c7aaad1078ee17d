/*
 * The one session with the database: logged in once, then asked. Never a
 * connection without a login, which the server would count as a broken
 * handshake (error 1129).
 */
#ifndef WNA_RDS_SESSION_H
#define WNA_RDS_SESSION_H

#include <mysql.h>

#include "conf.h"
#include "net.h"
#include "rds_watch.h"

struct session {
	MYSQL *mysql; /* NULL: closed */
};

/* Once a process. 0 or -ENOMEM. */
int session_library(void);

/*
 * Logs in by the endpoint's name, so that TLS can verify it, and takes the
 * peer's address from the socket. The password is read from its file and
 * wiped. `addresses`: how many the name has; they share conf.timeout_ms.
 * Blocks for at most twice conf.timeout_ms, 40 s. Fills the sample's times,
 * trouble and why. 0 with the session open and *ret_peer, or -1.
 */
int session_open(struct session *session, const struct conf_rds *conf, int addresses,
                 struct watch_sample *ret_sample, struct net_addr *ret_peer);

/*
 * Asks for the server's role and version. Blocks for at most conf.timeout_ms,
 * 40 s. Fills the whole sample. 0, or -1 with the session closed.
 */
int session_ask(struct session *session, const struct conf_rds *conf,
                struct watch_sample *ret_sample);

/* Says good-bye and closes; never waits for the server. Closed is fine. */
void session_close(struct session *session);

/*
 * What a server's read-only variable says: "0" and "OFF" are false, other
 * words (MariaDB 12 has more than ON) true. False if it is no such value.
 */
bool session_read_only(const char *text, bool *ret);

/*
 * The server's own error number in the words of Connector/C for an error packet
 * that came before TLS ("... cannot be verified: 1040 - Too many connections"),
 * which it numbers 2002 like a refused connection. *ret_text is set to what
 * follows. 0 if the words are others.
 */
unsigned session_early_error(const char *text, const char **ret_text);

#endif
