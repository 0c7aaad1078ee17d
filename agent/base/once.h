/*
 * An event is a fact with a number, which its owner says whenever it connects (fact.h). A listener
 * acts once on each number, whatever is restarted: it keeps the last one in a file on tmpfs.
 */
#ifndef WNA_ONCE_H
#define WNA_ONCE_H

#include <stdbool.h>
#include <stdint.h>

struct once {
	const char *dir, *name; /* the file */
	bool known;             /* `last` is valid */
	int64_t last;           /* the last number that was acted on, or is no event */
};

/* Reads the file; keeps the pointers. */
void once_init(struct once *ret, const char *dir, const char *name);

/*
 * Whether `number` is an event. The first number since the boot of the machine is none, but is
 * noted: that event, if there was one, came before this listener was switched on. 0 is none
 * either; after another number it means that the owner counts anew.
 */
bool once_is_new(struct once *once, int64_t number);

/* Call before the act: the number is on the disk when the call returns, also after a crash it is
 * not acted on a second time. 0; -errno: it is kept in memory only. */
int once_note(struct once *once, int64_t number);

#endif
