/*
 * A stand-in for the core's hub: a thread that gives each question its answer, in a
 * directory of its own.
 */
#ifndef TEST_CTL_FAKE_H
#define TEST_CTL_FAKE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "hub.h"

enum { FAKE_ANSWERS = 16 };

struct fake {
	char dir[64], path[96];
	int listener;
	pthread_t thread;
	/* Answers to ASK_STATUS, one a question, the last one for ever. An empty one
	 * closes the connection; NULL never answers. */
	const char *status[FAKE_ANSWERS];
	int statuses;
	atomic_int asked; /* ASK_STATUS so far */
	int signal_at;    /* sends this process SIGINT with that answer, 0 = never */
	struct ctl ctl;   /* leads here; writes to out and err */
	char *out, *err;  /* what was written, after fake_words */
	size_t out_len, err_len;
	char *kept[4]; /* texts that are freed when no answer is under way any more */
	int kepts;
};

static void fake_answer(struct fake *fake, int fd, const struct msg *question)
{
	const char *answer = NULL;
	int size = 1 << 20;
	char rest[16];

	if (question->type == HUB_ASK && question->id == ASK_STATUS) {
		int i = atomic_fetch_add(&fake->asked, 1);

		if (fake->signal_at == i + 1)
			kill(getpid(), SIGINT);
		answer = fake->status[i < fake->statuses ? i : fake->statuses - 1];
	}
	/* Room for more than the longest answer. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (answer == NULL)
		(void)!read(fd, rest, sizeof rest); /* until the other side gives up */
	else if (answer[0] != '\0')
		send(fd, answer, strlen(answer), MSG_NOSIGNAL);
}

static void *fake_serve(void *arg)
{
	struct fake *fake = arg;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		struct msg question;

		if (recv(fd, &question, sizeof question, MSG_TRUNC) == (ssize_t)sizeof question &&
		    hub_valid(&question))
			fake_answer(fake, fd, &question);
		close(fd);
	}
	return NULL;
}

__attribute__((unused)) static char *fake_data(const char *name)
{
	char path[512];
	char *text;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, TEST_DATA "/%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	text = calloc(1, 65536);
	assert_non_null(text);
	n = fread(text, 1, 65535, file);
	assert_true(n > 0);
	fclose(file);
	return text;
}

/* `text` with the first `from` replaced by `to`; the caller frees it. */
__attribute__((unused)) static char *fake_change(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *ret = malloc(strlen(text) + strlen(to) + 1);

	assert_non_null(at);
	assert_non_null(ret);
	sprintf(ret, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return ret;
}

__attribute__((unused)) static void fake_prepare(struct fake *fake)
{
	memset(fake, 0, sizeof *fake);
	snprintf(fake->dir, sizeof fake->dir, "/tmp/wnactl-XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	snprintf(fake->path, sizeof fake->path, "%s/hub", fake->dir);
	fake->listener = -1;
	ctl_init(&fake->ctl);
	fake->ctl.socket = fake->path;
	fake->ctl.run_dir = TEST_DATA;
	fake->ctl.out = open_memstream(&fake->out, &fake->out_len);
	fake->ctl.err = open_memstream(&fake->err, &fake->err_len);
	fake->ctl.out_tty = fake->ctl.err_tty = fake->ctl.colour = false;
	fake->ctl.utf8 = false;
	fake->ctl.in = -1;
	fake->ctl.width = 100;
	fake->ctl.answer_ms = 20000;
	fake->ctl.poll_ms = 1;
	fake->ctl.watch_ms = 1;
	fake->ctl.firm_ms = 100;
}

__attribute__((unused)) static void fake_start(struct fake *fake, const char *status)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fake->statuses == 0) {
		fake->status[0] = status;
		fake->statuses = 1;
	}
	snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(fake->listener >= 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fake->listener, 8), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_serve, fake), 0);
}

/* Makes fake->out and fake->err current. */
__attribute__((unused)) static void fake_words(struct fake *fake)
{
	fflush(fake->ctl.out);
	fflush(fake->ctl.err);
}

/* The text of this file, as an answer. */
__attribute__((unused)) static char *fake_keep(struct fake *fake, const char *name)
{
	return fake->kept[fake->kepts++] = fake_data(name);
}

__attribute__((unused)) static void fake_stop(struct fake *fake)
{
	if (fake->listener >= 0) {
		shutdown(fake->listener, SHUT_RDWR);
		pthread_join(fake->thread, NULL);
		close(fake->listener);
	}
	for (int i = 0; i < fake->kepts; i++)
		free(fake->kept[i]);
	unlink(fake->path);
	rmdir(fake->dir);
	fclose(fake->ctl.out);
	fclose(fake->ctl.err);
	free(fake->out);
	free(fake->err);
}

/* The last line of what was said. */
__attribute__((unused)) static const char *fake_last(const char *words)
{
	static char line[1024];
	const char *end = words + strlen(words);
	const char *at;

	if (end > words && end[-1] == '\n')
		end--;
	at = end;
	while (at > words && at[-1] != '\n')
		at--;
	snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
	return line;
}

#endif
