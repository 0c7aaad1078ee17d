/*
 * The control socket of wnactl: one line in, one JSON object out (verdict.h).
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct control;

enum control_verb { CONTROL_MORE, CONTROL_STATUS, CONTROL_RELOAD, CONTROL_UNKNOWN };

/*
 * Which request the first `len` bytes are. Pure. CONTROL_MORE: no whole line
 * yet. `room` is what the caller can hold.
 */
enum control_verb control_parse(const char *buf, size_t len, size_t room);

/* Reading is for everybody who may connect; changing anything needs root. */
int control_permitted(enum control_verb verb, uid_t uid);

struct control_ops {
	/* The status object; length, or 0 if it does not fit. */
	size_t (*status)(void *ctx, char *ret, size_t size);
	/* Asks for a reload: 0 with the number of attempts before it, or -errno. */
	int (*reload)(void *ctx, int64_t *ret_tries);
	void *ctx;
};

/* `listen_fd` must be listening and non-blocking and stays the caller's; -1: there is
 * none, and nobody will ask. 0 or -errno. */
int control_init(struct control **ret, struct event_base *base, int listen_fd,
                 const struct control_ops *ops);

/* Requests answered since start. */
uint64_t control_count(const struct control *control);

/* Accepts no more. */
void control_stop(struct control *control);

#endif
