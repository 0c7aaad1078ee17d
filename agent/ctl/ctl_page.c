/*
 * Run by wnactl. Blocks on what it writes to. Owns nothing.
 */
#include <stdarg.h>
#include <string.h>

#include "ctl_view.h"
#include "str.h"

enum {
	WRAP_LEAST = 12, /* columns below which a hanging indent is given up */
	PAGE_TEXT = 2 * VIEW_TEXT,
};

void page_init(struct page *ret, FILE *to, int width, bool colour, bool utf8)
{
	ret->to = to;
	ret->width = width;
	ret->colour = colour;
	ret->utf8 = utf8;
	ret->column = 0;
}

enum page_style page_level_style(enum verdict_level level)
{
	static const enum page_style styles[LEVEL_MAX] = {
		[LEVEL_OFF] = PAGE_DIM,  [LEVEL_WAITING] = PAGE_WARN,
		[LEVEL_OK] = PAGE_GOOD,  [LEVEL_DEGRADED] = PAGE_WARN,
		[LEVEL_FAIL] = PAGE_BAD, [LEVEL_DRAINING] = PAGE_WARN,
	};

	return level < LEVEL_MAX ? styles[level] : PAGE_PLAIN;
}

static void page_style(struct page *page, enum page_style style, bool on)
{
	static const char *const codes[PAGE_STYLE_MAX] = {
		[PAGE_BOLD] = "\033[1m",  [PAGE_DIM] = "\033[2m",    [PAGE_GOOD] = "\033[32m",
		[PAGE_WARN] = "\033[33m", [PAGE_BAD] = "\033[1;31m",
	};

	if (page->colour && codes[style] != NULL)
		fputs(on ? codes[style] : "\033[0m", page->to);
}

/* The first `len` bytes of `text`, which are known to fit. */
static void page_raw(struct page *page, const char *text, size_t len)
{
	text_write(page->to, text, len, page->utf8);
}

/* Bytes of `text` that take at most `cells` columns; those columns in *ret_cells. */
static size_t page_fit(const struct page *page, const char *text, int cells, int *ret_cells)
{
	size_t done = 0, len;
	int used = 0, n;

	while ((len = text_next(text + done, page->utf8, &n)) > 0) {
		if (n < 0)
			n = 1;
		if (used + n > cells)
			break;
		used += n;
		done += len;
	}
	*ret_cells = used;
	return done;
}

/* The agent's texts are ASCII; a terminal with UTF-8 shows an arrow. Returns `text` or `ret`. */
static const char *page_arrows(const struct page *page, const char *text, char *ret, size_t size)
{
	struct sb sb;

	if (!page->utf8 || strstr(text, " -> ") == NULL)
		return text;
	sb_init(&sb, ret, size);
	for (const char *at; (at = strstr(text, " -> ")) != NULL; text = at + 3)
		sb_printf(&sb, "%.*s →", (int)(at - text), text);
	sb_put(&sb, text);
	return ret;
}

void page_put(struct page *page, enum page_style style, const char *text)
{
	char copy[PAGE_TEXT];
	int room = page->width - page->column, cells;
	const char *mark = "";
	size_t len;

	text = page_arrows(page, text, copy, sizeof copy);
	cells = text_cells(text, page->utf8);
	len = strlen(text);
	if (room <= 0 || cells == 0)
		return;
	if (cells > room) {
		mark = page->utf8 ? "…" : "~";
		len = page_fit(page, text, room - 1, &cells);
		cells++;
	}
	page_style(page, style, true);
	page_raw(page, text, len);
	fputs(mark, page->to);
	page_style(page, style, false);
	page->column += cells;
}

void page_printf(struct page *page, enum page_style style, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	page_put(page, style, text);
}

void page_to(struct page *page, int column)
{
	int blanks = column - page->column;

	if (blanks <= 0)
		blanks = page->column > 0 ? 1 : 0;
	while (blanks-- > 0 && page->column < page->width) {
		fputc(' ', page->to);
		page->column++;
	}
}

void page_end(struct page *page)
{
	fputc('\n', page->to);
	page->column = 0;
}

/*
 * How much of `text` goes on a line of `room` columns: up to the last blank
 * that fits, or, if one word is longer than a whole line, as much as fits.
 * 0: the word should begin on the next line.
 */
static size_t page_break(const struct page *page, const char *text, int room, bool fresh)
{
	int cells;
	size_t fits = page_fit(page, text, room, &cells);
	size_t at = fits;

	if (text[fits] == '\0' || text[fits] == ' ')
		return fits;
	while (at > 0 && text[at] != ' ')
		at--;
	if (at > 0)
		return at;
	return fresh ? fits : 0;
}

void page_wrap(struct page *page, int indent, enum page_style style, const char *text)
{
	char copy[PAGE_TEXT];

	text = page_arrows(page, text, copy, sizeof copy);
	/* Two columns are the least: some characters are two columns wide. */
	if (page->width - indent < WRAP_LEAST)
		indent = page->width > 2 * WRAP_LEAST ? 2 : 0;
	if (page->width - page->column < 2)
		page_end(page);
	text += strspn(text, " ");
	while (text[0] != '\0') {
		bool fresh = page->column <= indent;
		size_t len = page_break(page, text, page->width - page->column, fresh);

		if (len == 0 && fresh)
			break;
		page_style(page, style, true);
		page_raw(page, text, len);
		page_style(page, style, false);
		text += len;
		text += strspn(text, " ");
		if (text[0] != '\0') {
			page_end(page);
			page_to(page, indent);
		}
	}
	page_end(page);
}
