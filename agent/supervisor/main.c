/*
 * wnad(8): command line. Run by systemd, or by hand with -t, -T and --keys,
 * which read the configuration and touch nothing; with --purge when the agent is
 * removed.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf_load.h"
#include "purge.h"
#include "supervisor.h"

static const char usage[] =
        "usage: wnad [-c FILE] [-L FOLDER] [-d]\n"
        "       wnad [-c FILE] -t | -T\n"
        "       wnad --keys [--roff]\n"
        "       wnad [-L FOLDER] --purge\n"
        "\n"
        "The supervisor of web-node-agent. Stays in the foreground, logs to standard\n"
        "error, speaks sd_notify.\n"
        "\n"
        "  -c FILE    configuration; FILE's folder of the same name with .d is read too\n"
        "             (" CONF_FILE_DEFAULT ")\n"
        "  -L FOLDER  where the workers' executables are (" WNA_LIBEXEC ")\n"
        "  -d         log everything, whatever agent.log_level says\n"
        "  -t         check the configuration and this machine against it\n"
        "  -T         print the effective configuration\n"
        "  --keys     list all configuration keys; with --roff as the manual page does\n"
        "  --purge    remove what the agent has left on this machine: the immutable flag of\n"
        "             the bare directory, its folders in /run and /var/lib, and generated\n"
        "             files in /etc/web-node-agent; not mounts, not what was edited\n"
        "  --help, --version\n"
        "\n"
        "Signals: HUP reads the configuration anew and keeps the old one if the new one\n"
        "is bad; TERM stops within 8 seconds.\n"
        "\n"
        "Exit codes:\n"
        "  0  stopped as asked; -t: the configuration is good; --purge: all is gone\n"
        "  1  could not start (user missing, address in use ...); the log says why.\n"
        "     --purge: something could not be removed\n"
        "  2  wrong command line\n"
        "  3  a configuration file, or a file of certificates that it names, is missing or\n"
        "     cannot be read\n"
        "  4  not INI: syntax, duplicate section or key, line too long\n"
        "  5  a section or key that does not exist\n"
        "  6  a value out of range or of the wrong kind\n"
        "  7  a key that must be given is missing, or keys contradict each other\n"
        "  8  -t: a secret file is missing, empty, open to others or on a network\n"
        "     file system\n"
        "  9  --purge: wnad runs\n";

enum mode {
	MODE_RUN,
	MODE_TEST,
	MODE_PRINT,
	MODE_KEYS,
	MODE_PURGE,
	MODE_HELP,
	MODE_VERSION,
	MODE_USAGE
};

struct command {
	struct supervisor_options options;
	enum mode mode;
	bool roff;
};

static enum mode parse(int argc, char **argv, struct command *ret)
{
	enum { OPT_KEYS = 256, OPT_ROFF, OPT_PURGE, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "keys", no_argument, NULL, OPT_KEYS },
		{ "roff", no_argument, NULL, OPT_ROFF },
		{ "purge", no_argument, NULL, OPT_PURGE },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	unsigned modes = 0;
	int option;

	while ((option = getopt_long(argc, argv, "c:L:dtT", options, NULL)) != -1) {
		switch (option) {
		case 'c': ret->options.conf_file = optarg; break;
		case 'L': ret->options.libexec = optarg; break;
		case 'd': ret->options.debug = true; break;
		case OPT_ROFF: ret->roff = true; break;
		case OPT_HELP: return MODE_HELP;
		case OPT_VERSION: return MODE_VERSION;
		case 't':
		case 'T':
		case OPT_KEYS:
		case OPT_PURGE:
			ret->mode = option == 't'        ? MODE_TEST
			            : option == 'T'      ? MODE_PRINT
			            : option == OPT_KEYS ? MODE_KEYS
			                                 : MODE_PURGE;
			modes++;
			break;
		default: return MODE_USAGE;
		}
	}
	if (optind < argc || modes > 1 || (ret->roff && ret->mode != MODE_KEYS))
		return MODE_USAGE;
	return ret->mode;
}

/* Exit code = enum conf_error. */
static int check(const struct supervisor_options *options, bool print)
{
	struct conf_draft *draft = conf_read(options->conf_file);
	int code = SUPERVISOR_FAILED;

	if (!draft)
		return code;
	if (!print) {
		conf_check_machine(draft, "/proc/self/mountinfo");
		conf_check_users(draft);
		conf_check_meaning(draft);
	}
	for (int i = 0; i < draft->problems.count && i < CONF_PROBLEMS_MAX; i++)
		fprintf(stderr, "%s\n", draft->problems.item[i].text);
	for (int i = 0; i < draft->remarks.count && i < CONF_PROBLEMS_MAX; i++)
		fprintf(stderr, "%s\n", draft->remarks.item[i].text);
	code = (int)draft->problems.item[0].error;
	if (code == CONF_OK && print && conf_print(draft, stdout) < 0)
		code = SUPERVISOR_FAILED;
	if (code == CONF_OK && !print)
		printf("%s: good\n", options->conf_file);
	conf_draft_free(draft);
	return code;
}

int main(int argc, char **argv)
{
	struct command command = {
		.options = { .conf_file = CONF_FILE_DEFAULT, .libexec = WNA_LIBEXEC },
	};

	switch (parse(argc, argv, &command)) {
	case MODE_RUN: return supervisor_run(&command.options);
	case MODE_TEST: return check(&command.options, false);
	case MODE_PRINT: return check(&command.options, true);
	case MODE_KEYS: return conf_print_keys(stdout, command.roff) < 0 ? SUPERVISOR_FAILED : 0;
	case MODE_PURGE: return purge(command.options.libexec);
	case MODE_HELP: fputs(usage, stdout); return 0;
	case MODE_VERSION: printf("wnad %s\n", WNA_VERSION); return 0;
	case MODE_USAGE: break;
	}
	fputs("Try wnad --help.\n", stderr);
	return SUPERVISOR_USAGE;
}
