/* DNS answers: first byte chooses the type asked for, the rest is the packet. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer answer = { .count = -1 };
	uint16_t type;
	int rc;

	if (size == 0)
		return 0;
	type = data[0] & 1 ? DNS_TYPE_AAAA : DNS_TYPE_A;
	rc = dns_answer_parse(data + 1, size - 1, "db.rds.test", type, &answer);
	if (rc != 0) {
		if (rc > 0 || answer.count != -1)
			abort();
		return 0;
	}
	if (answer.count < 0 || answer.count > DNS_ADDRESSES || answer.links > DNS_CHAIN ||
	    answer.ttl_s < 0 || answer.ttl_s > INT32_MAX ||
	    strnlen(answer.name, sizeof answer.name) == sizeof answer.name)
		abort();
	for (int i = 0; i < answer.count; i++) {
		if (answer.addr[i].family != AF_INET && answer.addr[i].family != AF_INET6)
			abort();
	}
	return 0;
}
