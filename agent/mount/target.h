/*
 * What the configuration asks for, in the words that libmount and mountinfo
 * use. Pure: touches nothing but its arguments.
 */
#ifndef WNA_MOUNT_TARGET_H
#define WNA_MOUNT_TARGET_H

#include <stdbool.h>

#include "conf.h"

/* Where the file system is reached; either text may be empty: not known yet. */
struct target_place {
	char region[LIMIT_NAME];
	char domain[LIMIT_HOST];
};

struct target {
	char type[LIMIT_NAME];        /* for libmount: "efs", "nfs4", "tmpfs" ... */
	char source[LIMIT_VALUE];     /* for libmount */
	char options[1024];           /* for libmount */
	char blocked[LIMIT_FACT_WHY]; /* why it cannot be mounted now; empty: it can */

	/* How a mount that is already there may look to be right. */
	bool by_tunnel;               /* NFS through efs-utils' proxy on 127.0.0.1 */
	bool by_nfs;                  /* NFS straight to the server */
	bool by_bind;                 /* a bind mount of `source` */
	bool tls;                     /* the tunnel must be one with TLS */
	char expect_type[LIMIT_NAME]; /* type in mountinfo; empty (bind only): any */
	char host[LIMIT_HOST];        /* by_nfs: the server; empty: region not known yet */
	char export_path[LIMIT_PATH];
	char file_system[LIMIT_NAME]; /* by_tunnel: "fs-..." */
	char access_point[LIMIT_NAME];
};

/*
 * Options of plain NFS as AWS recommends them (EFS User Guide, "Mount settings
 * for NFS"): never soft, 60 s per try, a new source port on reconnect.
 */
#define TARGET_NFS_OPTIONS                                                                         \
	"nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev"

/*
 * Total: always fills *ret. `have_helper`: efs-utils' mount.efs is installed.
 * With type "auto" plain NFS stands in for a missing helper only if neither
 * TLS, IAM nor an access point is configured, for it can do none of them.
 */
void target_make(const struct conf_mount *conf, const struct target_place *place, bool have_helper,
                 struct target *ret);

/* "server:/path", "[v6]:/path" into its two parts. False if it has not two, or they do not fit. */
bool target_split(const char *source, char *ret_host, size_t host_size, char *ret_path,
                  size_t path_size);

/* An option of exactly this name, with or without a value, in a comma-separated list. */
bool target_has_option(const char *options, const char *name);

#endif
