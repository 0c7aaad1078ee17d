/* The one line that `systemctl status` shows. Pure. */
#ifndef SUPERVISOR_STATUS_H
#define SUPERVISOR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "role.h"

struct status {
	int64_t healthz, readyz; /* enum verdict_level; -1 not known yet */
	struct {
		bool wanted;
		bool resident;
		enum child_state state;
	} roles[ROLE_MAX];
	unsigned restarts;
	unsigned stuck;
	bool stopping;
	const char *conf_why; /* why a new configuration was not taken; may be empty */
};

/* "healthz ok, readyz fail; mount running; 2 restarts; 1 stuck". Returns `ret`. */
char *status_text(const struct status *status, char *ret, size_t size);

#endif
