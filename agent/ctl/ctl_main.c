/*
 * wnactl: what people and scripts ask web-node-agent, and the check of its
 * configuration.
 *
 * Run by people, by scripts and by the unit. Waits for the agent within its
 * time-outs. Owns nothing.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "ctl.h"
#include "ctl_conf.h"
#include "ctl_factsfile.h"
#include "ctl_load.h"
#include "ctl_status.h"
#include "ctl_wait.h"
#include "str.h"

enum { TIMEOUT_DEFAULT_MS = 300 * 1000 };

static const char help[] =
        "usage: wnactl [OPTION...] COMMAND\n"
        "\n"
        "Commands:\n"
        "  status [--json] [--watch] [-v]  what the agent answers, and why; -v: everything\n"
        "  facts [--json | --env | KEY]    what the node knows about itself; KEY: instance-id,\n"
        "                                  region, asg, tags.NAME ...\n"
        "  wait --for GOAL [--timeout T]   waits for ready, healthy, mounted, database, metrics\n"
        "                                  or identity; T: 90, 90s, 5m (default 5m)\n"
        "  check [FILE]                    all problems of the configuration, and of this machine\n"
        "                                  with it (" CONF_FILE_DEFAULT ")\n"
        "  config [FILE]                   the configuration with all defaults, and where each\n"
        "                                  value was given\n"
        "  load [--apply] [FILE]           takes the configuration into force (root); run by the\n"
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
        "  1  no: not ready, fact absent, configuration refused\n"
        "  2  usage, or no such fact\n"
        "  3  the agent does not run or does not answer\n"
        "  4  time is up\n"
        "  5  this user may not\n"
        "  6  what answered is not this agent\n"
        "  7  the job waited for is switched off\n"
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

enum option_id {
	OPT_SOCKET = 256,
	OPT_RUN,
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_ENV,
	OPT_WATCH,
	OPT_FOR,
	OPT_TIMEOUT,
	OPT_KEYS,
	OPT_ROFF,
	OPT_APPLY,
	OPT_MAX
};

struct options {
	bool json, env, watch, verbose, keys, roff, apply;
	const char *goal, *timeout;
};

static enum ctl_exit run_status(struct ctl *ctl, const struct options *options, int argc)
{
	if (argc > 0)
		return usage("status takes no arguments", "");
	if (options->watch && options->json)
		return usage("--watch and --json exclude each other", "");
	if (options->watch)
		return status_watch(ctl, options->verbose);
	return status_once(ctl, options->json, options->verbose);
}

static enum ctl_exit run_facts(struct ctl *ctl, const struct options *options, int argc,
                               char **argv)
{
	if (options->json + options->env + argc > 1)
		return usage("facts takes one of --json, --env and KEY", "");
	if (options->json)
		return facts_json(ctl);
	if (options->env)
		return facts_env(ctl);
	return argc == 1 ? facts_value(ctl, argv[0]) : facts_table(ctl);
}

static enum ctl_exit run_wait(struct ctl *ctl, const struct options *options, int argc)
{
	int64_t timeout_ms = TIMEOUT_DEFAULT_MS;
	enum wait_goal goal;

	if (argc > 0)
		return usage("wait takes no arguments but options", "");
	if (options->goal == NULL)
		return usage("wait needs --for", "");
	goal = wait_goal_of(options->goal);
	if (goal == WAIT_GOAL_MAX)
		return usage("cannot wait for ", options->goal);
	if (options->timeout != NULL && !str_duration_ms(options->timeout, &timeout_ms))
		return usage("not a time: ", options->timeout);
	return wait_for(ctl, goal, timeout_ms);
}

static int run_check(struct ctl *ctl, int argc, char **argv)
{
	if (argc > 1)
		return usage("check takes one file", "");
	return ctl_check(ctl, argc ? argv[0] : CONF_FILE_DEFAULT);
}

static int run_load(struct ctl *ctl, const struct options *options, int argc, char **argv)
{
	if (argc > 1)
		return usage("load takes one file", "");
	return ctl_load(ctl, argc ? argv[0] : CONF_FILE_DEFAULT, options->apply);
}

static int run_config(struct ctl *ctl, const struct options *options, int argc, char **argv)
{
	if (argc + options->keys > 1)
		return usage("config takes one file, or --keys", "");
	if (options->roff && !options->keys)
		return usage("--roff belongs to --keys", "");
	if (options->keys)
		return ctl_config_keys(ctl, options->roff);
	return ctl_config(ctl, argc ? argv[0] : CONF_FILE_DEFAULT);
}

/* Which of the options a command knows. */
static bool option_fits(const char *command, int option)
{
	switch (option) {
	case OPT_JSON: return strcmp(command, "status") == 0 || strcmp(command, "facts") == 0;
	case OPT_ENV: return strcmp(command, "facts") == 0;
	case OPT_WATCH:
	case 'v': return strcmp(command, "status") == 0;
	case OPT_FOR:
	case OPT_TIMEOUT: return strcmp(command, "wait") == 0;
	case OPT_KEYS:
	case OPT_ROFF: return strcmp(command, "config") == 0;
	case OPT_APPLY: return strcmp(command, "load") == 0;
	default: return true;
	}
}

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "env", no_argument, NULL, OPT_ENV },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "verbose", no_argument, NULL, 'v' },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "keys", no_argument, NULL, OPT_KEYS },
	{ "roff", no_argument, NULL, OPT_ROFF },
	{ "apply", no_argument, NULL, OPT_APPLY },
	{ NULL, 0, NULL, 0 },
};

