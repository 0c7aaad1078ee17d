/* Run by wnactl. Waits for systemctl. Owns nothing. */
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "str.h"

#define UNIT "web-node-agent"

enum { UNITS = 4, WORD = 64 };

struct unit {
	char id[WORD], load[WORD], active[WORD], result[WORD];
};

/* The units are separated by empty lines; the properties come in systemd's own order. */
static int read_units(FILE *from, struct unit *ret)
{
	static const char *const keys[] = { "Id=", "LoadState=", "ActiveState=", "Result=" };
	char line[256];
	int count = 0;

	memset(ret, 0, UNITS * sizeof *ret);
	while (count < UNITS && fgets(line, sizeof line, from)) {
		char *const values[] = { ret[count].id, ret[count].load, ret[count].active,
			                 ret[count].result };

		const char *word = str_trim(line);

		if (!word[0])
			count += ret[count].id[0] != '\0';
		for (int i = 0; word[0] && i < 4; i++)
			if (strncmp(word, keys[i], strlen(keys[i])) == 0)
				str_copy(values[i], WORD, word + strlen(keys[i]));
	}
	return count < UNITS && ret[count].id[0] ? count + 1 : count;
}

static bool is_in_order(const struct unit *unit)
{
	return strcmp(unit->load, "loaded") == 0 && strcmp(unit->active, "active") == 0;
}

static void tell_unit(FILE *to, const struct unit *unit)
{
	bool found = strcmp(unit->load, "loaded") == 0;
	bool failed = unit->result[0] && strcmp(unit->result, "success") != 0;

	fprintf(to, "  %s: %s%s%s%s\n", unit->id, found ? unit->active : unit->load,
	        failed ? " (" : "", failed ? unit->result : "", failed ? ")" : "");
	if (!found)
		fputs("    do: Install the package, then sudo systemctl daemon-reload.\n", to);
	else if (strcmp(unit->active, "inactive") == 0 && !failed)
		fprintf(to, "    do: sudo systemctl start " UNIT "\n");
	else
		fprintf(to, "    do: Read journalctl -n 20 -u %s.\n", unit->id);
}

void absent_tell(const struct ctl *ctl, FILE *units, const char *file)
{
	struct conf_draft *draft = conf_read(file);
	struct unit list[UNITS];
	int count = read_units(units, list), good = 0;

	/* The first has to be mended first: the others depend on it. */
	while (good < count && is_in_order(&list[good]))
		good++;
	if (good < count)
		tell_unit(ctl->err, &list[good]);
	else if (count > 0)
		fputs("  systemd has started its units\n"
		      "    do: Wait some seconds, then read journalctl -u '" UNIT "*'.\n",
		      ctl->err);
	else
		fputs("  systemd does not run here\n"
		      "    do: Run this where systemd starts the agent.\n",
		      ctl->err);
	if (draft && draft->problems.count > 0) {
		fprintf(ctl->err, "  the configuration is not good:\n");
		ctl_tell_problems(ctl, draft);
		fputs("    do: Correct it, run sudo wnactl check, then sudo systemctl restart " UNIT
		      ".\n",
		      ctl->err);
	}
	if (draft)
		conf_draft_free(draft);
}

void absent_explain(const struct ctl *ctl)
{
	FILE *units = popen("systemctl show --property=Id,LoadState,ActiveState,Result " UNIT
	                    ".service " UNIT "-hub.socket " UNIT "-core.service 2>/dev/null",
	                    "re");

	if (!units)
		return;
	absent_tell(ctl, units, CONF_FILE_DEFAULT);
	pclose(units);
}
