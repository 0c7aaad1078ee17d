/*
 * Run by wna-check. Reads /proc, which never waits for a disk. Owns nothing after a call.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "pidstat.h"
#include "str.h"

enum {
	COMM_MAX = 15,     /* TASK_COMM_LEN - 1: what the kernel keeps of a name */
	SCAN_MAX = 100000, /* entries of /proc looked at in one run */
	PID_MAX = 1 << 22, /* PID_MAX_LIMIT of 64-bit kernels */
};

/* Reads the start of /proc/PID/`file`. False if the file is empty or the process is gone. */
static bool process_read(int proc, int pid, const char *file, char *ret, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "%d/%s", pid, file);
	file_load(proc, path, FILE_OF_ANYBODY, ret, size);
	return ret[0] != '\0';
}

static bool process_named(int proc, int pid, const char *name)
{
	char text[512];
	const char *base;

	if (!process_read(proc, pid, "comm", text, sizeof text))
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (strlen(name) <= COMM_MAX && strcmp(text, name) == 0)
		return true;
	/* Empty for kernel threads and zombies. */
	if (!process_read(proc, pid, "cmdline", text, sizeof text))
		return false;
	base = strrchr(text, '/');
	return strcmp(base ? base + 1 : text, name) == 0;
}

static bool process_alive(int proc, int pid)
{
	struct pidstat stat;

	return pidstat_read(proc, pid, &stat) && stat.state != 'Z' && stat.state != 'X';
}

static bool process_counts(int proc, int pid, const char *name)
{
	return process_named(proc, pid, name) && process_alive(proc, pid);
}

static void memo_add(struct check_memo *memo, int pid)
{
	if (memo->count < CHECK_MEMO)
		memo->pid[memo->count++] = pid;
}

/* How many of the remembered processes still match. Another process that has got the number of
 * one of them, and has the right name, is as good. */
static int process_recall(int proc, const struct conf_check *conf, struct check_memo *memo)
{
	struct check_memo kept = { .count = 0 };

	for (int i = 0; i < memo->count; i++)
		if (process_counts(proc, memo->pid[i], conf->process))
			memo_add(&kept, memo->pid[i]);
	*memo = kept;
	return kept.count;
}

/* Reads /proc until `min_count` are found. The count, or -errno. */
static int process_scan(int proc, const struct conf_check *conf, struct check_memo *memo)
{
	struct dirent *entry;
	int count = 0, fd;
	int64_t pid;
	DIR *dir;

	fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int error = errno;

		close(fd);
		return -error;
	}
	memo->count = 0;
	for (int i = 0; i < SCAN_MAX && count < conf->min_count; i++) {
		entry = readdir(dir);
		if (!entry)
			break;
		if (!str_int64(entry->d_name, 1, PID_MAX, &pid))
			continue;
		if (process_counts(proc, (int)pid, conf->process)) {
			memo_add(memo, (int)pid);
			count++;
		}
	}
	closedir(dir);
	return count;
}

void check_process(const struct check_env *env, const struct conf_check *conf,
                   struct check_memo *memo, struct check_result *ret)
{
	int64_t start_us = clock_us();
	char word[128];
	int count;

	count = process_recall(env->proc, conf, memo);
	if (count < conf->min_count)
		count = process_scan(env->proc, conf, memo);
	if (count < 0)
		check_bad(ret, -count, "/proc: %s", str_errno(-count, word, sizeof word));
	else if (count >= conf->min_count)
		check_good(ret, clock_us() - start_us, "%s: running", conf->process);
	else if (count == 0)
		check_bad(ret, ESRCH, "no process named %s", conf->process);
	else
		check_bad(ret, ESRCH, "%d of %d processes named %s", count, conf->min_count,
		          conf->process);
}
