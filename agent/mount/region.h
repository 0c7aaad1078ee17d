/*
 * Region and DNS suffix as wna-cloud found them, read from its facts.env. That
 * file is written by an unprivileged user and read here by root, so nothing in
 * it is believed that has not the exact shape of a region or is not one of
 * AWS's suffixes.
 */
#ifndef WNA_MOUNT_REGION_H
#define WNA_MOUNT_REGION_H

#include <stdbool.h>

#include "target.h"

/* wna-cloud's own folder; /run/web-node-agent/facts.env is root's link to it. */
#define REGION_FILE CONF_RUN_DIR "/cloud/facts.env"

/* Two lower-case letters, words of them, a number: "ap-northeast-2", "us-gov-west-1". */
bool region_valid(const char *text);

/* WNA_REGION and WNA_DOMAIN of a facts.env; values that fail are left out. */
void region_parse(const char *text, struct target_place *ret);

/*
 * The configured values, completed from `file` (REGION_FILE). What is not known
 * stays empty; never fails. Reads one regular file of at most 64 KiB.
 */
void region_find(const struct conf_mount *conf, const char *file, struct target_place *ret);

#endif
