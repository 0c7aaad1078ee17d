/*
 * wna-cloud: the node's identity, its credentials, its lifecycle, and the metric that its group
 * scales on. A service of user wna-cloud. Blocks in cloud_loop.c.
 */
#include <malloc.h>

#include "cloud_push.h"

int main(int argc, char **argv)
{
	/* Before that SIGUSR1 would end the process. */
	int signal_fd = loop_signals();
	struct worker worker;

	/* Otherwise malloc would make a heap (arena) for resolver threads and keep it. */
	mallopt(M_ARENA_MAX, 1);
	worker_init(&worker, ROLE_CLOUD,
	            HUB_WANTS_VERDICT | HUB_WANTS(FACT_RDS_UP) | HUB_WANTS(FACT_RDS_HOST), argc,
	            argv, NULL);
	return loop_run(&worker, signal_fd);
}
