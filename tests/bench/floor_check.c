/* Floor for wna-check: libevent's HTTP client, one GET every five seconds.
 *	floor_check ADDRESS PORT PATH */
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

static struct event_base *base;
static char **args;

static void done(struct evhttp_request *request, void *connection)
{
	(void)request;
	(void)connection;
}

static void ask(evutil_socket_t fd, short what, void *arg)
{
	static struct evhttp_connection *connection;
	struct evhttp_request *request;

	(void)fd;
	(void)what;
	(void)arg;
	if (connection)
		evhttp_connection_free(connection);
	connection = evhttp_connection_base_new(base, NULL, args[1],
	                                        (unsigned short)strtoul(args[2], NULL, 10));
	request = evhttp_request_new(done, NULL);
	evhttp_make_request(connection, request, EVHTTP_REQ_GET, args[3]);
}

int main(int argc, char **argv)
{
	struct timeval period = { .tv_sec = 5 };

	if (argc != 4)
		return 2;
	args = argv;
	base = event_base_new();
	event_add(event_new(base, -1, EV_PERSIST, ask, NULL), &period);
	ask(-1, 0, NULL);
	return event_base_dispatch(base);
}
