/* Run by wnactl check. Reads a local file. Owns nothing beyond a call. */
#include "ctl_certs.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

const char *ctl_certs_fault(const char *path, const char **ret_remark)
{
	FILE *file = fopen(path, "re");
	char no_password[] = ""; /* or libcrypto would ask for one on the terminal */
	int count = 0, valid = 0;
	unsigned long error;
	X509 *cert;

	*ret_remark = NULL;
	if (!file)
		return NULL; /* closed to this user, and not to the worker's */
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
