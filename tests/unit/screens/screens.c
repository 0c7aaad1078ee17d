/*
 * Prints packaging/doc/screens.md: what wnactl shows of a core with each fault, on 80 columns by
 * 24 rows. With --json the answers, a line each. A test compares the page with the file; after a
 * change of the screen: build/dev/tests/screens > packaging/doc/screens.md
 */
#include <assert.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_view.h"
#include "faults.h"

enum { COLUMNS = 80, ROWS = 24, BYTES = 128 * 1024 };

static void show(const char *json)
{
	static struct view view; /* large */
	struct page page;
	char why[256], *text;

	assert(view_parse(json, strlen(json), &view, why, sizeof why) == 0);
	page_init(&page, NULL, COLUMNS, false, true);
	text = screen_fit(&page, &view, false, ROWS - 1);
	assert(text && screen_lines(text) < ROWS);
	printf("\n```\n$ sudo wnactl status\n%s```\n", text);
	free(text);
}

int main(int argc, char **argv)
{
	static char json[BYTES];
	bool raw = argc > 1 && strcmp(argv[1], "--json") == 0;

	assert(setlocale(LC_CTYPE, "C.UTF-8"));
	if (!raw)
		fputs("# Screens\n\n"
		      "What `wnactl status` shows on a terminal of 80 columns by 24 rows, 40 "
		      "seconds "
		      "after a fault. The exit\ncode is 0 if the node is well, 1 if it is degraded "
		      "and "
		      "in service, 2 if it is out of service. A test\nmakes this page by the "
		      "agent's own "
		      "code and compares it.\n",
		      stdout);
	for (int fault = 0; fault_title(fault); fault++) {
		fault_status(fault, json, sizeof json);
		if (raw) {
			fputs(json, stdout);
			continue;
		}
		printf("\n## %s\n", fault_title(fault));
		show(json);
	}
	return 0;
}
