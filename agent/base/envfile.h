/*
 * Small files of KEY=value lines, as the agent writes them for itself and for scripts.
 */
#ifndef WNA_ENVFILE_H
#define WNA_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The whole of a regular file of at most size - 1 bytes as text. 0; -EINVAL not a regular
 * file, or with NUL bytes; others as file_load. On failure `ret` is empty text.
 */
int envfile_read(const char *path, char *ret, size_t size);

/*
 * The value of `key` in the first line "key=...": empty, or only [A-Za-z0-9._:/-]. False if no
 * line has the key, if the value has another character, or if the value does not fit; `ret` is
 * then unchanged.
 */
bool envfile_get(const char *text, const char *key, char *ret, size_t size);

#endif
