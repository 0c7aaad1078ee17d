/* Run by wna-cloud on a stranger's bytes. Blocks on nothing, owns nothing. */
#include "shape.h"

#include <string.h>

#include "net.h"
#include "str.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

/* min..max characters, all of them of `set`. */
static bool all_of(const char *text, const char *set, size_t min, size_t max)
{
	size_t len = strnlen(text, max + 1);

	return len >= min && len <= max && strspn(text, set) == len;
}

static bool one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool resource_id(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) != 0)
		return false;
	text += len;
	return all_of(text, DIGIT "abcdef", 8, 8) || all_of(text, DIGIT "abcdef", 17, 17);
}

bool shape_instance_id(const char *text)
{
	return resource_id(text, "i-");
}

bool shape_image_id(const char *text)
{
	return resource_id(text, "ami-");
}

bool shape_vpc_id(const char *text)
{
	return resource_id(text, "vpc-");
}

bool shape_subnet_id(const char *text)
{
	return resource_id(text, "subnet-");
}

bool shape_instance_type(const char *text)
{
	const char *dot = strchr(text, '.');

	return all_of(text, LOWER DIGIT "-.", 4, 40) && one_of(text[0], LOWER) && dot != NULL &&
	       one_of(dot[1], LOWER DIGIT) && strchr(dot + 1, '.') == NULL;
}

bool shape_ipv4(const char *text)
{
	struct net_addr addr;

	return net_addr_parse(text, &addr) && addr.family == AF_INET && strchr(text, ':') == NULL;
}

bool shape_mac(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !one_of(text[i], DIGIT "abcdef"))
			return false;
	return true;
}

/* Lower-case words and digits with hyphens inside, at least one. */
static bool hyphened(const char *text, size_t max)
{
	return all_of(text, LOWER DIGIT "-", 4, max) && one_of(text[0], LOWER) &&
	       strchr(text, '-') != NULL && text[strlen(text) - 1] != '-' &&
	       strstr(text, "--") == NULL;
}

bool shape_zone(const char *text)
{
	return hyphened(text, 63);
}

bool shape_zone_id(const char *text)
{
	return hyphened(text, 63);
}

bool shape_partition(const char *text)
{
	return strncmp(text, "aws", 3) == 0 && all_of(text, LOWER DIGIT "-", 3, 31) &&
	       text[strlen(text) - 1] != '-';
}

bool shape_domain(const char *text)
{
	return all_of(text, LOWER DIGIT "-.", 3, 63) && strchr(text, '.') != NULL &&
	       strstr(text, "..") == NULL && one_of(text[0], LOWER DIGIT) &&
	       one_of(text[strlen(text) - 1], LOWER);
}

bool shape_life_cycle(const char *text)
{
	return all_of(text, LOWER "-", 3, 31) && one_of(text[0], LOWER);
}

bool shape_target_state(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!all_of(text, LOWER UPPER ":", 3, 40) || !one_of(text[0], UPPER))
		return false;
	return colon == NULL || (one_of(colon[1], UPPER) && strchr(colon + 1, ':') == NULL);
}

bool shape_role(const char *text)
{
	return all_of(text, LOWER UPPER DIGIT "+=,.@_-", 1, 64);
}

bool shape_tag_key(const char *text)
{
	return all_of(text, LOWER UPPER DIGIT "+-=.,_:@", 1, 128) && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0 && strcmp(text, "_index") != 0;
}

bool shape_text(const char *body, size_t len, char *ret, size_t size)
{
	if (len > 0 && body[len - 1] == '\n')
		len--;
	if (len == 0 || len >= size || memchr(body, '\0', len) != NULL)
		return false;
	memcpy(ret, body, len);
	ret[len] = '\0';
	return true;
}
