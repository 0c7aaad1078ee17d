/* Run by wnactl. Blocks on nothing. Owns nothing. */
#include <stdlib.h>
#include <string.h>

#include "ctl_view.h"

enum { EVENTS = 8 };

int screen_lines(const char *text)
{
	int lines = 0;

	while ((text = strchr(text, '\n')) != NULL) {
		lines++;
		text++;
	}
	return lines;
}

/* Into a text of its own: drawn in one write, it does not flicker. */
static char *render(const struct page *like, const struct view *view, const struct screen_how *how)
{
	struct page page = *like;
	char *text = NULL;
	size_t len;

	page.to = open_memstream(&text, &len);
	if (page.to == NULL)
		return NULL;
	screen_show(&page, view, how);
	if (fclose(page.to) == 0)
		return text;
	free(text);
	return NULL;
}

/* The old changes give way first, then the ends of long texts. */
char *screen_fit(const struct page *page, const struct view *view, bool verbose, int rows)
{
	struct screen_how how = { .verbose = verbose, .events = EVENTS };
	char *text = render(page, view, &how);

	while (text && !verbose && rows > 0 && screen_lines(text) > rows) {
		if (how.events > 0) {
			how.events--;
		} else if (!how.brief) {
			how.brief = true;
			how.events = EVENTS;
		} else {
			break;
		}
		free(text);
		text = render(page, view, &how);
	}
	return text;
}
