/*
 * A private machine for tests of the whole wnad: own mount, pid, network and
 * ipc namespaces, own /run and /var/lib, own users, and workers that are this
 * very program under other names (fake.h). Everybody writes lines into one log
 * file; a test waits for lines, never for time.
 *
 * Needs root; without it there is one test, which is skipped. Included as a .c
 * file, since a test is one program of one source.
 */
#ifndef TESTS_SUPERVISOR_RIG_H
#define TESTS_SUPERVISOR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/types.h>

#define RIG_DIR     "/run/t"
#define RIG_LOG     RIG_DIR "/log"
#define RIG_CONF    RIG_DIR "/agent.conf"
#define RIG_LIBEXEC RIG_DIR "/libexec"
#define RIG_MODES   RIG_DIR "/modes"
#define RIG_PORT    8099

enum { RIG_WAIT_MS = 10000 };

/*
 * To be called first in main(): becomes a fake worker if the program runs under
 * such a name; else enters the namespaces and runs `tests` there. Returns the
 * exit code.
 */
int rig_main(int argc, char **argv, int (*tests)(void));

/* A line into the common log. */
__attribute__((format(printf, 1, 2))) void rig_say(const char *format, ...);

/* Forgets all lines so far: rig_expect() looks at later ones only. */
void rig_mark(void);

/* Waits for a line since the mark that matches the fnmatch(3) pattern and returns
 * it (static storage). Fails the test with the whole log after RIG_WAIT_MS, or
 * the given time. */
const char *rig_expect(const char *pattern);
const char *rig_expect_within(const char *pattern, int64_t ms);

/* How many lines since the mark match by now. */
int rig_count(const char *pattern);

/* The number after `key` in a line: rig_number("pid=12 arg=3", "arg="). */
long rig_number(const char *line, const char *key);

/* Configuration text, beside one that listens on 127.0.0.1:RIG_PORT. */
void rig_conf(const char *text);

/* How the next fakes of a role behave: "ok" or another word of fake.h. */
void rig_mode(const char *role, const char *mode);

/* A command for a fake: see fake.h. */
__attribute__((format(printf, 2, 3))) void rig_tell(pid_t fake, const char *format, ...);

/* Starts wnad with a notification socket, as systemd would; a stored listener is
 * passed on. Waits for READY=1 unless it is expected to fail. */
pid_t rig_start(void);
pid_t rig_start_unready(void);

/* SIGTERM and the exit code; kills it after RIG_WAIT_MS. */
int rig_stop(pid_t wnad);
/* Waits for an end that is already on its way. */
int rig_exit_code(pid_t wnad);

/* Waits for the end of a process that has been killed; fails if it lives on. */
void rig_ends(pid_t pid);

/* The descriptor of the last FDSTORE=1; -1 none. The rig keeps it. */
int rig_stored_fd(void);
void rig_drop_stored_fd(void);
/* Whether wnad is to be given systemd's watchdog (interval in us; 0: no). */
void rig_watchdog(long usec);

/* Standard error of the next wnad; -1: the common log. */
void rig_log_to(int fd);

/* Connects to the health listener and returns the pid of the fake core that
 * answered. Fails the test if the connect is refused. */
pid_t rig_ask(void);

/* The pid of the running fake of that role that started last. */
pid_t rig_pid(const char *role);

#endif
