/* wna-rds; pure: never blocks, owns nothing. */
#include "rds_places.h"

#include <stddef.h>

/* -1: none of ours. */
static int find(const struct places *places, const struct net_addr *addr)
{
	for (int i = 0; i < PLACES; i++) {
		if (net_addr_equal(&places->place[i].addr, addr))
			return i;
	}
	return -1;
}

void places_note(struct places *places, const struct net_addr *addr, enum rds_trouble trouble,
                 unsigned attempt, int64_t connect_ms)
{
	int i = find(places, addr);

	if (i < 0) {
		i = places->next;
		places->next = (places->next + 1) % PLACES;
	}
	places->place[i] = (struct place){
		.addr = *addr,
		.trouble = trouble,
		.attempt = attempt,
		.connect_ms = connect_ms,
	};
}

void places_forget(struct places *places, const struct net_addr *addr)
{
	int i = find(places, addr);

	if (i >= 0)
		places->place[i] = (struct place){ .attempt = 0 };
}

const struct place *places_longest(const struct places *places, const struct rds_answer *answer,
                                   int64_t now)
{
	const struct place *longest = NULL;

	for (int i = 0; i < answer->count; i++) {
		int at = find(places, &answer->addr[i]);
		const struct place *place = &places->place[at < 0 ? 0 : at];

		if (at < 0 || now - place->connect_ms > PLACES_FORGET_MS)
			return NULL;
		if (longest == NULL || place->connect_ms > longest->connect_ms)
			longest = place;
	}
	return longest;
}

int64_t places_move_ms(const struct places *places)
{
	return places->full_ms - (PLACES_MOVES - 1) * PLACES_MOVE_MS;
}

bool places_take_move(struct places *places, int64_t now)
{
	if (places_move_ms(places) > now)
		return false;
	if (places->full_ms < now)
		places->full_ms = now;
	places->full_ms += PLACES_MOVE_MS;
	return true;
}
