/*
 * A stand-in for the core's control socket: a thread that gives each question
 * its answer, in a directory of its own.
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

enum { FAKE_ANSWERS = 16 };

struct fake {
	char dir[64], path[96];
	int listener;
	pthread_t thread;
	/* Answers to "status", one a question, the last one for ever. An empty one
	 * hangs up; NULL never answers. */
	const char *status[FAKE_ANSWERS];
	int statuses;
	const char *reload;
	atomic_int asked; /* "status" so far */
	atomic_int reloaded;
	int signal_at;   /* sends this process SIGINT with that answer, 0 = never */
	struct ctl ctl;  /* leads here; writes to out and err */
	char *out, *err; /* what was written, after fake_words */
	size_t out_len, err_len;
};

static void fake_answer(struct fake *fake, int fd, const char *question)
{
	const char *answer = NULL;

	if (strcmp(question, "status\n") == 0) {
		int i = atomic_fetch_add(&fake->asked, 1);

		if (fake->signal_at == i + 1)
			kill(getpid(), SIGINT);
		answer = fake->status[i < fake->statuses ? i : fake->statuses - 1];
	} else if (strcmp(question, "reload\n") == 0) {
		atomic_fetch_add(&fake->reloaded, 1);
		answer = fake->reload;
	}
	if (answer == NULL) {
		char rest[16];

		while (read(fd, rest, sizeof rest) > 0)
			; /* until the other side gives up */
		return;
	}
	for (size_t len = strlen(answer); len > 0;) {
		ssize_t n = send(fd, answer, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		answer += n;
		len -= (size_t)n;
	}
}

static void *fake_serve(void *arg)
{
	struct fake *fake = arg;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		char question[64];
		size_t len = 0;

		while (len < sizeof question - 1 && (len == 0 || question[len - 1] != '\n')) {
			ssize_t n = read(fd, question + len, sizeof question - 1 - len);

			if (n <= 0)
				break;
			len += (size_t)n;
		}
		question[len] = '\0';
		fake_answer(fake, fd, question);
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
	snprintf(fake->path, sizeof fake->path, "%s/control.sock", fake->dir);
	fake->listener = -1;
	ctl_init(&fake->ctl);
	fake->ctl.socket = fake->path;
	fake->ctl.run_dir = TEST_DATA;
	fake->ctl.out = open_memstream(&fake->out, &fake->out_len);
	fake->ctl.err = open_memstream(&fake->err, &fake->err_len);
	fake->ctl.out_tty = fake->ctl.err_tty = fake->ctl.colour = false;
	fake->ctl.utf8 = false;
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
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

__attribute__((unused)) static void fake_stop(struct fake *fake)
{
	if (fake->listener >= 0) {
		shutdown(fake->listener, SHUT_RDWR);
		pthread_join(fake->thread, NULL);
		close(fake->listener);
	}
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
