/*
 * Where the logs of wnad and its children end: a non-blocking pipe into which all
 * write, read by wnad's loop and passed on to standard error as far as its
 * reader keeps up. A reader that stops costs lines, never time: what does not
 * fit is dropped by the writers and counted (log_dropped). (A stalled reader of
 * standard error stops a process that writes to it directly after a few hundred
 * lines.)
 */
#ifndef SUPERVISOR_SINK_H
#define SUPERVISOR_SINK_H

#include <stdbool.h>
#include <stddef.h>

enum { SINK_BUFFER = 16384 };

struct sink {
	int pipe_read, pipe_write; /* both non-blocking */
	int out;                   /* standard error, or a description of our own of it */
	bool is_socket;            /* out is a socket: MSG_DONTWAIT does it */
	bool owned;                /* out is to be closed */
	size_t len;                /* bytes in buf not yet written */
	char buf[SINK_BUFFER];
};

/* Makes the pipe and opens the way to `to` (standard error). 0 or -errno. */
int sink_open(struct sink *ret, int to);

/* Moves what is in the pipe on. True if something waits for the reader: the
 * pipe may stay readable, so look again after a while and not at once. */
bool sink_pump(struct sink *sink);

/* A last pump; what the reader does not take at once is lost. */
void sink_close(struct sink *sink);

#endif
