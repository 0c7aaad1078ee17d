/* Run by wna-mount, on SIGTERM. Blocks on nothing. Owns the prepared message. */
#include "words.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "str.h"

static struct msg words;
static int words_fd = -1;

static void speak(int signal_number)
{
	(void)signal_number;
	if (words.type == MSG_FACT)
		(void)!send(words_fd, &words, sizeof words, MSG_DONTWAIT | MSG_NOSIGNAL);
	_exit(0);
}

void words_arm(const struct worker *worker)
{
	struct sigaction action = { .sa_handler = speak };

	words_fd = worker->fd;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
}

void words_set(enum mount_state state, const char *why)
{
	sigset_t term, old;

	/* The handler must never see half a message. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	memset(&words, 0, sizeof words);
	words.type = MSG_FACT;
	words.id = FACT_MOUNT;
	words.value = state;
	str_clean(words.why, sizeof words.why, why, strlen(why));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void words_disarm(void)
{
	signal(SIGTERM, SIG_DFL);
}

void words_forget(void)
{
	sigset_t term, old;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	words.type = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
}
