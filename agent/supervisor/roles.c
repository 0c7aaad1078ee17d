/* wnad; pure, never blocks. */
#include "roles.h"

#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

#define CAP(x) (UINT64_C(1) << CAP_##x)
#define MIB(n) (UINT64_C(n) << 20)

/*
 * What a mount operation needs. The TLS proxy that mount.efs leaves behind
 * inherits this set, so it is as much about that process as about libmount:
 *
 *	SYS_ADMIN         mount(2); setns(2) of the helper's netns option
 *	DAC_OVERRIDE      reach a mount point below folders of the web server's user
 *	FOWNER            FS_IOC_SETFLAGS on a directory that user owns
 *	LINUX_IMMUTABLE   the immutable flag of the bare directory
 *	NET_BIND_SERVICE  mount.nfs asks from a reserved port
 *	CHOWN SETUID SETGID  helpers that drop privileges (rpc.statd, stunnel)
 *	KILL              a helper ending what it started under another user
 *	IPC_LOCK          TLS libraries lock key memory
 *
 * Not: SYS_PTRACE (helpers read world-readable parts of /proc only),
 * NET_ADMIN, SYS_MODULE (the kernel loads file-system modules by itself).
 */
#define MOUNT_CAPS                                                                                 \
	(CAP(SYS_ADMIN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(LINUX_IMMUTABLE) |                 \
	 CAP(NET_BIND_SERVICE) | CAP(CHOWN) | CAP(SETUID) | CAP(SETGID) | CAP(KILL) |              \
	 CAP(IPC_LOCK))

static const struct role_info roles[ROLE_MAX] = {
	[ROLE_CORE] = {
		.exe = "wna-core",
		.user = "wna",
		.end_slot = 2,
		.resident = true,
		.late_kills = true,
		.limit_ms = 5000,
		.parts = PART_ALL,
		/* The health answer is the last thing this machine may lose. */
		.oom_score_adj = -900,
		.nice = -5,
		.address_space = MIB(256),
	},
	/*
	 * No limit but on core dumps, and privileges may be gained: the proxy lives
	 * on with whatever is set here, mount.nfs is entered through an SELinux
	 * domain transition, which no_new_privs forbids, and losing the proxy to the
	 * OOM killer hangs the mount, so its score is what it would be from fstab.
	 */
	[ROLE_MOUNT] = {
		.exe = "wna-mount",
		.end_slot = 1,
		.parts = PART_AGENT | PART_MOUNT,
		.caps = MOUNT_CAPS,
		.gains = true,
	},
	[ROLE_PROBE] = {
		.exe = "wna-probe",
		.user = "wna-probe",
		.end_slot = 1,
		.late_kills = true,
		.parts = PART_AGENT | PART_MOUNT,
		.oom_score_adj = 200,
		.nofile = 32,
		.address_space = MIB(64),
		.cpu_s = 10,
	},
	[ROLE_CHECK] = {
		.exe = "wna-check",
		.user = "wna-check",
		.end_slot = 1,
		.resident = true,
		.late_kills = true,
		.limit_ms = 15000,
		/* No check touches the shared file system: it knows where that is. */
		.parts = PART_AGENT | PART_CHECKS | PART_MOUNT,
		.oom_score_adj = -500,
		.nofile = 256,
		.address_space = MIB(256),
	},
	/* One step of straight-line code: resolve, connect, TLS, log in, ask. */
	[ROLE_RDS] = {
		.exe = "wna-rds",
		.user = "wna-rds",
		.end_slot = 1,
		.resident = true,
		.late_kills = true,
		.limit_ms = 60000,
		.parts = PART_AGENT | PART_RDS,
		.nofile = 256,
		.address_space = MIB(512),
	},
	[ROLE_CLOUD] = {
		.exe = "wna-cloud",
		.user = "wna-cloud",
		.end_slot = 1,
		.resident = true,
		.late_kills = true,
		.limit_ms = 20000,
		.parts = PART_AGENT | PART_IMDS | PART_METRICS,
		.nofile = 256,
		.address_space = MIB(512),
	},
	/*
	 * An operator's script. It may gain privileges only where it runs as root,
	 * because there is nothing left to gain then, and no_new_privs would only
	 * break the SELinux transition of, say, systemctl. Its capabilities are
	 * then those of the unit; see spawn.c.
	 */
	[ROLE_HOOK] = {
		.exe = "wna-hook",
		.first_slot = 1,
		.end_slot = HOOK_EVENT_MAX,
		.finishes = true,
		.parts = PART_AGENT | PART_HOOKS,
	},
};

const struct role_info *role_info(enum role role)
{
	if ((unsigned)role >= ROLE_MAX || !roles[role].exe)
		return NULL;
	return &roles[role];
}

bool role_wanted(enum role role, const struct conf *conf)
{
	switch (role) {
	case ROLE_CORE:
	case ROLE_CLOUD: /* identity is always wanted, metrics or not */ return true;
	case ROLE_MOUNT:
	case ROLE_PROBE: return conf->mount.enabled;
	case ROLE_CHECK: return conf->checks.count > 0;
	case ROLE_RDS: return conf->rds.enabled;
	case ROLE_HOOK: return conf->hooks.enabled;
	case ROLE_WNAD:
	case ROLE_MAX: break;
	}
	return false;
}

int64_t role_limit_ms(enum role role, const struct conf *conf)
{
	switch (role) {
	case ROLE_MOUNT: return conf->mount.timeout_ms;
	case ROLE_PROBE: return conf->mount.probe_timeout_ms;
	case ROLE_HOOK: return conf->hooks.timeout_ms;
	default: return roles[role].limit_ms;
	}
}

uint64_t role_nofile(enum role role, const struct conf *conf)
{
	/* Beside its connections: listeners, sockets, epoll and the reserve. */
	if (role == ROLE_CORE)
		return (uint64_t)conf->health.max_connections + 64;
	return roles[role].nofile;
}

unsigned conf_changed_parts(const struct conf *a, const struct conf *b)
{
	static const struct {
		unsigned part;
		size_t offset, size;
	} members[] = {
#define MEMBER(part, name) { part, offsetof(struct conf, name), sizeof(((struct conf *)0)->name) }
		MEMBER(PART_AGENT, agent), MEMBER(PART_HEALTH, health),   MEMBER(PART_IMDS, imds),
		MEMBER(PART_MOUNT, mount), MEMBER(PART_CHECKS, checks),   MEMBER(PART_RDS, rds),
		MEMBER(PART_HOOKS, hooks), MEMBER(PART_METRICS, metrics),
#undef MEMBER
	};
	unsigned changed = 0;

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (memcmp((const char *)a + members[i].offset, (const char *)b + members[i].offset,
		           members[i].size) != 0)
			changed |= members[i].part;
	}
	return changed;
}
