/* Floor for wna-probe: a question to a file system, again and again.
 *	floor_probe PATH SECONDS */
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct statfs found;

	if (argc != 3)
		return 2;
	while (statfs(argv[1], &found) == 0)
		sleep((unsigned)strtoul(argv[2], NULL, 10));
	return 1;
}
