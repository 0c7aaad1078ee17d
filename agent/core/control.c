/*
 * wna-core. Never blocks. Owns the sessions; the listening socket is wnad's.
 */
#include "control.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "log.h"
#include "status.h"

enum {
	CONTROL_LINE = 32,
	CONTROL_DEADLINE_MS = 5000, /* from accept to the last byte of the answer */
};

struct session {
	struct event event;
	struct control *control;
	int fd;
	bool used, writing;
	int64_t deadline_ms;
	size_t len;      /* of the line */
	size_t from, to; /* of the answer */
	char line[CONTROL_LINE];
	char answer[STATUS_BYTES];
};

struct control {
	struct event_base *base;
	struct event accept_event;
	struct control_ops ops;
	uint64_t count;
	struct session *session; /* LIMIT_CONTROL of them, untouched until used */
};

enum control_verb control_parse(const char *buf, size_t len, size_t room)
{
	const char *end = memchr(buf, '\n', len);

	if (!end)
		return len < room ? CONTROL_MORE : CONTROL_UNKNOWN;
	len = (size_t)(end - buf);
	if (len == strlen("status") && memcmp(buf, "status", len) == 0)
		return CONTROL_STATUS;
	if (len == strlen("reload") && memcmp(buf, "reload", len) == 0)
		return CONTROL_RELOAD;
	return CONTROL_UNKNOWN;
}

int control_permitted(enum control_verb verb, uid_t uid)
{
	return verb == CONTROL_RELOAD && uid != 0 ? -EPERM : 0;
}

static void end(struct session *session)
{
	event_del(&session->event);
	close(session->fd);
	session->used = false;
}

static void on_session(evutil_socket_t fd, short what, void *arg);

/* Waits for one event, at most until the session's deadline. */
static void wait_for(struct session *session, short what)
{
	int64_t left_ms = session->deadline_ms - clock_ms();
	struct timeval left;

	if (left_ms < 1)
		left_ms = 1;
	left = (struct timeval){ .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	event_assign(&session->event, session->control->base, session->fd, what, on_session,
	             session);
	if (event_add(&session->event, &left) < 0)
		end(session);
}

static void refuse(struct session *session, const char *why)
{
	int n = snprintf(session->answer, sizeof session->answer,
	                 "{\"ok\":false,\"error\":\"%s\"}\n", why);

	session->to = (size_t)n;
}

static void reload(struct session *session, uid_t uid)
{
	const struct control_ops *ops = &session->control->ops;
	int64_t tries;
	int n, rc;

	if (control_permitted(CONTROL_RELOAD, uid) < 0) {
		refuse(session, "only root may reload");
		return;
	}
	rc = ops->reload(ops->ctx, &tries);
	if (rc < 0) {
		refuse(session, "not ready for it yet; try again");
		return;
	}
	log_info("control: reload ordered");
	n = snprintf(session->answer, sizeof session->answer,
	             "{\"ok\":true,\"tries\":%" PRId64 "}\n", tries);
	session->to = (size_t)n;
}

/* What the kernel says of the peer, not what the peer says of itself. */
static uid_t peer_uid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred)
		return (uid_t)-1;
	return cred.uid;
}

static void write_answer(struct session *session)
{
	while (session->from < session->to) {
		ssize_t n = send(session->fd, session->answer + session->from,
		                 session->to - session->from, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			session->writing = true;
			wait_for(session, EV_WRITE);
			return;
		}
		if (n < 0)
			break;
		session->from += (size_t)n;
	}
	end(session);
}

static void act(struct session *session, enum control_verb verb)
{
	const struct control_ops *ops = &session->control->ops;

	session->control->count++;
	session->from = session->to = 0;
	switch (verb) {
	case CONTROL_STATUS:
		session->to = ops->status(ops->ctx, session->answer, sizeof session->answer);
		break;
	case CONTROL_RELOAD: reload(session, peer_uid(session->fd)); break;
	case CONTROL_MORE:
	case CONTROL_UNKNOWN: refuse(session, "expected status or reload"); break;
	}
	write_answer(session);
}

static void read_line(struct session *session)
{
	ssize_t n = recv(session->fd, session->line + session->len,
	                 sizeof session->line - session->len, MSG_DONTWAIT);
	enum control_verb verb;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		wait_for(session, EV_READ);
		return;
	}
	if (n <= 0) {
		end(session);
		return;
	}
	session->len += (size_t)n;
	verb = control_parse(session->line, session->len, sizeof session->line);
	if (verb == CONTROL_MORE)
		wait_for(session, EV_READ);
	else
		act(session, verb);
}

static void on_session(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		end(session);
	else if (session->writing)
		write_answer(session);
	else
		read_line(session);
}

static struct session *free_session(struct control *control)
{
	for (int i = 0; i < LIMIT_CONTROL; i++) {
		if (!control->session[i].used)
			return &control->session[i];
	}
	return NULL;
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct control *control = arg;
	struct session *session;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	session = free_session(control);
	if (!session) {
		close(fd);
		return;
	}
	session->control = control;
	session->fd = fd;
	session->used = true;
	session->writing = false;
	session->deadline_ms = clock_ms() + CONTROL_DEADLINE_MS;
	session->len = 0;
	wait_for(session, EV_READ);
}

int control_init(struct control **ret, struct event_base *base, int listen_fd,
                 const struct control_ops *ops)
{
	static struct control control;
	void *at = mmap(NULL, LIMIT_CONTROL * sizeof *control.session, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	control.base = base;
	control.ops = *ops;
	control.session = at;
	event_assign(&control.accept_event, base, listen_fd, EV_READ | EV_PERSIST, on_accept,
	             &control);
	if (listen_fd >= 0 && event_add(&control.accept_event, NULL) < 0) {
		munmap(at, LIMIT_CONTROL * sizeof *control.session);
		return -ENOMEM;
	}
	*ret = &control;
	return 0;
}

uint64_t control_count(const struct control *control)
{
	return control->count;
}

void control_stop(struct control *control)
{
	event_del(&control->accept_event);
}
