/*
 * What a wnad leaves to the next one: the last word of /healthz and when that was.
 * A restart of some seconds, as an upgrade makes one, is for the load balancer what a
 * restarted core is: nothing about the node has changed, so its first core goes on
 * from there until the workers have spoken (health.start_grace).
 *
 * It stands in the lock file, "ok 81234567": root's, on a tmpfs, so a boot begins
 * without one. The level by its name, since another version may number them otherwise.
 */
#ifndef SUPERVISOR_NOTE_H
#define SUPERVISOR_NOTE_H

#include <stdint.h>

/* Older than that it says nothing. A stop takes 8 s at most and systemd a second. */
enum { NOTE_MAX_AGE_MS = 20 * 1000 };

/* 0 or -errno. `healthz`: enum verdict_level; -1: none, writes nothing. */
int note_write(int fd, int64_t healthz, int64_t now);

/* enum verdict_level, or -1 if there is no note, an old one, or one that is none. */
int64_t note_read(int fd, int64_t now);

#endif
