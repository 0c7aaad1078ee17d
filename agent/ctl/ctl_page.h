/*
 * A page of text for a terminal: columns, wrapped paragraphs, colours; no line
 * is ever wider than the page, and nothing in it but what this file puts there
 * is a control character.
 */
#ifndef CTL_PAGE_H
#define CTL_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "verdict.h"

enum page_style { PAGE_PLAIN, PAGE_BOLD, PAGE_DIM, PAGE_GOOD, PAGE_WARN, PAGE_BAD, PAGE_STYLE_MAX };

struct page {
	FILE *to;
	int width;
	bool colour, utf8;
	int column; /* where the next character goes; `width` is past the end */
};

void page_init(struct page *ret, FILE *to, int width, bool colour, bool utf8);

enum page_style page_level_style(enum verdict_level level);

/* Text on the current line; what does not fit is cut and marked. */
void page_put(struct page *page, enum page_style style, const char *text);
__attribute__((format(printf, 3, 4))) void page_printf(struct page *page, enum page_style style,
                                                       const char *format, ...);

/* Blanks up to `column`; one blank if it has been passed, none at the line's start. */
void page_to(struct page *page, int column);

/* A paragraph from the current column on, broken between words, its further
 * lines from `indent` on; ends its last line. */
void page_wrap(struct page *page, int indent, enum page_style style, const char *text);

/* Ends the line. */
void page_end(struct page *page);

#endif
