/*
 * One question to the agent's hub and its whole answer.
 */
#ifndef CTL_TALK_H
#define CTL_TALK_H

#include <stddef.h>
#include <stdint.h>

#include "hub.h"

enum { TALK_MAX = 256 * 1024 }; /* bytes of an answer; the agent's are below 128 KiB */

/*
 * Connects to `path`, asks and waits for the answer, all within timeout_ms. 0 with a
 * malloc'd, NUL-terminated text; -ENOENT and -ECONNREFUSED no agent there; -EACCES;
 * -EAGAIN its queue of connects is full; -ETIMEDOUT; -ECONNRESET ended without an
 * answer; -EMSGSIZE longer than TALK_MAX; other -errno. The caller frees *ret_text.
 */
int talk(const char *path, enum hub_ask ask, int64_t timeout_ms, char **ret_text, size_t *ret_len);

#endif
