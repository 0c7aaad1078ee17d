/*
 * The last word of /healthz, and when that was: what a core goes on from that starts
 * after another one has ended, in this wnad or in the next. A restart of some seconds, as
 * an upgrade makes one, changes nothing about the node for the load balancer, until the
 * workers have spoken (health.start_grace). Only what a core had heard itself is noted,
 * so that one which ends again and again is not called healthy for ever.
 *
 * It stands in the lock file, "ok 81234567": root's, on a tmpfs, so a boot begins
 * without one. The level by its name, since another version may number them otherwise.
 */
#ifndef SUPERVISOR_NOTE_H
#define SUPERVISOR_NOTE_H

#include <stdint.h>

/* Older than that it says nothing. A stop takes 8 s at most and systemd a second. */
enum { NOTE_MAX_AGE_MS = 20 * 1000 };

struct note {
	int64_t healthz; /* enum verdict_level; -1: none */
	int64_t at_ms;   /* when that was so, CLOCK_BOOTTIME as clock_ms() */
};

/* Replaces the one in the file, or leaves it if this is none. 0 or -errno. */
int note_write(int fd, const struct note *note);

/* The one in the file; none if there is no file's worth, or it is too old at `now`. */
void note_read(int fd, int64_t now, struct note *ret);

/* enum verdict_level, or -1 if there is none or it is too old. */
int64_t note_healthz(const struct note *note, int64_t now);

#endif
