/*
 * wna-core, and its fuzz target. Never blocks. Owns nothing. Everything it
 * reads was written by a stranger.
 */
#include <string.h>
#include <strings.h>

#include "core_serve.h"

/* A piece of the request: not NUL-terminated. */
struct text {
	const char *at;
	size_t len;
};

void request_init(struct request *request)
{
	memset(request, 0, sizeof *request);
}

static enum request_state bad(struct request *request, uint16_t status)
{
	request->status = status;
	request->close = true;
	return REQUEST_BAD;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct text text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || !strchr(others, c))
			return false;
	}
	return text.len > 0;
}

static bool equals(struct text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static bool equals_any_case(struct text text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static struct text trim(struct text text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Up to the first `stop`, which is dropped; the rest stays in *from. */
static struct text cut(struct text *from, char stop)
{
	const char *end = memchr(from->at, stop, from->len);
	struct text head = *from;

	if (!end) {
		*from = (struct text){ from->at + from->len, 0 };
		return head;
	}
	head.len = (size_t)(end - from->at);
	from->at = end + 1;
	from->len -= head.len + 1;
	return head;
}

static enum route route_of(struct text path)
{
	static const struct {
		const char *path;
		enum route route;
	} routes[] = {
		{ "/healthz", ROUTE_HEALTHZ }, { "/readyz", ROUTE_READYZ },
		{ "/livez", ROUTE_LIVEZ },     { "/", ROUTE_PAGE },
		{ "/status", ROUTE_STATUS },   { "/metrics", ROUTE_METRICS },
	};

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (equals(path, routes[i].path))
			return routes[i].route;
	}
	return ROUTE_NONE;
}

/* Origin form, or the absolute form that a server has to accept (RFC 9112, 3.2.2). */
static enum route target_route(struct text target)
{
	static const char scheme[] = "http://";
	const char *slash;

	if (target.len > sizeof scheme - 1 &&
	    strncasecmp(target.at, scheme, sizeof scheme - 1) == 0) {
		target.at += sizeof scheme - 1;
		target.len -= sizeof scheme - 1;
		slash = memchr(target.at, '/', target.len);
		if (!slash)
			return ROUTE_NONE;
		target.len -= (size_t)(slash - target.at);
		target.at = slash;
	}
	return route_of(cut(&target, '?'));
}

static bool has_control(struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* method SP target SP HTTP/d.d */
static enum request_state parse_request_line(struct request *request, struct text line)
{
	struct text method = cut(&line, ' ');
	struct text target = cut(&line, ' ');
	struct text version = line;

	if (!is_token(method) || target.len == 0 || memchr(target.at, '\t', target.len))
		return bad(request, 400);
	if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
	    version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' ||
	    version.at[7] > '9')
		return bad(request, 400);
	if (version.at[5] != '1')
		return bad(request, 505);
	request->http11 = version.at[7] != '0';
	request->head = equals(method, "HEAD");
	request->get = request->head || equals(method, "GET");
	request->route = (uint8_t)target_route(target);
	request->lines = 1;
	return REQUEST_MORE;
}

static void take_connection(struct request *request, struct text value)
{
	while (value.len > 0) {
		struct text option = trim(cut(&value, ','));

		if (equals_any_case(option, "close"))
			request->close = true;
		else if (equals_any_case(option, "keep-alive"))
			request->keep = true;
	}
}

/* A body is never read: it matters only whether there is one. */
static bool take_length(struct request *request, struct text value)
{
	bool zero = true;

	if (value.len == 0)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		if (value.at[i] != '0')
			zero = false;
	}
	/* Two different lengths would allow request smuggling. */
	if (request->length && request->body == zero)
		return false;
	request->length = true;
	if (!zero)
		request->body = true;
	return true;
}

static enum request_state parse_header(struct request *request, struct text line)
{
	struct text name;

	if (!memchr(line.at, ':', line.len))
		return bad(request, 400);
	name = cut(&line, ':');
	/* Also refuses folded lines, and blanks before the colon (RFC 9112, 5.1). */
	if (!is_token(name))
		return bad(request, 400);
	line = trim(line);
	if (equals_any_case(name, "host")) {
		if (request->host)
			return bad(request, 400);
		request->host = true;
	} else if (equals_any_case(name, "connection")) {
		take_connection(request, line);
	} else if (equals_any_case(name, "content-length")) {
		if (!take_length(request, line))
			return bad(request, 400);
	} else if (equals_any_case(name, "transfer-encoding")) {
		request->body = true;
	} else if (equals_any_case(name, "x-forwarded-for") || equals_any_case(name, "forwarded") ||
	           equals_any_case(name, "via")) {
		request->forwarded = true;
	}
	return REQUEST_MORE;
}

static enum request_state finish(struct request *request)
{
	if (request->http11 && !request->host)
		return bad(request, 400); /* RFC 9112, 3.2 */
	if (request->body || (!request->http11 && !request->keep))
		request->close = true;
	return REQUEST_DONE;
}

static enum request_state parse_line(struct request *request, struct text line)
{
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0) /* empty lines before a request are ignored (RFC 9112, 2.2) */
		return request->lines == 0 ? REQUEST_MORE : finish(request);
	if (has_control(line))
		return bad(request, 400);
	return request->lines == 0 ? parse_request_line(request, line)
	                           : parse_header(request, line);
}

enum request_state request_parse(struct request *request, const char *buf, size_t len, size_t room,
                                 size_t *ret_used)
{
	for (;;) {
		struct text line = { buf + request->pos, 0 };
		const char *end = memchr(line.at, '\n', len - request->pos);
		enum request_state state;

		if (!end) {
			if (len < room)
				return REQUEST_MORE;
			return bad(request, request->lines == 0 ? 414 : 431);
		}
		line.len = (size_t)(end - line.at);
		request->pos = (uint16_t)(end - buf + 1);
		state = parse_line(request, line);
		if (state == REQUEST_DONE)
			*ret_used = request->pos;
		if (state != REQUEST_MORE)
			return state;
	}
}

enum page_id request_page(const struct request *request, enum request_state state)
{
	static const enum page_id by_route[ROUTE_MAX] = {
		[ROUTE_NONE] = PAGE_NOT_FOUND,  [ROUTE_LIVEZ] = PAGE_LIVEZ,
		[ROUTE_HEALTHZ] = PAGE_HEALTHZ, [ROUTE_READYZ] = PAGE_READYZ,
		[ROUTE_PAGE] = PAGE_MAX,        [ROUTE_STATUS] = PAGE_MAX,
		[ROUTE_METRICS] = PAGE_MAX,
	};

	if (state == REQUEST_BAD) {
		switch (request->status) {
		case 414: return PAGE_URI;
		case 431: return PAGE_HEADERS;
		case 505: return PAGE_VERSION;
		default: return PAGE_BAD;
		}
	}
	if (request->route == ROUTE_NONE)
		return PAGE_NOT_FOUND;
	return request->get ? by_route[request->route] : PAGE_METHOD;
}
