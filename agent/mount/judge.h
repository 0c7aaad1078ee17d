/*
 * Is what is mounted on the path what the configuration asks for? Decided from
 * mountinfo, the server's addresses and efs-utils' state files: never by a
 * look at the mount itself, whose server may be silent.
 */
#ifndef WNA_MOUNT_JUDGE_H
#define WNA_MOUNT_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "fact.h"
#include "mountinfo.h"
#include "net.h"
#include "target.h"

enum { JUDGE_ADDRESSES = 16 };

/*
 * The seams to the world. `resolve` gives all addresses of a name or literal:
 * 0 with *ret_count in 1..max, or -errno with a reason; it may block.
 */
struct judge_env {
	const char *state_dir; /* EFS_STATE_DIR */
	/* A helper's unfinished state file that has been idle for so long is finished, by
	 * its new name; 0: never. `wall_ms`: as files' times. */
	int64_t idle_ms, wall_ms;
	int (*resolve)(void *arg, const char *host, struct net_addr *ret, size_t max,
	               size_t *ret_count, char *ret_why, size_t why_size);
	void *arg;
	const char *mountinfo; /* text: what hides the path, where a bind mount's source lies */
	size_t mountinfo_len;
	const char *backing; /* file behind a loop device; NULL: none known */
};

struct finding {
	enum mount_state state;     /* MOUNT_RIGHT, MOUNT_WRONG or MOUNT_UNVERIFIED */
	char text[LIMIT_FACT_TEXT]; /* "nfs4 fs-....amazonaws.com:/ (10.16.3.7)" */
	char why[LIMIT_FACT_WHY];   /* if right: what it covers on the same path */
};

/* `there` is the topmost mount on `path`. Always fills *ret. */
void judge(const struct target *target, const char *path, const struct mountinfo *there,
           const struct judge_env *env, struct finding *ret);

/* "nfs4 127.0.0.1:/ (port 20049)": a mount in a few words. Returns `ret`. */
char *judge_describe(const struct mountinfo *there, char *ret, size_t size);

#endif
