/* Signals to a child's process group, and whether anyone is left in it. */
#ifndef SUPERVISOR_GROUP_H
#define SUPERVISOR_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* As kill(2) on the group; false if nobody is there. */
bool group_signal(pid_t group, int number);

/*
 * Whether the group has a member that is not a zombie: a helper whose parent is
 * dead stays a zombie until some init reaps it, and must not count as alive.
 * Reads /proc only if there is a member at all.
 */
bool group_alive(pid_t group);

#endif
