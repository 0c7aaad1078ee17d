/*
 * wna-cloud: the node's identity, its credentials, and the metric that its group scales on. A
 * service of user wna-cloud. Blocks in cloud_loop.c.
 */
#include <malloc.h>

#include "cloud_push.h"

int main(int argc, char **argv)
{
	struct worker worker;

	/* A resolver thread would otherwise bring a heap of its own, for life. */
	mallopt(M_ARENA_MAX, 1);
	worker_init(&worker, ROLE_CLOUD, HUB_WANTS_VERDICT, argc, argv, NULL);
	return loop_run(&worker);
}
