/* wnad; never blocks. */
#include "group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "pidstat.h"

bool group_signal(pid_t group, int number)
{
	return kill(-group, number) == 0;
}

static bool is_living_member(int proc, const char *pid, pid_t group)
{
	struct pidstat stat;

	return pidstat_read(proc, pid, &stat) && stat.group == group && stat.state != 'Z' &&
	       stat.state != 'X';
}

bool group_alive(pid_t group)
{
	const struct dirent *entry;
	bool alive = false;
	DIR *dir;

	if (kill(-group, 0) < 0 && errno == ESRCH)
		return false;
	dir = opendir("/proc");
	if (!dir)
		return true;
	while (!alive && (entry = readdir(dir)))
		alive = isdigit((unsigned char)entry->d_name[0]) &&
		        is_living_member(dirfd(dir), entry->d_name, group);
	closedir(dir);
	return alive;
}
