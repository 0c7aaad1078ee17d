/*
 * Runs a real wna-core under a wnad that is this process: for tests of what
 * only the whole process can show, and for measuring it.
 */
#ifndef SIM_HARNESS_H
#define SIM_HARNESS_H

#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "fact.h"
#include "msg.h"

struct harness {
	pid_t pid;
	int wnad;              /* our end of the line */
	int listen, control;   /* listening sockets, as wnad holds them */
	int log;               /* reading end */
	uint16_t port;         /* of the health listener on 127.0.0.1 */
	char control_name[64]; /* abstract Unix address, without its leading NUL */
};

/* Opens the sockets; then core after core may be started on them. Ends the
 * process with a message if the machine refuses. */
void harness_open(struct harness *harness, uint16_t port);
void harness_start(struct harness *harness, const char *exe, const struct conf *conf, unsigned arg);

/* As if role's worker had said it. */
void harness_fact(const struct harness *harness, enum role role, enum fact_id id, unsigned slot,
                  int64_t value, const char *text, const char *why);

/* Waits for an order of that verb, passing over others; false after timeout_ms. */
int harness_order(const struct harness *harness, enum order_verb verb, int timeout_ms,
                  struct order *ret);

/* A connected client socket, or -1. */
int harness_connect(const struct harness *harness);
int harness_connect_control(const struct harness *harness);

/* Closes the line and waits for the end; the wait status. */
int harness_stop(struct harness *harness);

void harness_close(struct harness *harness);

#endif
