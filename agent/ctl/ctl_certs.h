/* Files of CA certificates, read by the library that the workers use. */
#ifndef CTL_CERTS_H
#define CTL_CERTS_H

/*
 * What is wrong with a local file of PEM certificates, or NULL. *ret_remark is what is
 * allowed and hardly meant, or NULL. Static texts.
 */
const char *ctl_certs_fault(const char *path, const char **ret_remark);

#endif
