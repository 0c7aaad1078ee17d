/*
 * wnactl: what people and scripts ask web-node-agent, and the check of its
 * configuration.
 *
 * Run by people, by scripts and by the unit. Waits for the agent within its
 * time-outs. Owns nothing.
 */
#include <getopt.h>
#include <string.h>

#include "ctl.h"
#include "str.h"

enum { TIMEOUT_DEFAULT_MS = 300 * 1000 };

static const char help[] =
        "usage: wnactl [OPTION...] COMMAND\n"
        "\n"
        "Commands:\n"
        "  status [--json] [--watch] [-v]  the verdict, what is not well, why, and what to do;\n"
        "                                  -v: everything; --watch: anew each second, q ends\n"
        "  mount                           whether the shared file system serves, since when, why\n"
        "                                  not, and what the agent does about it\n"
        "  mount repair                    replaces the proxy of the mount now (root)\n"
        "  drain [--wait] [--timeout T]    /healthz and /readyz answer 503, while the web server\n"
        "                                  serves on (root); --wait: until no client is connected\n"
        "  undrain                         ends that (root)\n"
        "  history                         the last changes, the oldest first, a line each\n"
        "  facts [--json | --env | KEY]    what the node knows about itself; KEY: instance-id,\n"
        "                                  region, asg, tags.NAME ...\n"
        "  wait --for GOAL [--timeout T]   waits for ready, healthy, mounted, database, metrics\n"
        "                                  or identity; T: 90, 90s, 5m (default 5m)\n"
        "  database connections            this node's connections to the database's port, and\n"
        "                                  which are to the former writer; ends none\n"
        "  check [FILE]                    all problems of the configuration, and of this machine\n"
        "                                  with it (" CONF_FILE_DEFAULT ")\n"
        "  config [FILE]                   the configuration with all defaults, and where each\n"
        "                                  value was given\n"
        "  iam-policy [FILE]               the least IAM policy for what the configuration "
        "switches\n"
        "                                  on, as JSON\n"
        "  load [--apply] [FILE]           puts the configuration into force (root); run by the\n"
        "                                  unit. By hand: systemctl reload web-node-agent\n"
        "  config --keys [--roff]          all keys; --roff: as in the manual page\n"
        "\n"
        "Options:\n"
        "  --socket PATH   socket of the agent (default: hub in the run directory)\n"
        "  --run DIR       run directory (default " CONF_RUN_DIR ")\n"
        "  --help, --version\n"
        "\n"
        "Exit codes:\n"
        "  0  yes, done\n"
        "  1  no: fact absent, refused; status: degraded, and in service\n"
        "  2  status: out of service\n"
        "  3  the agent does not run or does not answer\n"
        "  4  time-out\n"
        "  5  this user may not ask the agent\n"
        "  6  the answer is not from this agent\n"
        "  7  the job waited for is switched off\n"
        "  64 usage, or no such fact\n"
        "\n"
        "Exit codes of check and config, by the first problem:\n"
        "  0  the configuration is good\n"
        "  1  the answer could not be written\n"
        "  3  a configuration file is missing or cannot be read; check: or a file of\n"
        "     certificates that it names, or it has none\n"
        "  4  not INI: syntax, duplicate section or key, line too long\n"
        "  5  a section or key that does not exist\n"
        "  6  a value out of range or of the wrong kind\n"
        "  7  a key that must be given is missing, or keys contradict each other\n"
        "  8  check: a secret file is missing, empty, open to others or on a network\n"
        "     file system\n";

static enum ctl_exit usage(const char *what, const char *detail)
{
	fprintf(stderr, "wnactl: %s%s\nTry: wnactl --help\n", what, detail);
	return CTL_USAGE;
}

/* In the following, given[LETTER] is the value of the option with this letter, "" if the option
 * has no value, NULL if it was not given. */

static int run_status(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return usage("status takes no arguments", "");
	if (given['w'] && given['j'])
		return usage("--watch and --json exclude each other", "");
	if (given['m'])
		return reasons_print(ctl);
	if (given['w'])
		return status_watch(ctl, given['v']);
	return status_once(ctl, given['j'], given['v']);
}

static int run_mount(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	if (argc == 1 && strcmp(argv[0], "repair") == 0)
		return mount_repair(ctl);
	return argc > 0 ? usage("mount takes no argument, or \"repair\"", "") : mount_show(ctl);
}

static int run_drain(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	int64_t timeout_ms = 2 * TIMEOUT_DEFAULT_MS;

	(void)argv;
	if (argc > 0)
		return usage("drain takes options only", "");
	if (given['t'] && !given['n'])
		return usage("--timeout belongs to --wait", "");
	if (given['t'] && !str_duration_ms(given['t'], &timeout_ms))
		return usage("not a time: ", given['t']);
	return drain_order(ctl, given['d'] ? DRAIN_AT_SHUTDOWN : DRAIN_ON, given['n'], timeout_ms);
}

static int run_undrain(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	(void)argv;
	return argc > 0 ? usage("undrain takes no arguments", "")
	                : drain_order(ctl, DRAIN_OFF, false, 0);
}

