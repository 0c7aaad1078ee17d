/*
 * Text from outside, made safe; numbers, read strictly; a builder of bounded texts, with JSON
 * and HTML escapes. Nothing here allocates.
 */
#ifndef WNA_STR_H
#define WNA_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies at most size - 1 bytes and ends with NUL. True if all of `from` fitted. */
bool str_copy(char *ret, size_t size, const char *from);

/*
 * Like str_copy, for text from outside: a control character or invalid UTF-8 becomes '?',
 * white space becomes one blank, and no character is cut in two.
 */
bool str_clean(char *ret, size_t size, const char *from, size_t len);

/*
 * Like str_clean, but a text that does not fit keeps its beginning and its end, with "..."
 * between them: the helpful word is often the last one. Needs a size of 16.
 */
void str_excerpt(char *ret, size_t size, const char *from, size_t len);

/*
 * The length in bytes (1 to 4) and the code point of the UTF-8 character at `s`, which has
 * `left` bytes at most. 0, and nothing written, if it is invalid, as overlong forms, surrogates
 * and code points above U+10FFFF are (RFC 3629).
 */
size_t str_utf8(const char *s, size_t left, uint32_t *ret_code);

/* FNV-1a, 64 bits. The first `hash` is STR_HASH. */
#define STR_HASH UINT64_C(14695981039346656037)
uint64_t str_hash(uint64_t hash, const void *data, size_t len);

/* Whether all of it is valid UTF-8 without control characters. */
bool str_is_clean(const char *text, size_t len);

/* Decimal integer, the whole text, in min..max. Otherwise false, `ret` untouched. */
bool str_int64(const char *text, int64_t min, int64_t max, int64_t *ret);

/* "5s" "500ms" "2m" "1h" "1d", or a bare number of seconds, into milliseconds.
 * Decimals are not accepted. False if it is not a duration or overflows. */
bool str_duration_ms(const char *text, int64_t *ret_ms);

/* "512" "64K" "10M" "1G" (powers of 1024; an optional trailing "B" or "iB"). */
bool str_bytes(const char *text, int64_t *ret_bytes);

/* Letters, digits and the characters of `extra` only, and at least one. */
bool str_only(const char *text, const char *extra);

/* "connection refused", "permission denied" ...: a positive errno in lower case. Returns `ret`. */
char *str_errno(int error, char *ret, size_t size);

/* A host name in lower case, without a final dot. Cut if it does not fit. */
void str_lower(char *ret, size_t size, const char *name);

/* Removes white space at both ends, in place. Returns the first kept byte. */
char *str_trim(char *text);

/*
 * A text in a buffer. What does not fit is counted in `len` and sets `cut`; the buffer always
 * ends with a NUL.
 */
struct sb {
	char *buf;
	size_t size;
	size_t len;
	bool cut;
};

void sb_init(struct sb *sb, char *buf, size_t size);
void sb_put(struct sb *sb, const char *text);
void sb_char(struct sb *sb, char c);
__attribute__((format(printf, 2, 3))) void sb_printf(struct sb *sb, const char *format, ...);
/* A JSON string with quotes and escapes; bytes that are not UTF-8 become U+FFFD. */
void sb_json(struct sb *sb, const char *text);
/* Text of an HTML element, or of an attribute in quotes; what is not UTF-8 or is a control
 * character becomes U+FFFD. */
void sb_html(struct sb *sb, const char *text);

#endif
