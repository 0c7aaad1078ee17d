/* Run by wna-cloud for every push; never blocks; owns nothing. */
#include "sigv4_text.h"

#include <string.h>

enum { PATH_MAX_BYTES = 1024 };

void sink_put(struct sink *sink, const char *text)
{
	if (sink->hash != NULL && EVP_DigestUpdate(sink->hash, text, strlen(text)) != 1)
		sink->failed = true;
	if (sink->copy != NULL)
		sb_put(sink->copy, text);
}

void sink_char(struct sink *sink, char c)
{
	char text[2] = { c, '\0' };

	sink_put(sink, text);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* One byte encoded, into four. */
static void encode(char c, bool keep_slash, char ret[4])
{
	static const char digits[] = "0123456789ABCDEF";

	if (is_unreserved(c) || (keep_slash && c == '/')) {
		ret[0] = c;
		ret[1] = '\0';
		return;
	}
	ret[0] = '%';
	ret[1] = digits[(unsigned char)c >> 4];
	ret[2] = digits[(unsigned char)c & 15];
	ret[3] = '\0';
}

void sink_encoded(struct sink *sink, const char *text, bool keep_slash)
{
	char code[4];

	for (; *text != '\0'; text++) {
		encode(*text, keep_slash, code);
		sink_put(sink, code);
	}
	OPENSSL_cleanse(code, sizeof(code));
}

bool sigv4_put_path(struct sink *sink, const char *path)
{
	char plain[PATH_MAX_BYTES];
	size_t len = 0;

	if (path[0] != '/' || strlen(path) >= sizeof(plain))
		return false;
	while (*path != '\0') {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && plain[--len] != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			plain[len++] = '/';
			memcpy(plain + len, path, n);
			len += n;
		}
		path += n;
		/* A slash at the end stays, also one that only a dot segment followed. */
		if (path[0] == '/' && path[strspn(path, "/")] == '\0') {
			plain[len++] = '/';
			break;
		}
	}
	if (len == 0)
		plain[len++] = '/';
	plain[len] = '\0';
	sink_encoded(sink, plain, true);
	return true;
}

/* The order of the encoded texts, which is not that of the plain ones. */
static int compare_encoded(const char *a, const char *b)
{
	for (; *a != '\0' && *a == *b; a++)
		b++;
	if (*a == '\0' || *b == '\0')
		return (*a != '\0') - (*b != '\0');

	char code_a[4], code_b[4];

	encode(*a, false, code_a);
	encode(*b, false, code_b);
	return strcmp(code_a, code_b);
}

static int compare_pairs(const struct sigv4_pair *a, const struct sigv4_pair *b)
{
	int r = compare_encoded(a->name, b->name);

	return r != 0 ? r : compare_encoded(a->value, b->value);
}

static int compare_names(const struct sigv4_pair *a, const struct sigv4_pair *b)
{
	const char *p = a->name, *q = b->name;

	while (*p != '\0' && lower(*p) == lower(*q)) {
		p++;
		q++;
	}
	return (unsigned char)lower(*p) - (unsigned char)lower(*q);
}

/* Insertion sort: a handful of pairs, and repeated headers must keep their order. */
static void sort(const struct sigv4_pair *pairs, size_t count, const struct sigv4_pair **ret,
                 int (*compare)(const struct sigv4_pair *, const struct sigv4_pair *))
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		for (; at > 0 && compare(ret[at - 1], &pairs[i]) > 0; at--)
			ret[at] = ret[at - 1];
		ret[at] = &pairs[i];
	}
}

void sigv4_put_query(struct sink *sink, const struct sigv4_pair *pairs, size_t count)
{
	const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX];

	sort(pairs, count, sorted, compare_pairs);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sink_char(sink, '&');
		sink_encoded(sink, sorted[i]->name, false);
		sink_char(sink, '=');
		sink_encoded(sink, sorted[i]->value, false);
	}
}

static void put_lower(struct sink *sink, const char *name)
{
	for (; *name != '\0'; name++)
		sink_char(sink, lower(*name));
}

static void put_value(struct sink *sink, const char *value)
{
	bool blank = false, any = false;

	for (; *value != '\0'; value++) {
		if (is_space(*value)) {
			blank = any;
			continue;
		}
		if (blank)
			sink_char(sink, ' ');
		sink_char(sink, *value);
		blank = false;
		any = true;
	}
}

void sigv4_put_headers(struct sink *sink, const struct sigv4_pair *pairs, size_t count)
{
	const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX];

	sort(pairs, count, sorted, compare_names);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && compare_names(sorted[i - 1], sorted[i]) == 0) {
			sink_char(sink, ',');
		} else {
			if (i > 0)
				sink_char(sink, '\n');
			put_lower(sink, sorted[i]->name);
			sink_char(sink, ':');
		}
		put_value(sink, sorted[i]->value);
	}
	sink_char(sink, '\n');
}

void sigv4_put_names(struct sink *sink, const struct sigv4_pair *pairs, size_t count)
{
	const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX];
	bool any = false;

	sort(pairs, count, sorted, compare_names);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && compare_names(sorted[i - 1], sorted[i]) == 0)
			continue;
		if (any)
			sink_char(sink, ';');
		put_lower(sink, sorted[i]->name);
		any = true;
	}
}
