/*
 * The part of wna-rds that waits, for name servers, the database or a local disk, and what
 * it says to others:
 *
 *	rds_resolve.c    the endpoint's name to addresses, by DNS
 *	rds_secret.c     the password file, or the login token
 *	rds_connector.c  where the two client libraries differ
 *	rds_session.c    the session with the database: log in, ask, close
 *	rds_deadline.c   a limit on what the client library does meanwhile
 *	rds_memory.c     what a restart must not forget
 *	rds_report.c     facts for the core, log lines
 *	rds_json.c       rds.json
 *	rds_main.c       the loop
 *
 * What happens next is decided in rds_watch.h.
 */
#ifndef WNA_RDS_H
#define WNA_RDS_H

#include <ares.h>
#include <mysql.h>

#include "rds_watch.h"
#include "worker.h"

#define RDS_DIR CONF_RUN_DIR "/rds"

/* rds_secret.c */

enum {
	SECRET_SIZE = LIMIT_LOGIN_TOKEN,
	FILE_ID_SIZE = 96,
};

/*
 * What the database is sent at a login: the first line of the password file without its end
 * ("\n", "\r\n"), or the login token, by conf.auth. The password file must be root's and may be
 * readable by its group, which is this process's own. 0; -ENODATA empty; -EMSGSIZE longer than
 * size - 1; -EINVAL with a NUL byte, or no regular file; -EPERM not root's, or open to others;
 * -EREMOTE on a network file system; -errno unreadable. `ret` is
 * wiped on failure. The caller wipes it (explicit_bzero) after use: the file is read again
 * for every login, thus a new password needs no restart.
 */
int secret_read(const struct conf_rds *conf, char *ret, size_t size);

/* For people: "the password file is empty". */
const char *secret_explain(const struct conf_rds *conf, int rc);

/* file_id() of the file; empty as well if it is on a network file system. */
void secret_identify(const struct conf_rds *conf, char *ret, size_t size);

/* A text that changes whenever a file is edited or replaced; empty if there is none. */
void file_id(const char *path, char *ret, size_t size);

/* rds_resolve.c */

/*
 * DNS alone: no /etc/hosts, no search list, no cache, hence every question reaches a name
 * server. Not libc's resolver, because that hides TTLs. The session is opened at the addresses
 * that are found here.
 */
struct resolver {
	ares_channel channel;    /* NULL: none yet */
	char file[FILE_ID_SIZE]; /* the resolv.conf from which `channel` was made */
};

/*
 * Asks for the endpoint's A and AAAA records, for at most conf.dns_timeout_ms in all. A
 * changed resolv.conf counts at once. True with *ret filled, and `ret_why` empty or saying
 * which family's question failed; false with the reason for people in `ret_why`.
 */
bool resolver_ask(struct resolver *resolver, const struct conf_rds *conf, struct rds_answer *ret,
                  char *ret_why, size_t why_size);

/* Whether resolv.conf has changed since the last question. */
bool resolver_outdated(const struct resolver *resolver, const struct conf_rds *conf);

void resolver_close(struct resolver *resolver);

/* rds_connector.c */

/*
 * Sets TLS as configured: verify (chain and host name), required or off; and the allowed
 * login methods: only a verified server may be sent the password itself. False if the
 * library refuses an option: then it must not connect.
 *
 * Without verification Connector/C logs in without TLS at a server that offers none,
 * although TLS is enforced. From 3.3 on an option ends this (send_client_reply_packet in
 * its my_auth.c, ma_pvio_start_ssl in its ma_pvio.c); before, session_open notices it
 * after the login.
 */
bool connector_secure(MYSQL *mysql, const struct conf_rds *conf);

/* Wipes the library's copy of the password, which only a reconnect would need: there are none. */
void connector_forget(MYSQL *mysql);

/* rds_session.c */

/* A connection always logs in: the server counts one without a login as a broken
 * handshake (error 1129). */
struct session {
	MYSQL *mysql; /* NULL: closed */
};

