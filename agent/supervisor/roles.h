/*
 * The children as one const table: what each is, may, gets and depends on.
 * Everything that distinguishes one role from another for wnad is here.
 */
#ifndef SUPERVISOR_ROLES_H
#define SUPERVISOR_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "msg.h"
#include "role.h"

/* The members of struct conf, as bits. */
enum {
	PART_AGENT = 1 << 0,
	PART_HEALTH = 1 << 1,
	PART_IMDS = 1 << 2,
	PART_MOUNT = 1 << 3,
	PART_CHECKS = 1 << 4,
	PART_RDS = 1 << 5,
	PART_HOOKS = 1 << 6,
	PART_METRICS = 1 << 7,
	PART_ALL = (1 << 8) - 1,
};

/* Slots: two for the core, of which one drains while the other takes over. */
enum { ROLE_SLOTS_MAX = 2 };
_Static_assert((int)HOOK_EVENT_MAX <= (int)ROLE_SLOTS_MAX, "a slot for every hook event");

struct role_info {
	const char *exe;     /* below the libexec folder; NULL: not a child */
	const char *user;    /* NULL: root (mount), or configured (hook) */
	unsigned first_slot; /* hooks: events count from 1 */
	unsigned end_slot;
	int64_t limit_ms;       /* residents: longest silence */
	uint64_t caps;          /* bits 1 << CAP_x: its bounding set */
	uint64_t nofile;        /* RLIMIT_NOFILE; 0: inherited */
	uint64_t address_space; /* RLIMIT_AS in bytes; 0: inherited */
	uint64_t cpu_s;         /* RLIMIT_CPU; 0: inherited */
	unsigned parts;         /* of the configuration it depends on */
	int oom_score_adj;
	int nice;
	bool resident;
	bool late_kills; /* a late one is not asked first */
	bool finishes;   /* a run under way is not ended by a reload */
	bool gains;      /* may gain privileges by exec */
};

/* NULL for ROLE_WNAD and outside the range. */
const struct role_info *role_info(enum role role);

/* Whether this configuration has work for the role. */
bool role_wanted(enum role role, const struct conf *conf);

/* How long one run of a one-shot may take; for residents the longest silence. */
int64_t role_limit_ms(enum role role, const struct conf *conf);

/* RLIMIT_NOFILE under this configuration; 0: inherited. */
uint64_t role_nofile(enum role role, const struct conf *conf);

/* The parts in which two configurations differ. */
unsigned conf_changed_parts(const struct conf *a, const struct conf *b);

#endif
