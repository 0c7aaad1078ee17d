/* The two lines of a helper's output that become the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mount.h"

static char said[LIMIT_FACT_WHY];

static const char *said_of(const char *text)
{
	return attempt_said(text, strlen(text), said, sizeof said);
}

static void meaning(void **state)
{
	(void)state;
	assert_string_equal(said_of(""), "");
	assert_string_equal(said_of("\n\n \r\n"), "");
	assert_string_equal(said_of("one\ntwo\n"), "one ... two");
	assert_string_equal(said_of("one\r\ntwo\nthree"), "one ... three");
	assert_string_equal(said_of("unfinished"), "unfinished");
	assert_string_equal(
	        said_of("Failed to resolve \"x\"\nSee https://docs.aws.amazon.com/x\n\n"),
	        "Failed to resolve \"x\"");
	assert_string_equal(said_of("b'mount.nfs4: access denied by server'\n"),
	                    "mount.nfs4: access denied by server");
	assert_string_equal(said_of("b'\n"), "b'");
	assert_string_equal(said_of("bad \033[31mred\033[0m\ttext\n"), "bad ?[31mred?[0m text");
}

/* mount.efs without DNS: the first line has the cause. */
static void first_and_last(void **state)
{
	(void)state;
	assert_string_equal(
	        said_of("Failed to resolve \"fs-0123456789abcdef0.efs.ap-northeast-2.amazonaws.com"
	                "\" - check that your file system ID is correct, and ensure that the VPC "
	                "has an EFS mount target for this file system ID.\n"
	                "See https://docs.aws.amazon.com/console/efs/mount-dns-name for more "
	                "detail.\n"
	                "Attempting to lookup mount target ip address using botocore. Could not "
	                "connect to the endpoint URL: "
	                "\"https://elasticfilesystem.amazonaws.com/\", "
	                "method name: DescribeMountTargets.\n"),
	        "Failed to resolve \"fs-0123456789abcdef0.efs.ap-northeast-2.amazonaws.com\" - che "
	        "... "
	        "Attempting to lookup mount target ip..., method name: DescribeMountTargets.");
	assert_string_equal(
	        said_of("Mount attempt 1/3 failed\nMount attempt 2/3 failed\n"
	                "Traceback (most recent call last):\n  File \"/sbin/mount.efs\"\n"
	                "KeyboardInterrupt\n"),
	        "Mount attempt 1/3 failed ... Mount attempt 2/3 failed");
	/* Another traceback is a failure of mount.efs. */
	assert_string_equal(said_of("Traceback (most recent call last):\nKeyError: 'region'\n"),
	                    "Traceback (most recent call last): ... KeyError: 'region'");
}

/* Output whose beginning was cut off, or that is longer than a reason. */
static void long_ones(void **state)
{
	static char noise[4096];

	(void)state;
	memset(noise, 'x', sizeof noise - 1);
	assert_int_equal(strlen(said_of(noise)), LIMIT_FACT_WHY - 1);
	memcpy(noise + sizeof noise - 9, "\nthe end", 9);
	said_of(noise);
	assert_int_equal(strspn(said, "x"), LIMIT_FACT_WHY / 2 - 1);
	assert_string_equal(said + LIMIT_FACT_WHY / 2 - 1, " ... the end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meaning),
		cmocka_unit_test(first_and_last),
		cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests_name("mount/said", tests, NULL, NULL);
}
