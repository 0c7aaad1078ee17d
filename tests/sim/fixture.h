/* A real wna-core for each test, with one job, identity. For test_process.c and test_hub.c. */
#ifndef SIM_FIXTURE_H
#define SIM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conf_load.h"
#include "harness.h"
#include "snapshot.h"
#include "verdict.h"

enum { PATIENCE_MS = 10000 };

static struct harness harness;
static struct conf conf;
static char reply[256 * 1024];

static int setup(void **state)
{
	(void)state;
	conf_defaults(&conf);
	conf.metrics.enabled = false;
	conf.health.max_connections = 32;
	harness_open(&harness, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (harness.log >= 0)
		harness_stop(&harness);
	harness_close(&harness);
	return 0;
}

#endif
