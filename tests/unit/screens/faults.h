/* A core with a fault, for the screens of packaging/doc/screens.md. */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include <stddef.h>

/* What is broken, for people; NULL past the last fault. */
const char *fault_title(int fault);

/* What wna-core answers to ASK_STATUS 40 s after it. */
void fault_status(int fault, char *ret, size_t size);

#endif
