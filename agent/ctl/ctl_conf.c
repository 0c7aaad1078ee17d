/*
 * Run by wnactl. Reads local files, may wait for the local disk and, for the user of
 * the hooks, for the name service. Owns nothing beyond a call.
 */
#include "ctl_conf.h"

#include <errno.h>
#include <string.h>

#include "conf_load.h"
#include "ctl_certs.h"

/* An answer that could not be written must not look like one. */
static int written(const struct ctl *ctl, int rc)
{
	if (!rc && fflush(ctl->out) != 0)
		rc = -errno;
	if (rc)
		fprintf(ctl->err, "wnactl: standard output: %s\n", strerror(-rc));
	return rc ? CTL_NO : CTL_OK;
}

static void tell(const struct ctl *ctl, const struct conf_problems *list)
{
	for (int i = 0; i < list->count && i < CONF_PROBLEMS_MAX; i++)
		fprintf(ctl->err, "%s\n", list->item[i].text);
	if (list->count > CONF_PROBLEMS_MAX)
		fprintf(ctl->err, "... and %d more\n", list->count - CONF_PROBLEMS_MAX);
}

void ctl_tell_problems(const struct ctl *ctl, const struct conf_draft *draft)
{
	tell(ctl, &draft->problems);
	tell(ctl, &draft->remarks);
}

static struct conf_draft *read_files(const struct ctl *ctl, const char *file)
{
	struct conf_draft *draft = conf_read(file);

	if (!draft)
		fprintf(ctl->err, "wnactl: %s: %s\n", file, strerror(ENOMEM));
	return draft;
}

int ctl_check(const struct ctl *ctl, const char *file)
{
	struct conf_draft *draft = read_files(ctl, file);
	int code;

	if (!draft)
		return CTL_NO;
	conf_check_machine(draft, "/proc/self/mountinfo", ctl_certs_fault);
	conf_check_users(draft);
	conf_check_meaning(draft);
	ctl_tell_problems(ctl, draft);
	code = (int)draft->problems.item[0].error;
	if (code == CONF_OK) {
		fprintf(ctl->out, "%s: good\n", file);
		code = written(ctl, 0);
	}
	conf_draft_free(draft);
	return code;
}

int ctl_config(const struct ctl *ctl, const char *file)
{
	struct conf_draft *draft = read_files(ctl, file);
	int code;

	if (!draft)
		return CTL_NO;
	tell(ctl, &draft->problems);
	code = (int)draft->problems.item[0].error;
	if (code == CONF_OK)
		code = written(ctl, conf_print(draft, ctl->out));
	conf_draft_free(draft);
	return code;
}

int ctl_config_keys(const struct ctl *ctl, bool roff)
{
	return written(ctl, conf_print_keys(ctl->out, roff));
}
