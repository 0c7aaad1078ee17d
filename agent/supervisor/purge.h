/*
 * wnad --purge: what the agent has left on this machine goes, when its package is
 * removed. Not the mount, not the page on the shared file system, and nothing that an
 * admin has edited.
 */
#ifndef SUPERVISOR_PURGE_H
#define SUPERVISOR_PURGE_H

#include <stdbool.h>

enum { PURGE_BUSY = 9 }; /* exit code: wnad runs */

/*
 * Says what it does on standard output, and each failure, which stops nothing else, on
 * standard error. 0 if all is done, also if there was nothing to do; PURGE_BUSY;
 * SUPERVISOR_FAILED. `libexec`: where wna-mount is.
 */
int purge(const char *libexec);

/* For the three files and their tests. */
__attribute__((format(printf, 1, 2))) void purge_say(const char *format, ...);
__attribute__((format(printf, 1, 2))) void purge_fail(const char *format, ...);

/*
 * Removes `folder`/`name` and all below it; a folder or name that is not there is no
 * failure. Follows no link, enters no file system that is mounted on or below it.
 * `keep`: a name in it that stays, and so it itself; or NULL. False after purge_fail().
 */
bool purge_tree(const char *folder, const char *name, const char *keep);

/*
 * Removes the files that web-node-agent-database.service has made below `folder`
 * (normally /etc/web-node-agent). They are generated; one that has not the form any
 * more that is generated has been edited, and stays. False after purge_fail().
 */
bool purge_files(const char *folder);

/*
 * Whether the text has this form: %x eight hexadecimal digits, %w letters, digits, _
 * and -, %s anything without a quotation mark on one line; all else is itself.
 */
bool purge_form(const char *text, const char *form);

#endif
