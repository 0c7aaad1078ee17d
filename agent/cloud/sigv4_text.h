/*
 * The canonical texts of Signature Version 4: percent-encoding, path, query and
 * headers, written into a sink that hashes, keeps or does both. Part of sigv4;
 * nobody else includes it.
 */
#ifndef CLOUD_SIGV4_TEXT_H
#define CLOUD_SIGV4_TEXT_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "sigv4.h"

/* Takes text: `hash` and `copy` may each be NULL. */
struct sink {
	EVP_MD_CTX *hash;
	struct sb *copy;
	bool failed;
};

void sink_put(struct sink *sink, const char *text);
void sink_char(struct sink *sink, char c);

/* Percent-encodes all but the unreserved characters of RFC 3986 (and '/' in paths). */
void sink_encoded(struct sink *sink, const char *text, bool keep_slash);

/* Without dot segments and empty ones, each byte encoded. False if it is too long
 * or does not begin with a slash. */
bool sigv4_put_path(struct sink *sink, const char *path);

/* Sorted by encoded name, then by encoded value; no leading '?'. */
void sigv4_put_query(struct sink *sink, const struct sigv4_pair *pairs, size_t count);

/* "name:value\n" for each name, lower-case, sorted, values trimmed, runs of white
 * space made one blank, repeated names joined by commas. */
void sigv4_put_headers(struct sink *sink, const struct sigv4_pair *pairs, size_t count);

/* "host;x-amz-date": the names in the same order. */
void sigv4_put_names(struct sink *sink, const struct sigv4_pair *pairs, size_t count);

#endif
