/*
 * A scripted worker. What it does at its start is one word in the file
 * RIG_MODES/ROLE; running ones take commands by rig_tell().
 *
 *	ok         residents turn; one-shots send a fact and exit
 *	early      a core that orders a mount before its first beat
 *	mute       the same, and never beats
 *	silent     takes up the contract and never says anything
 *	exit N     exits at once
 *	deaf       ignores SIGTERM and sleeps
 *	dstate     ignores SIGTERM in uninterruptible sleep
 *	stuck      has a helper in its group that is the init of a pid namespace: it cannot
 *	           end, whatever signal it gets, before its own child is buried
 *	tidy       has a helper in its group that at SIGTERM says so, and ends when it is told
 *	           "done"
 *	straggler  leaves a deaf child in its group and a daemon in a session of its own
 *
 * Commands: "order VERB ARG KEY VALUE" (core), "fact ID VALUE TEXT", "silent",
 * "exit N", "garbage", "close".
 */
#ifndef TESTS_SUPERVISOR_FAKE_H
#define TESTS_SUPERVISOR_FAKE_H

/* Never returns. */
void fake_main(const char *role, int argc, char **argv) __attribute__((noreturn));

#endif
