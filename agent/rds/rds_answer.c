/* wna-rds; pure: never blocks, owns nothing. */
#include <string.h>

#include "rds_resolve.h"
#include "str.h"

bool answer_has(const struct rds_answer *answer, const struct net_addr *addr)
{
	for (int i = 0; i < answer->count; i++) {
		if (net_addr_equal(&answer->addr[i], addr))
			return true;
	}
	return false;
}

bool answer_equal(const struct rds_answer *a, const struct rds_answer *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++) {
		if (!answer_has(b, &a->addr[i]))
			return false;
	}
	return true;
}

char *answer_text(const struct rds_answer *answer, char *ret, size_t size)
{
	char one[NET_ADDR_TEXT];
	size_t len = 0;

	ret[0] = '\0';
	for (int i = 0; i < answer->count; i++) {
		net_addr_text(&answer->addr[i], one, sizeof one);
		if (len + (i > 0) + strlen(one) >= size)
			break;
		if (i > 0)
			ret[len++] = ',';
		str_copy(ret + len, size - len, one);
		len += strlen(one);
	}
	return ret;
}
