/*
 * Run by wnactl. Reads local files, may wait for the local disk and, for the user of
 * the hooks, for the name service. Owns nothing beyond a call.
 */
#include "ctl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* A failed write must not look like an answer. */
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

const char *ctl_certs_fault(const char *path, const char **ret_remark)
{
	FILE *file = fopen(path, "re");
	char no_password[] = ""; /* or libcrypto would ask for one on the terminal */
	int count = 0, valid = 0;
	unsigned long error;
	X509 *cert;

	*ret_remark = NULL;
	if (!file)
		return NULL; /* this user may not read it; the worker's user may */
	ERR_clear_error();
	while ((cert = PEM_read_X509(file, NULL, NULL, no_password)) != NULL) {
		count++;
		valid += X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
		X509_free(cert);
	}
	error = ERR_peek_last_error();
	ERR_clear_error();
	fclose(file);
	/* This is how the end of the file is reported. */
	if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
		return "a certificate in it cannot be parsed";
	if (count == 0)
		return "there is no PEM certificate in it";
	if (valid == 0)
		*ret_remark = "every certificate in it has expired";
	return NULL;
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
