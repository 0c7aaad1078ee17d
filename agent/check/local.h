/*
 * The checks that a local disk may stall and nothing else: file, disk and
 * process. Each looks once, straight through, and fills a result. Their
 * time-out can only be judged afterwards; what never comes back is wnad's
 * business (15 s of silence).
 */
#ifndef WNA_CHECK_LOCAL_H
#define WNA_CHECK_LOCAL_H

#include "check.h"

/* conf.path is a regular file not older than file_max_age_ms at wall_ms (Unix ms). */
void local_file(const struct check_env *env, const struct conf_check *conf, int64_t wall_ms,
                struct check_result *ret);

/* The file system of conf.path has the bytes, percent and inodes that it shall. */
void local_disk(const struct check_env *env, const struct conf_check *conf,
                struct check_result *ret);

/* Percent of `free` in `free + used`, rounded down, as df(1) reckons; 100 if
 * the file system does not count (total 0). Pure. */
int local_percent(uint64_t free, uint64_t used);

/* "41.2 GiB", "512 B". Pure. Returns `ret`. */
char *local_bytes(uint64_t bytes, char *ret, size_t size);

enum { LOCAL_MEMO = 32 };

/* Processes that matched last time: looked at first, so that a healthy node is
 * not read through from end to end at every interval. */
struct local_memo {
	int count;
	int pid[LOCAL_MEMO];
};

/*
 * At least conf.min_count live processes are named conf.process: by the
 * kernel's name (comm, of which it keeps 15 bytes) or the base name of
 * argv[0]. Zombies do not count. Stops as soon as there are enough.
 */
void local_process(const struct check_env *env, const struct conf_check *conf,
                   struct local_memo *memo, struct check_result *ret);

#endif
