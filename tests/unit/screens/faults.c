/* The core's own code on a virtual clock: only the facts are made up. */
#include "faults.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core.h"

enum { START = 1000, WELL = START + 1000, FAULT = START + 7200 * 1000, NOW = FAULT + 40 * 1000 };

#define WALL INT64_C(1796104800000) /* of the clock's 0 */

static struct core core;
static struct snapshot snapshot;

static void take(enum fact_id id, int64_t value, const int64_t more[], const char *text,
                 const char *why, int64_t at_ms)
{
	struct msg msg = { .type = HUB_FACT, .id = (uint16_t)id, .value = value };
	unsigned slot;

	for (int i = 0; more && i < 2; i++)
		msg.more[i] = more[i];
	snprintf(msg.text, sizeof msg.text, "%s", text);
	snprintf(msg.why, sizeof msg.why, "%s", why);
	assert(core_take(&core, fact_info(msg.id)->owner, &msg, at_ms, WALL + at_ms, &slot) == 0);
}

static void take_mount(int64_t sign_ms, int64_t at_ms)
{
	struct msg msg = { .type = HUB_FACT, .id = FACT_MOUNT, .value = MOUNT_RIGHT };
	unsigned slot;

	msg.more[MOUNT_SIGN] = 1200;
	msg.more[MOUNT_SIGN_MS] = sign_ms;
	msg.more[MOUNT_DOING] = sign_ms < at_ms ? MOUNT_PROBING : MOUNT_IDLE;
	msg.more[MOUNT_DUE_MS] = at_ms + 4000;
	snprintf(msg.text, sizeof msg.text, "fs-0123456789abcdef0:/ (nfs4, tls)");
	assert(core_take(&core, ROLE_MOUNT, &msg, at_ms, WALL + at_ms, &slot) == 0);
}

static void configure(void)
{
	struct conf *conf = &snapshot.conf;
	struct conf_check *check = &conf->checks.item[0];

	memset(&snapshot, 0, sizeof snapshot);
	conf->imds.refresh_ms = 60000;
	conf->imds.max_age_ms = conf->metrics.max_age_ms = 120000;
	conf->mount.enabled = conf->rds.enabled = conf->metrics.enabled = true;
	conf->mount.max_age_ms = 10000;
	conf->rds.max_age_ms = 20000;
	conf->rds.interval_ms = 1000;
	conf->metrics.push_ms = 10000;
	snprintf(conf->mount.path, LIMIT_PATH, "/var/www/html/efs");
	snprintf(conf->rds.endpoint, LIMIT_HOST,
	         "practice.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com");
	snprintf(conf->rds.user, LIMIT_NAME, "wna");
	conf->checks.count = 1;
	snprintf(check->name, LIMIT_NAME, "web");
	snprintf(check->url, LIMIT_VALUE, "http://127.0.0.1/health.html");
	check->interval_ms = 5000;
	check->max_age_ms = 15000;
	check->rise = check->fall = 2;
}

/* All that is well at `at_ms`, but for the facts of a fault. */
static void be_well(int64_t at_ms, int fault)
{
	static const int64_t good[] = { 812, 9 };

	if (fault != 3) {
		take(FACT_IMDS, IMDS_OK, NULL, "", "", at_ms);
		take(FACT_INSTANCE_ID, 1, NULL, "i-0abcdef0123456789", "", at_ms);
		take(FACT_AZ, 1, NULL, "ap-northeast-2a", "", at_ms);
		take(FACT_ASG, 1, NULL, "web", "", at_ms);
		take(FACT_TARGET_STATE, 1, NULL, "InService", "", at_ms);
	}
	if (fault != 1)
		take(FACT_CHECK, CHECK_GOOD, good, "web", "", at_ms);
	if (fault != 2)
		take_mount(at_ms, at_ms);
	take(FACT_RDS_RTT, 400, NULL, "", "", at_ms);
	if (fault != 5)
		take(FACT_RDS, RDS_WRITABLE, NULL, "10.16.6.137", "", at_ms);
	if (fault != 4)
		take(FACT_PUSH, PUSH_OK, NULL, "AutoScalingGroupName=web", "", at_ms);
	take(FACT_CPU, 34, NULL, "", "", at_ms);
	take(FACT_PUSH_SENT, 720, NULL, "", "", at_ms);
}

static void break_it(int fault, int64_t at_ms)
{
	switch (fault) {
	case 1:
		take(FACT_CHECK, CHECK_BAD, (int64_t[]){ -EPROTO, 2 }, "web", "404, wanted 200-299",
		     at_ms);
		break;
	case 2:
		take_mount(FAULT, at_ms);
		take(FACT_MOUNT_SERVICE, SERVICE_HUNG, (int64_t[]){ CAUSE_TARGET_DOWN, 0 }, "",
		     "the mount target accepts no connection", at_ms);
		break;
	case 3:
		take(FACT_IMDS, IMDS_SILENT, (int64_t[]){ NOW + 24000, 0 }, "",
		     "no answer from http://169.254.169.254: hop limit, or no route", at_ms);
		break;
	case 4:
		take(FACT_PUSH, PUSH_DENIED, (int64_t[]){ NOW + 95000, 0 },
		     "AutoScalingGroupName=web",
		     "AccessDenied: not authorized to perform: cloudwatch:PutMetricData", at_ms);
		take(FACT_PUSH_QUEUED, 4, NULL, "", "", at_ms);
		break;
	case 5:
		take(FACT_RDS, RDS_DOWN, (int64_t[]){ NOW + 27000, TROUBLE_DENIED }, "",
		     "login refused: 1045 Access denied for user 'wna'@'10.16.5.20' (using "
		     "password: YES)",
		     at_ms);
		break;
	default: break;
	}
}

const char *fault_title(int fault)
{
	static const char *const titles[] = {
		"Nothing is wrong",
		"The page of the health check is gone",
		"The shared file system does not answer",
		"The metadata service does not answer after the boot",
		"CloudWatch refuses the metric",
		"The database refuses the password",
	};

	return fault < (int)(sizeof titles / sizeof titles[0]) ? titles[fault] : NULL;
}

void fault_status(int fault, char *ret, size_t size)
{
	configure();
	core_init(&core, &snapshot, NULL, START, WALL + START);
	for (int role = ROLE_MOUNT; role < ROLE_CTL; role++)
		core_link(&core, (enum role)role, true, false, 800 + role, WALL + START);
	/* A node that has never known its identity: that fault begins with the start. */
	be_well(WELL, fault == 3 ? 3 : 0);
	if (fault == 3)
		break_it(3, WELL);
	for (int role = ROLE_MOUNT; role < ROLE_CTL; role++)
		core_spoken(&core, (enum role)role, WELL, WALL + WELL);
	for (int64_t at_ms = WELL; at_ms <= NOW; at_ms += 1000) {
		be_well(at_ms, at_ms < FAULT ? (fault == 3 ? 3 : 0) : fault);
		if (at_ms >= FAULT || fault == 3)
			break_it(fault, at_ms);
		core_step(&core, at_ms, WALL + at_ms);
	}
	assert(status_render(&core, NOW, WALL + NOW, ret, size) > 0);
}
