/*
 * wnad(8): command line. Run by systemd; with --purge when the agent is removed.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "purge.h"
#include "supervisor.h"

static const char usage[] =
        "usage: wnad [-c FILE] [-L FOLDER] [-d]\n"
        "       wnad [-L FOLDER] --purge\n"
        "\n"
        "The supervisor of web-node-agent. Stays in the foreground, logs to standard\n"
        "error, speaks sd_notify.\n"
        "\n"
        "  -c FILE    configuration; FILE's folder of the same name with .d is read too\n"
        "             (" CONF_FILE_DEFAULT ")\n"
        "  -L FOLDER  where the workers' executables are (" WNA_LIBEXEC ")\n"
        "  -d         log everything, whatever agent.log_level says\n"
        "  --purge    remove what the agent has left on this machine: the immutable flag of\n"
        "             the bare directory, its folders in /run and /var/lib, and generated\n"
        "             files in /etc/web-node-agent; not mounts, not what was edited\n"
        "  --help, --version\n"
        "\n"
        "Signals: HUP reads the configuration anew and keeps the old one if the new one\n"
        "is bad; TERM stops within 8 seconds.\n"
        "\n"
        "Exit codes:\n"
        "  0  stopped as asked; --purge: all is gone\n"
        "  1  could not start (user missing, address in use ...); the log says why.\n"
        "     --purge: something could not be removed\n"
        "  2  wrong command line\n"
        "  3 to 7  the configuration is bad; as wnactl check, which see\n"
        "  9  --purge: wnad runs\n";

enum mode { MODE_RUN, MODE_PURGE, MODE_HELP, MODE_VERSION, MODE_USAGE };

struct command {
	struct supervisor_options options;
	enum mode mode;
};

static enum mode parse(int argc, char **argv, struct command *ret)
{
	enum { OPT_PURGE = 256, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "purge", no_argument, NULL, OPT_PURGE },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:L:d", options, NULL)) != -1) {
		switch (option) {
		case 'c': ret->options.conf_file = optarg; break;
		case 'L': ret->options.libexec = optarg; break;
		case 'd': ret->options.debug = true; break;
		case OPT_HELP: return MODE_HELP;
		case OPT_VERSION: return MODE_VERSION;
		case OPT_PURGE: ret->mode = MODE_PURGE; break;
		default: return MODE_USAGE;
		}
	}
	return optind < argc ? MODE_USAGE : ret->mode;
}

int main(int argc, char **argv)
{
	struct command command = {
		.options = { .conf_file = CONF_FILE_DEFAULT, .libexec = WNA_LIBEXEC },
	};

	switch (parse(argc, argv, &command)) {
	case MODE_RUN: return supervisor_run(&command.options);
	case MODE_PURGE: return purge(command.options.libexec);
	case MODE_HELP: fputs(usage, stdout); return 0;
	case MODE_VERSION: printf("wnad %s\n", WNA_VERSION); return 0;
	case MODE_USAGE: break;
	}
	fputs("Try wnad --help.\n", stderr);
	return SUPERVISOR_USAGE;
}
