/*
 * Run by wna-check. May block on a local disk; never touches a network file system
 * (localpath.h). Owns nothing.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "clock.h"
#include "localpath.h"
#include "str.h"

/* The path without links; false, with a bad result, if it cannot be used without waiting. */
static bool locate(const struct check_env *env, const char *path, char place[PATH_MAX],
                   struct check_result *ret)
{
	char why[LIMIT_FACT_WHY];
	int rc = localpath_resolve(env->mountinfo, env->mount_path, path, place, PATH_MAX, why,
	                           sizeof why);

	if (rc < 0)
		check_bad(ret, -rc, "%s", why);
	return rc == 0;
}

void check_file(const struct check_env *env, const struct conf_check *conf, int64_t wall_ms,
                struct check_result *ret)
{
	char place[PATH_MAX], word[128], limit[32];
	int64_t start_us = clock_us();
	int64_t age_ms;
	struct stat st;

	if (!locate(env, conf->path, place, ret))
		return;
	if (fstatat(AT_FDCWD, place, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		check_bad(ret, errno, "%s: %s", conf->path, str_errno(errno, word, sizeof word));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		check_bad(ret, EINVAL, "%s: not a regular file", conf->path);
		return;
	}
	/* A file from the future is young: the clock may have been set back. */
	age_ms = wall_ms - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
	clock_span(age_ms, word, sizeof word);
	if (conf->file_max_age_ms > 0 && age_ms > conf->file_max_age_ms) {
		check_bad(ret, ESTALE, "%s: %s old, at most %s allowed", conf->path, word,
		          clock_span(conf->file_max_age_ms, limit, sizeof limit));
		return;
	}
	check_good(ret, clock_us() - start_us, "%" PRId64 " bytes, %s old", (int64_t)st.st_size,
	           word);
}

int check_percent(uint64_t free, uint64_t used)
{
	uint64_t total = free + used;

	if (total == 0)
		return 100;
	/* In 64 bits free * 100 may overflow with what a hostile file system claims. */
	return (int)((double)free / (double)total * 100);
}

char *check_bytes(uint64_t bytes, char *ret, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		unit++;
	}
	snprintf(ret, size, unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return ret;
}

void check_disk(const struct check_env *env, const struct conf_check *conf,
                struct check_result *ret)
{
	char place[PATH_MAX], word[128], has[32], wanted[32];
	int64_t start_us = clock_us();
	int percent, inodes;
	struct statvfs st;
	uint64_t bytes;

	if (!locate(env, conf->path, place, ret))
		return;
	if (statvfs(place, &st) < 0) {
		check_bad(ret, errno, "%s: %s", conf->path, str_errno(errno, word, sizeof word));
		return;
	}
	/* f_bavail is what services can use: without the reserve for root. */
	bytes = (uint64_t)st.f_bavail * st.f_frsize;
	percent = check_percent(st.f_bavail, st.f_blocks - st.f_bfree);
	inodes = check_percent(st.f_favail, st.f_files - st.f_ffree);
	check_bytes(bytes, has, sizeof has);
	if (conf->min_free_bytes > 0 && bytes < (uint64_t)conf->min_free_bytes)
		check_bad(ret, ENOSPC, "%s: %s free, wanted %s", conf->path, has,
		          check_bytes((uint64_t)conf->min_free_bytes, wanted, sizeof wanted));
	else if (percent < conf->min_free_percent)
		check_bad(ret, ENOSPC, "%s: %d %% free (%s), wanted %d %%", conf->path, percent,
		          has, conf->min_free_percent);
	else if (inodes < conf->min_free_inodes_percent)
		check_bad(ret, ENOSPC, "%s: %d %% of inodes free, wanted %d %%", conf->path, inodes,
		          conf->min_free_inodes_percent);
	else
		check_good(ret, clock_us() - start_us, "%s free, %d %%", has, percent);
}
