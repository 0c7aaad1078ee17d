/*
 * Runs a real wna-core with the listeners of this process, as systemd would: for tests of
 * what only the whole process can show, and for measuring it.
 */
#ifndef SIM_HARNESS_H
#define SIM_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "fact.h"
#include "hub.h"

struct harness {
	pid_t pid;
	int listen, hub;    /* listening sockets, as systemd holds them */
	int log;            /* reading end */
	int notify;         /* what the core tells systemd arrives here */
	uint16_t port;      /* of the health listener on 127.0.0.1 */
	char path[64];      /* of the hub */
	char config[72];    /* of the snapshot */
	char notified[72];  /* of the notification socket */
	int peer[ROLE_MAX]; /* connections to the hub; -1: none yet */
	bool strict;        /* roles are their users' alone; else any user may claim any */
};

/* Opens the sockets; then core after core may be started on them. Ends the
 * process with a message if the machine refuses. */
void harness_open(struct harness *harness, uint16_t port);

void harness_start(struct harness *harness, const char *exe, const struct conf *conf);

/* The same with the snapshot that is there. */
void harness_start_with(struct harness *harness, const char *exe);

/* A new connection to the hub that has said its hello, or -1. */
int harness_join(const struct harness *harness, enum role role, int64_t wants);

/* As if role's process had said it, over one connection per role. */
void harness_fact(struct harness *harness, enum role role, enum fact_id id, int64_t value,
                  const char *text, const char *why);
void harness_spoken(struct harness *harness, enum role role);

/* Waits for a message of that type from the hub; false after timeout_ms, or at the end. */
bool harness_hear(int fd, enum hub_type type, int timeout_ms, struct msg *ret);

/* Asks like wnactl. False if there was no answer in time. */
bool harness_ask(const struct harness *harness, enum hub_ask ask, char *ret, size_t size);

/* Waits until systemd is told `text`, or what begins so; false after timeout_ms. */
bool harness_told(const struct harness *harness, const char *text, int timeout_ms);

/* A connected client socket, or -1. */
int harness_connect(const struct harness *harness);

/* Asks it to leave, if it lives, and waits for the end; the wait status. */
int harness_stop(struct harness *harness);

void harness_close(struct harness *harness);

#endif
