/*
 * Where logins were tried, and what came of it: back-off belongs to a server,
 * not to the name. Resolvers that lag each other may answer old and new in turn
 * for a while, and a name may be wrong for ever: each address has the wait that
 * its own failures earned, wherever the name went in between. And a budget of
 * quick moves, for names that lead to another place every time. Pure.
 */
#ifndef WNA_RDS_PLACES_H
#define WNA_RDS_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"
#include "rds_resolve.h"
#include "rds_trouble.h"

enum {
	PLACES = 8,               /* two servers with both families, and as many before */
	PLACES_MOVES = 4,         /* at once: a failover seen through resolvers that lag */
	PLACES_MOVE_MS = 60000,   /* then one in this time */
	PLACES_FORGET_MS = 600000 /* after its wait was over */
};

struct place {
	struct net_addr addr; /* family 0: unused */
	enum rds_trouble trouble;
	unsigned attempt;   /* failures of that kind in a row */
	int64_t connect_ms; /* no login before it */
};

struct places {
	struct place place[PLACES];
	int next;        /* to be overwritten */
	int64_t full_ms; /* when the whole budget of moves is back */
};

/* A failure at one address; the oldest entry makes room. */
void places_note(struct places *places, const struct net_addr *addr, enum rds_trouble trouble,
                 unsigned attempt, int64_t connect_ms);

/* It has proved good. */
void places_forget(struct places *places, const struct net_addr *addr);

/* The one of the answer's addresses that has to wait longest; NULL if one of
 * them has not failed in the last while, or ever. */
const struct place *places_longest(const struct places *places, const struct rds_answer *answer,
                                   int64_t now);

/* From when on a quick move may be made; in the past if one may be made now. */
int64_t places_move_ms(const struct places *places);

/* Takes one; false, and nothing taken, if there is none. */
bool places_take_move(struct places *places, int64_t now);

#endif
