/* wna-rds; pure. */
#include "rds_watch.h"

#include <string.h>

#include "str.h"

bool answer_has(const struct rds_answer *answer, const struct net_addr *addr)
{
	for (int i = 0; i < answer->count; i++) {
		if (net_addr_equal(&answer->addr[i], addr))
			return true;
	}
	return false;
}

bool answer_lacks(const struct rds_answer *answer, const struct net_addr *addr)
{
	return addr->family != 0 && addr->family != answer->unknown && !answer_has(answer, addr);
}

bool answer_replaced(const struct rds_answer *answer, const struct net_addr *addr)
{
	bool other = false;

	for (int i = 0; i < answer->count; i++)
		other = other || answer->addr[i].family == addr->family;
	return other && answer_lacks(answer, addr);
}

/* Sorted: name servers rotate the addresses, which is no change. */
void answer_add(struct rds_answer *answer, const struct net_addr *addr)
{
	int i = answer->count++;

	for (; i > 0 && memcmp(addr, &answer->addr[i - 1], sizeof *addr) < 0; i--)
		answer->addr[i] = answer->addr[i - 1];
	answer->addr[i] = *addr;
}

bool answer_equal(const struct rds_answer *a, const struct rds_answer *b)
{
	return a->count == b->count &&
	       memcmp(a->addr, b->addr, (size_t)a->count * sizeof a->addr[0]) == 0;
}

char *answer_text(const struct rds_answer *answer, char *ret, size_t size)
{
	char one[NET_ADDR_TEXT];
	struct sb sb;

	sb_init(&sb, ret, size);
	for (int i = 0; i < answer->count; i++) {
		size_t whole = sb.len;

		sb_printf(&sb, "%s%s", i > 0 ? "," : "",
		          net_addr_text(&answer->addr[i], one, sizeof one));
		if (sb.cut) {
			ret[whole] = '\0';
			break;
		}
	}
	return ret;
}

/* The address's place, or -1. */
static int find(const struct places *places, const struct net_addr *addr)
{
	for (int i = 0; i < PLACES; i++) {
		if (net_addr_equal(&places->place[i].addr, addr))
			return i;
	}
	return -1;
}

void places_note(struct places *places, const struct net_addr *addr, const struct backoff *backoff)
{
	int i = find(places, addr);

	if (i < 0) {
		i = places->next;
		places->next = (places->next + 1) % PLACES;
	}
	places->place[i].addr = *addr;
	places->place[i].backoff = *backoff;
}

void places_forget(struct places *places, const struct net_addr *addr)
{
	int i = find(places, addr);

	if (i >= 0)
		places->place[i].addr.family = 0;
}

const struct backoff *places_longest(const struct places *places, const struct rds_answer *answer,
                                     int64_t now)
{
	const struct backoff *longest = NULL;

	for (int i = 0; i < answer->count; i++) {
		int at = find(places, &answer->addr[i]);
		const struct backoff *one = at < 0 ? NULL : &places->place[at].backoff;

		if (!one || now - one->connect_ms > PLACES_FORGET_MS)
			return NULL;
		if (!longest || one->connect_ms > longest->connect_ms)
			longest = one;
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