/*
 * Logs in at one of the answer's addresses, tried in their order; TLS verifies the endpoint's
 * name, with auth = iam the name that RDS has given. The addresses share conf.timeout_ms. Blocks for at most twice conf.timeout_ms, or 40 s
 * if that is less. Fills the sample's times, trouble and why. True with the session open and the
 * server's address in *ret_peer.
 */
bool session_open(struct session *session, const struct conf_rds *conf,
                  const struct rds_answer *answer, struct rds_sample *ret_sample,
                  struct net_addr *ret_peer);

/* Asks for the server's role and version, for at most conf.timeout_ms, or 40 s if that
 * is less. Fills the whole sample. False: it failed and the session is closed. */
bool session_ask(struct session *session, const struct conf_rds *conf,
                 struct rds_sample *ret_sample);

/* Says good-bye and closes; never waits for the server. */
void session_close(struct session *session);

/* The value of a server's read-only variable: "0" and "OFF" are false, other words
 * (MariaDB 12 has more than ON) true. Returns false if the text is not one word. */
bool session_read_only(const char *text, bool *ret);

/*
 * The server's error number in Connector/C's message about an error packet that came before
 * TLS ("... cannot be verified: 1040 - Too many connections"), which Connector/C numbers
 * 2002 like a refused connection. *ret_text is set to the rest. 0 for other messages.
 */
unsigned session_early_error(const char *text, const char **ret_text);

/* rds_deadline.c */

/*
 * The client library's time-outs are per read: a server that sends a byte per second could
 * keep it for ever. When the time is up, every socket opened since deadline_init is shut
 * down, again and again until deadline_stop. One deadline at a time. deadline_init owns
 * SIGALRM and ITIMER_REAL for the rest of the process's life; 0 or -errno.
 */
int deadline_init(void);
void deadline_start(int64_t ms);
/* Whether the time was up. */
bool deadline_stop(void);

/* rds_memory.c */

/*
 * RDS_DIR/state.env, for the next wna-rds: the last writer, to detect a failover during a
 * restart; an outage that is not over; the last change, the end of the last outage, the last
 * stale address and the numbers of these events, since listeners act once on each number; and
 * the id of a refused password's file, since the next process must not try this password at
 * once. The folder is on a tmpfs: the file never outlives a boot, and monotonic times in it
 * stay valid.
 */
struct memory {
	char text[2048];           /* as last written */
	int64_t good_ms;           /* the time of the last good answer in it */
	char secret[FILE_ID_SIZE]; /* secret_identify() at the last login */
};

/* Reads the file, if it is about this endpoint, into a new watch. */
void memory_restore(struct memory *ret, struct watch *watch, int64_t now);

/* Writes the file if it changed; if only the time of the last good answer did, every 10 s.
 * Logs nothing: a failure costs precision only. */
void memory_save(struct memory *memory, const struct watch *watch);

/* rds_report.c */

struct report {
	const struct worker *worker; /* these two by the caller, the rest zero */
	const struct watch *watch;

	/* as last logged, to log changes only */
	enum rds_state state;
	char why[LIMIT_FACT_WHY];
	char name_why[LIMIT_FACT_WHY];   /* empty: the name resolved */
	char addresses[LIMIT_FACT_TEXT]; /* of the last answer */

	/* The wall-clock time of watch->since_ms, read once, or a step of the clock would
	 * change it afterwards. */
	int64_t since_ms, since_wall_ms;
	char json[4096]; /* as last written */
	bool json_failed;
};

/* Writes rds.json, logs what changed, sends the facts. Blocks on a local disk. */
void report_send(struct report *report);

/* Logs a change, or the end of an outage. */
void report_change(const struct report *report, const struct rds_change *change);

/* "writes were out for 3.1 to 7.2 s (last good 08:15:30.120, first good 08:15:37.320 UTC,
 * asked every 2.0 s)". Returns `ret`. */
char *report_outage(const struct rds_change *change, char *ret, size_t size);

/* rds_json.c */

/* Writes rds.json, which has all that is known of the database, if it changed; not if only
 * the TTL did. */
void report_write_json(struct report *report);

#endif
