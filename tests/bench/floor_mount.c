/* Floor for wna-mount: libmount with its context made and the mount table read,
 * cJSON loaded; says "ready" and waits. */
#include <cjson/cJSON.h>
#include <libmount.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	struct libmnt_context *context = mnt_new_context();
	struct libmnt_table *table;

	if (!context || mnt_context_get_mtab(context, &table) < 0)
		return 1;
	cJSON_Delete(cJSON_Parse("{}"));
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