static int run_history(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	(void)argv;
	return argc > 0 ? usage("history takes no arguments", "") : history_show(ctl);
}

static int run_facts(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	if (!!given['j'] + !!given['e'] + argc > 1)
		return usage("facts takes one of --json, --env and KEY", "");
	if (given['j'])
		return facts_json(ctl);
	if (given['e'])
		return facts_env(ctl);
	return argc == 1 ? facts_value(ctl, argv[0]) : facts_table(ctl);
}

static int run_wait(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	int64_t timeout_ms = TIMEOUT_DEFAULT_MS;
	enum wait_goal goal;

	(void)argv;
	if (argc > 0)
		return usage("wait takes options only", "");
	if (!given['f'])
		return usage("wait needs --for", "");
	goal = wait_goal_of(given['f']);
	if (goal == WAIT_GOAL_MAX)
		return usage("cannot wait for ", given['f']);
	if (given['t'] && !str_duration_ms(given['t'], &timeout_ms))
		return usage("not a time: ", given['t']);
	return wait_for(ctl, goal, timeout_ms);
}

static int run_database(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	if (argc != 1 || strcmp(argv[0], "connections") != 0)
		return usage("database takes one word, connections", "");
	return connections_show(ctl);
}

static int run_check(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	if (argc > 1)
		return usage("check takes one file", "");
	return ctl_check(ctl, argc ? argv[0] : CONF_FILE_DEFAULT);
}

static int run_policy(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	(void)given;
	if (argc > 1)
		return usage("iam-policy takes one file", "");
	return policy_print(ctl, argc ? argv[0] : CONF_FILE_DEFAULT);
}

static int run_load(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	if (argc > 1)
		return usage("load takes one file", "");
	return ctl_load(ctl, argc ? argv[0] : CONF_FILE_DEFAULT, given['a']);
}

static int run_config(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	if (argc + !!given['k'] > 1)
		return usage("config takes one file, or --keys", "");
	if (given['r'] && !given['k'])
		return usage("--roff belongs to --keys", "");
	if (given['k'])
		return ctl_config_keys(ctl, given['r']);
	return ctl_config(ctl, argc ? argv[0] : CONF_FILE_DEFAULT);
}

static const struct command {
	const char *name;
	const char *options; /* the letters of those that belong to it */
	int (*run)(struct ctl *ctl, const char *const *given, int argc, char **argv);
} commands[] = {
	{ "mount", "", run_mount },     { "status", "jwvm", run_status },
	{ "facts", "je", run_facts },   { "wait", "ft", run_wait },
	{ "check", "", run_check },     { "config", "kr", run_config },
	{ "load", "a", run_load },      { "database", "", run_database },
	{ "history", "", run_history }, { "drain", "dnt", run_drain },
	{ "undrain", "", run_undrain }, { "iam-policy", "", run_policy },
};

/* Of these letters only v and h can be typed. */
static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "run", required_argument, NULL, 'R' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "json", no_argument, NULL, 'j' },
	{ "env", no_argument, NULL, 'e' },
	{ "watch", no_argument, NULL, 'w' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "for", required_argument, NULL, 'f' },
	{ "timeout", required_argument, NULL, 't' },
	{ "keys", no_argument, NULL, 'k' },
	{ "roff", no_argument, NULL, 'r' },
	{ "apply", no_argument, NULL, 'a' },
	{ "wait", no_argument, NULL, 'n' },
	{ "at-shutdown", no_argument, NULL, 'd' },
	{ "reasons", no_argument, NULL, 'm' },
	{ NULL, 0, NULL, 0 },
};

static int dispatch(struct ctl *ctl, const char *const *given, int argc, char **argv)
{
	const struct command *command = NULL;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			command = &commands[i];
	if (!command)
		return usage("unknown command ", argv[0]);
	for (int letter = 'a'; letter <= 'z'; letter++)
		if (given[letter] && !strchr(command->options, letter))
			return usage("an option does not belong to ", argv[0]);
	return command->run(ctl, given, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	const char *given[128] = { NULL };
	static char path[512];
	struct ctl ctl;
	int option, ret;

	ctl_init(&ctl);
	while ((option = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
		switch (option) {
		case 'h': fputs(help, stdout); return CTL_OK;
		case 'V': puts("wnactl " WNA_VERSION); return CTL_OK;
		case '?': fputs("Try: wnactl --help\n", stderr); return CTL_USAGE;
		default: given[option] = optarg ? optarg : ""; break;
		}
	}
	if (optind == argc)
		return usage("a command is needed", "");
	if (given['R'])
		ctl.run_dir = given['R'];
	snprintf(path, sizeof path, "%s/hub", ctl.run_dir);
	ctl.socket = given['S'] ? given['S'] : path;
	ret = dispatch(&ctl, given, argc - optind, argv + optind);
	/* A full disk or a closed pipe must not look like an answer. */
	if (fflush(stdout) != 0 && ret == CTL_OK) {
		perror("wnactl: standard output");
		return CTL_UNREACHABLE;
	}
	return ret;
}
