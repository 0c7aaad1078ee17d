/*
 * One question to the agent's control socket and its whole answer.
 */
#ifndef CTL_TALK_H
#define CTL_TALK_H

#include <stddef.h>
#include <stdint.h>

enum { TALK_MAX = 1024 * 1024 }; /* bytes of an answer; the agent's are below 100 KiB */

/*
 * Connects to `path`, sends `request` (with its newline) and reads to the
 * end, all within timeout_ms. 0 with a malloc'd, NUL-terminated text; -ENOENT
 * and -ECONNREFUSED nobody there; -EACCES; -ETIMEDOUT; -ECONNRESET ended
 * without an answer; -EMSGSIZE longer than TALK_MAX; other -errno. The caller
 * frees *ret_text.
 */
int talk(const char *path, const char *request, int64_t timeout_ms, char **ret_text,
         size_t *ret_len);

#endif
