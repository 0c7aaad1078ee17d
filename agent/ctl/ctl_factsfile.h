/*
 * wnactl facts: what the node knows about itself, from the files that
 * wna-cloud writes. Asks nobody: it works while the agent is being restarted.
 */
#ifndef CTL_FACTSFILE_H
#define CTL_FACTSFILE_H

#include "ctl.h"

/* facts.json as it is. */
enum ctl_exit facts_json(const struct ctl *ctl);

/* facts.env, which a script of root's may evaluate though the file is wna-cloud's: all
 * of it if each line is NAME=VALUE of WNA_[A-Za-z0-9_]* and [A-Za-z0-9._:/-]+, or else
 * nothing and CTL_BAD. */
enum ctl_exit facts_env(const struct ctl *ctl);

/* All facts as a table, tags last. */
enum ctl_exit facts_table(const struct ctl *ctl);

/* The value of one fact, or of a tag ("tags.Name"), on a line of its own. CTL_NO
 * if it is absent or not known yet, CTL_USAGE if there is no fact of this name. */
enum ctl_exit facts_value(const struct ctl *ctl, const char *key);

#endif
