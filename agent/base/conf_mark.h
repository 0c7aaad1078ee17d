/* The mark of the contract, between conf_fd.c and the build; nobody else includes this. */
#ifndef BASE_CONF_MARK_H
#define BASE_CONF_MARK_H

enum { CONF_MARK_SIZE = 64 }; /* a struct behind it stays aligned */

/* "web-node-agent contract " and 32 hexadecimal digits. */
extern const char conf_mark[CONF_MARK_SIZE];

#endif
