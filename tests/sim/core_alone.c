/*
 * Measurements only: a wna-core by itself, healthy, on 127.0.0.1:PORT, until
 * standard input ends. Usage: core_alone WNA-CORE PORT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_load.h"
#include "harness.h"

int main(int argc, char **argv)
{
	struct harness harness;
	static struct conf conf;
	char byte;

	if (argc != 3) {
		fprintf(stderr, "usage: %s WNA-CORE PORT\n", argv[0]);
		return 2;
	}
	conf_defaults(&conf);
	conf.metrics.enabled = false;
	harness_open(&harness, (uint16_t)strtoul(argv[2], NULL, 10));
	harness_start(&harness, argv[1], &conf);
	harness_fact(&harness, ROLE_CLOUD, FACT_IMDS, IMDS_OK, "", "");
	harness_fact(&harness, ROLE_CLOUD, FACT_INSTANCE_ID, 1, "i-0123456789abcdef0", "");
	printf("%d\n", (int)harness.pid);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	harness_stop(&harness);
	harness_close(&harness);
	return 0;
}
