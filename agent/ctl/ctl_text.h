/*
 * Text from outside on its way to a terminal: what could steer the terminal
 * or mislead the eye is taken out, and columns are counted.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Takes one character (UTF-8) off `text`, which ends with NUL. Returns its
 * length in bytes, 0 at the end. *ret_cells is its width (0, 1 or 2), or -1
 * if it must not be shown: not UTF-8, control characters (C0, DEL, C1), those
 * that change the direction of writing or are invisible; outside ASCII also
 * if `utf8` is false. The process's LC_CTYPE must be UTF-8 if `utf8` is true.
 */
size_t text_next(const char *text, bool utf8, int *ret_cells);

/* Columns that `text` takes when shown by text_write. */
int text_cells(const char *text, bool utf8);

/* Writes `len` bytes (no NUL among them) with '?' for what must not be shown;
 * newlines and tabs pass. */
void text_write(FILE *to, const char *text, size_t len, bool utf8);

#endif
