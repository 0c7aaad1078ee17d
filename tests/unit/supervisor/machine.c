/* The namespaces, users and workers of the rig; see rig.h. Included by rig.c. */
static void add_users(void)
{
	static const char users[] = "wna:x:7001:7001::/:/bin/false\n"
	                            "wna-probe:x:7002:7002::/:/bin/false\n"
	                            "wna-check:x:7003:7003::/:/bin/false\n"
	                            "wna-rds:x:7004:7004::/:/bin/false\n"
	                            "wna-cloud:x:7005:7005::/:/bin/false\n"
	                            "root:x:0:0::/:/bin/false\n"
	                            "nobody:x:65534:65534::/:/bin/false\n";

	write_file(RIG_DIR "/passwd", users, 0644);
	assert_int_equal(mount(RIG_DIR "/passwd", "/etc/passwd", NULL, MS_BIND, NULL), 0);
}

/* Workers are copies of this program: /proc/PID/exe must lie in the folder. */
static void add_workers(void)
{
	static const char *const names[] = { "core", "mount", "probe", "check",
		                             "rds",  "cloud", "hook" };
	char path[128], buf[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to;
	ssize_t n;

	assert_int_equal(mkdir(RIG_LIBEXEC, 0755), 0);
	to = open(RIG_LIBEXEC "/wna-core", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(from, buf, sizeof buf)) > 0)
		assert_int_equal(write(to, buf, (size_t)n), n);
	close(from);
	close(to);
	for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, RIG_LIBEXEC "/wna-%s", names[i]);
		assert_int_equal(link(RIG_LIBEXEC "/wna-core", path), 0);
	}
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static void build_machine(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = RIG_NOTIFY };

	umask(022);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("proc", "/proc", "proc", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(mkdir(RIG_DIR, 0755), 0);
	assert_int_equal(mkdir(RIG_MODES, 0755), 0);
	write_file(RIG_LOG, "", 0666);
	assert_int_equal(chmod(RIG_LOG, 0666), 0);
	add_users();
	add_workers();
	loopback_up();
	rig.log_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(inotify_add_watch(rig.log_fd, RIG_LOG, IN_MODIFY) >= 0);
	rig.notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(rig.notify_fd, (struct sockaddr *)&address, sizeof address), 0);
}

static int exit_code_of(pid_t pid)
{
	int status;
	pid_t ended;

	/* The first process of a pid namespace buries everybody else's orphans. */
	while ((ended = wait(&status)) != pid) {
		if (ended < 0 && errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void needs_root(void **state)
{
	(void)state;
	print_message("namespaces need root\n");
	skip();
}

static int skipped(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(needs_root) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int rig_main(int argc, char **argv, int (*tests)(void))
{
	const char *name = strrchr(argv[0], '/');
	pid_t pid;

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "wna-", 4) == 0)
		fake_main(name + 4, argc, argv);
	if (geteuid() != 0)
		return skipped();
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC) < 0) {
		perror("unshare");
		return 1;
	}
	pid = fork();
	if (pid == 0) {
		/* As pid 1; when it ends, the kernel ends everything in the namespace. */
		pid = fork();
		if (pid == 0) {
			int code;

			build_machine();
			code = tests();
			if (getenv("RIG_LOG"))
				fputs(rig_log(), stderr);
			exit(code);
		}
		_exit(exit_code_of(pid));
	}
	return exit_code_of(pid);
}