static int dispatch(struct ctl *ctl, const struct options *options, const char *command, int argc,
                    char **argv)
{
	if (strcmp(command, "status") == 0)
		return run_status(ctl, options, argc);
	if (strcmp(command, "facts") == 0)
		return run_facts(ctl, options, argc, argv);
	if (strcmp(command, "wait") == 0)
		return run_wait(ctl, options, argc);
	if (strcmp(command, "load") == 0)
		return run_load(ctl, options, argc, argv);
	if (strcmp(command, "check") == 0)
		return run_check(ctl, argc, argv);
	if (strcmp(command, "config") == 0)
		return run_config(ctl, options, argc, argv);
	return usage("unknown command ", command);
}

static void take_option(struct options *options, int option, const char *value)
{
	if (option == OPT_JSON)
		options->json = true;
	else if (option == OPT_ENV)
		options->env = true;
	else if (option == OPT_WATCH)
		options->watch = true;
	else if (option == 'v')
		options->verbose = true;
	else if (option == OPT_KEYS)
		options->keys = true;
	else if (option == OPT_ROFF)
		options->roff = true;
	else if (option == OPT_APPLY)
		options->apply = true;
	else if (option == OPT_FOR)
		options->goal = value;
	else if (option == OPT_TIMEOUT)
		options->timeout = value;
}

int main(int argc, char **argv)
{
	struct options options = { .json = false };
	bool seen[OPT_MAX] = { false };
	const char *socket = NULL;
	static char path[512];
	struct ctl ctl;
	int option, ret;

	ctl_init(&ctl);
	while ((option = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_HELP:
		case 'h': fputs(help, stdout); return CTL_OK;
		case OPT_VERSION: puts("wnactl " WNA_VERSION); return CTL_OK;
		case OPT_SOCKET: socket = optarg; break;
		case OPT_RUN: ctl.run_dir = optarg; break;
		case '?': fputs("Try: wnactl --help\n", stderr); return CTL_USAGE;
		default:
			seen[option] = true;
			take_option(&options, option, optarg);
			break;
		}
	}
	if (optind == argc)
		return usage("a command is needed", "");
	for (int i = 0; i < OPT_MAX; i++)
		if (seen[i] && !option_fits(argv[optind], i))
			return usage("an option does not belong to ", argv[optind]);
	snprintf(path, sizeof path, "%s/hub", ctl.run_dir);
	ctl.socket = socket != NULL ? socket : path;
	ret = dispatch(&ctl, &options, argv[optind], argc - optind - 1, argv + optind + 1);
	/* A full disk or a closed pipe must not look like an answer. */
	if (fflush(stdout) != 0 && ret == CTL_OK) {
		perror("wnactl: standard output");
		return CTL_UNREACHABLE;
	}
	return ret;
}
