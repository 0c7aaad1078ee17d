/* Floor for wna-probe: one question to a file system. With a second argument it
 * then says "ready" and waits; so it is wna-hook's floor, too, which has libc only.
 *	floor_probe PATH [stay] */
#include <stdio.h>
#include <sys/statfs.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct statfs found;

	if (argc < 2 || statfs(argv[1], &found) < 0)
		return 1;
	if (argc > 2) {
		puts("ready");
		fflush(stdout);
		pause();
	}
	return 0;
}
