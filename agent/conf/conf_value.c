/* For wnactl; never blocks. Single values: text to struct and back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf_load.h"
#include "str.h"

static bool parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* Absolute, without "//", "." and ".." parts and without a slash at the end,
 * so that prefixes can be compared as text. */
static bool path_plain(const char *text)
{
	if (*text != '/')
		return *text == '\0';
	if (text[1] == '\0')
		return true;
	while (*text == '/') {
		size_t len = strcspn(text + 1, "/");

		if (len == 0 || (len == 1 && text[1] == '.') ||
		    (len == 2 && text[1] == '.' && text[2] == '.'))
			return false;
		text += 1 + len;
	}
	return true;
}

static bool status_range(const char *text, int64_t min, int64_t max, int32_t *ret)
{
	const char *dash = strchr(text, '-');
	char first[8];
	int64_t from, to;
	size_t len = dash ? (size_t)(dash - text) : strlen(text);

	if (len >= sizeof first)
		return false;
	memcpy(first, text, len);
	first[len] = '\0';
	if (!str_int64(first, min, max, &from))
		return false;
	to = from;
	if (dash && !str_int64(dash + 1, from, max, &to))
		return false;
	ret[0] = (int32_t)from;
	ret[1] = (int32_t)to;
	return true;
}

static bool choice(const struct conf_key *key, const char *text, int32_t *ret, struct sb *expected)
{
	sb_put(expected, "one of");
	for (int32_t i = 0; key->names[i]; i++) {
		if (strcmp(text, key->names[i]) == 0) {
			*ret = i;
			return true;
		}
		sb_printf(expected, "%s %s", i ? "," : "", key->names[i]);
	}
	return false;
}

static bool span(const struct conf_key *key, const char *text, int64_t *ret, struct sb *expected)
{
	int64_t value;

	if (str_duration_ms(text, &value) && value >= key->min && value <= key->max) {
		*ret = value;
		return true;
	}
	sb_printf(expected,
	          "a duration such as 5s, 500ms, 2m or 1h from %" PRId64 " ms to %" PRId64 " s",
	          key->min, key->max / 1000);
	return false;
}

static bool number(const struct conf_key *key, const char *text, int64_t *ret, struct sb *expected)
{
	if (str_int64(text, key->min, key->max, ret))
		return true;
	sb_printf(expected, "a whole number from %" PRId64 " to %" PRId64, key->min, key->max);
	return false;
}

static bool words(const struct conf_key *key, const char *text, char *to, struct sb *expected)
{
	size_t size = (size_t)key->max;

	if (strlen(text) >= size) {
		sb_printf(expected, "at most %zu characters", size - 1);
		return false;
	}
	if (key->type == CONF_TYPE_PATH && !path_plain(text)) {
		sb_put(expected,
		       "an absolute path without . or .. parts and without a / at its end");
		return false;
	}
	if (key->type == CONF_TYPE_NAME && *text && !str_only(text, "._:@/+=-[]")) {
		sb_put(expected, "only letters, digits and . _ : @ / + = - [ ]");
		return false;
	}
	if (!str_is_clean(text, strlen(text))) {
		sb_put(expected, "UTF-8 without control characters");
		return false;
	}
	memset(to, 0, size);
	return str_copy(to, size, text);
}

