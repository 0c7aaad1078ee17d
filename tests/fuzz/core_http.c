/*
 * HTTP requests, as strangers send them: one after the other on one
 * connection. However the bytes are cut into pieces, the answers are the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core_serve.h"
#include "limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finished(const struct request *request, enum request_state state, size_t used,
                           size_t len)
{
	enum page_id page = request_page(request, state);

	if (state == REQUEST_DONE && (used == 0 || used > len || request->lines == 0))
		abort();
	if (state == REQUEST_BAD && !request->close)
		abort();
	if (page > PAGE_MAX || (page == PAGE_MAX && (!request->get || state == REQUEST_BAD)))
		abort();
	if (page <= PAGE_READYZ && (state != REQUEST_DONE || !request->get))
		abort();
}

/* Parses as core_conn.c does when it receives `piece` bytes at a time; the end of the
 * first request, its state and a digest of what was read. */
static enum request_state parse(const char *data, size_t size, size_t piece, size_t *ret_used,
                                struct request *ret)
{
	enum request_state state = REQUEST_MORE;
	size_t len = 0;

	request_init(ret);
	*ret_used = 0;
	if (size > LIMIT_HTTP_REQUEST)
		size = LIMIT_HTTP_REQUEST;
	while (state == REQUEST_MORE && len < size) {
		len = size - len > piece ? len + piece : size;
		state = request_parse(ret, data, len, LIMIT_HTTP_REQUEST, ret_used);
	}
	if (state != REQUEST_MORE)
		check_finished(ret, state, *ret_used, len);
	return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t used, used_slow;
	struct request request, slow;

	for (int requests = 0; size > 0 && requests < 64; requests++) {
		enum request_state state = parse(text, size, SIZE_MAX, &used, &request);

		for (size_t piece = 1; piece < 8; piece += 3) {
			if (parse(text, size, piece, &used_slow, &slow) != state ||
			    used_slow != used)
				abort();
			slow.pos = request.pos;
			if (memcmp(&slow, &request, sizeof slow) != 0)
				abort();
		}
		if (state != REQUEST_DONE || request.close)
			break;
		text += used;
		size -= used;
	}
	return 0;
}
