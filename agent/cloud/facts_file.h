/*
 * facts.json and facts.env: what other programs on the node may read, and what
 * the next wna-cloud starts from while the metadata service does not answer.
 *
 *	facts.json  {"instance-id": "i-0abc...", "public-ipv4": null, ...,
 *	            "tags": {"Name": "web"}}; null is absent, a missing key is not
 *	            known yet; "tags" is null where they are not in the metadata
 *	facts.env   WNA_INSTANCE_ID=i-0abc..., present facts of a fixed list whose
 *	            value is of [A-Za-z0-9._:/-] alone, so that any shell or systemd
 *	            reads it as it is; never a tag
 */
#ifndef CLOUD_FACTS_FILE_H
#define CLOUD_FACTS_FILE_H

#include "facts.h"
#include "str.h"

/* Longest facts.json; what is longer was not written by us. */
enum { FACTS_FILE_MAX = 128 * 1024 };

/* Pure. sb->cut tells that it did not fit, which FACTS_FILE_MAX makes impossible. */
void facts_json(const struct facts *facts, struct sb *sb);
void facts_env(const struct facts *facts, struct sb *sb);

/*
 * Reads back what facts_json wrote. Every value is checked again as if the
 * service had said it; what does not pass is unknown. -EBADMSG if it is no such
 * document; *ret is then untouched. Allocates and frees.
 */
int facts_parse(const char *json, size_t len, struct facts *ret);

/* Both files in `dir`, each replaced atomically and only if it differs from what
 * was written last by this process. 0 or -errno of the first failure. */
struct facts_files {
	uint64_t json, env; /* fingerprints of what stands there; 0 = not known */
};
int facts_store(struct facts_files *files, const char *dir, const struct facts *facts);

/* facts.json of `dir`. 0, -ENOENT, -EBADMSG or another -errno. */
int facts_load(const char *dir, struct facts *ret);

#endif