bool conf_key_set(const struct conf_key *key, void *base, const char *text, char *expected_text,
                  size_t size)
{
	char *at = (char *)base + key->offset;
	struct sb expected;
	int64_t value = 0;

	sb_init(&expected, expected_text, size);
	switch (key->type) {
	case CONF_TYPE_BOOL:
		sb_put(&expected, "yes or no");
		return parse_bool(text, (bool *)(void *)at);
	case CONF_TYPE_INT:
		if (!number(key, text, &value, &expected))
			return false;
		*(int32_t *)(void *)at = (int32_t)value;
		return true;
	case CONF_TYPE_COUNT: return number(key, text, (int64_t *)(void *)at, &expected);
	case CONF_TYPE_DURATION: return span(key, text, (int64_t *)(void *)at, &expected);
	case CONF_TYPE_BYTES:
		sb_put(&expected, "a number of bytes such as 4096, 64K, 500M or 10G");
		return str_bytes(text, (int64_t *)(void *)at);
	case CONF_TYPE_TEXT:
	case CONF_TYPE_NAME:
	case CONF_TYPE_PATH: return words(key, text, at, &expected);
	case CONF_TYPE_ENUM: return choice(key, text, (int32_t *)(void *)at, &expected);
	case CONF_TYPE_ENDPOINT:
		if (*text == '\0' && *key->initial == '\0') {
			memset(at, 0, sizeof(struct net_endpoint));
			return true;
		}
		sb_put(&expected,
		       "ADDRESS:PORT with a literal address, as 127.0.0.1:80 or [::1]:80");
		return net_endpoint_parse(text, (struct net_endpoint *)(void *)at);
	case CONF_TYPE_NETS:
		sb_printf(&expected, "up to %d networks such as 10.16.0.0/16, host bits zero",
		          LIMIT_NETS);
		return net_list_parse(text, (struct net_list *)(void *)at);
	case CONF_TYPE_STATUS:
		sb_printf(&expected,
		          "a status or range from %" PRId64 " to %" PRId64 ", as 200-299", key->min,
		          key->max);
		return status_range(text, key->min, key->max, (int32_t *)(void *)at);
	}
	return false;
}

static void span_text(int64_t ms, struct sb *sb)
{
	if (ms % 1000)
		sb_printf(sb, "%" PRId64 "ms", ms);
	else if (ms % 86400000 == 0 && ms)
		sb_printf(sb, "%" PRId64 "d", ms / 86400000);
	else if (ms % 3600000 == 0 && ms)
		sb_printf(sb, "%" PRId64 "h", ms / 3600000);
	else if (ms % 60000 == 0 && ms)
		sb_printf(sb, "%" PRId64 "m", ms / 60000);
	else
		sb_printf(sb, "%" PRId64 "s", ms / 1000);
}

static void nets_text(const struct net_list *list, struct sb *sb)
{
	char text[NET_ADDR_TEXT];

	for (int32_t i = 0; i < list->count; i++)
		sb_printf(sb, "%s%s/%u", i ? " " : "",
		          net_addr_text(&list->item[i].addr, text, sizeof text),
		          list->item[i].bits);
}

char *conf_key_text(const struct conf_key *key, const void *base, char *ret, size_t size)
{
	const void *at = (const char *)base + key->offset;
	const struct net_endpoint *endpoint = at;
	const int32_t *range = at;
	char text[NET_ADDR_TEXT];
	struct sb sb;

	sb_init(&sb, ret, size);
	switch (key->type) {
	case CONF_TYPE_BOOL: sb_put(&sb, *(const bool *)at ? "yes" : "no"); break;
	case CONF_TYPE_INT: sb_printf(&sb, "%" PRId32, range[0]); break;
	case CONF_TYPE_COUNT:
	case CONF_TYPE_BYTES: sb_printf(&sb, "%" PRId64, *(const int64_t *)at); break;
	case CONF_TYPE_DURATION: span_text(*(const int64_t *)at, &sb); break;
	case CONF_TYPE_TEXT:
	case CONF_TYPE_NAME:
	case CONF_TYPE_PATH: sb_put(&sb, at); break;
	case CONF_TYPE_ENUM: sb_put(&sb, key->names[range[0]]); break;
	case CONF_TYPE_ENDPOINT:
		if (endpoint->addr.family)
			sb_put(&sb, net_endpoint_text(endpoint, text, sizeof text));
		break;
	case CONF_TYPE_NETS: nets_text(at, &sb); break;
	case CONF_TYPE_STATUS:
		sb_printf(&sb, range[0] == range[1] ? "%" PRId32 : "%" PRId32 "-%" PRId32, range[0],
		          range[1]);
		break;
	}
	return ret;
}
