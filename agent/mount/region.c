/* Run by wna-mount. Reads one small file on a tmpfs. Owns nothing. */
#include "region.h"

#include <string.h>

#include "envfile.h"
#include "str.h"

enum { REGION_MAX_BYTES = 64 * 1024 };

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool region_valid(const char *text)
{
	const char *p = text;
	int words = 0;

	if (strlen(text) >= 32 || !is_lower(p[0]) || !is_lower(p[1]) || p[2] != '-')
		return false;
	p += 3;
	while (is_lower(*p)) {
		while (is_lower(*p))
			p++;
		if (*p++ != '-')
			return false;
		words++;
	}
	if (words == 0 || !is_digit(*p))
		return false;
	while (is_digit(*p))
		p++;
	return *p == '\0';
}

/* One of the suffixes of AWS's partitions (botocore's endpoints.json, "dnsSuffix"). */
static bool region_domain_valid(const char *text)
{
	static const char *const suffixes[] = {
		"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu",   "c2s.ic.gov",
		"sc2s.sgov.gov", "cloud.adc-e.uk",   "csp.hci.ic.gov",
	};

	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		if (strcmp(text, suffixes[i]) == 0)
			return true;
	}
	return false;
}

void region_parse(const char *text, struct target_place *ret)
{
	struct target_place found = { 0 };
	char value[LIMIT_NAME];

	if (envfile_get(text, "WNA_REGION", value, sizeof value) && region_valid(value))
		str_copy(found.region, sizeof found.region, value);
	if (envfile_get(text, "WNA_DOMAIN", value, sizeof value) && region_domain_valid(value))
		str_copy(found.domain, sizeof found.domain, value);
	*ret = found;
}

static void read_facts(const char *file, struct target_place *ret)
{
	char text[REGION_MAX_BYTES];

	if (envfile_read(file, text, sizeof text) == 0)
		region_parse(text, ret);
}

void region_find(const struct conf_mount *conf, const char *file, struct target_place *ret)
{
	struct target_place found = { 0 };

	if (conf->region[0] == '\0' || conf->domain[0] == '\0')
		read_facts(file, &found);
	/* A suffix belongs to its region: a configured region never takes a found suffix. */
	if (conf->region[0] != '\0') {
		if (strcmp(conf->region, found.region) != 0)
			found.domain[0] = '\0';
		str_copy(found.region, sizeof found.region, conf->region);
	}
	if (conf->domain[0] != '\0')
		str_copy(found.domain, sizeof found.domain, conf->domain);
	*ret = found;
}
