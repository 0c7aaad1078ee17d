/* Needed by wna-cloud, wna-mount and wnactl; pure. */
#include "aws_name.h"

#include <string.h>

bool aws_is_region(const char *text)
{
	size_t len = strnlen(text, 64);

	return len >= 4 && len <= 63 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && text[0] >= 'a' &&
	       strchr(text, '-') != NULL && strstr(text, "--") == NULL && text[len - 1] >= '0' &&
	       text[len - 1] <= '9';
}

bool aws_is_group(const char *text)
{
	size_t len = strnlen(text, 256);

	if (len == 0 || len > 255 || text[0] == ' ' || text[len - 1] == ' ' || text[0] == ':' ||
	    text[0] == '<')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

bool aws_is_domain(const char *text)
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
