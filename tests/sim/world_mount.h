/*
 * The mount of a virtual node: the real keeper's decisions, and what mountinfo, the
 * attempts to mount and the probes say as the scenario wants it.
 */
#ifndef SIM_WORLD_MOUNT_H
#define SIM_WORLD_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "mount_keeper.h"

struct world;

/* How an attempt to mount, or a probe, ends. */
enum world_answer {
	ANSWER_HANGS, /* killed at its time-out */
	ANSWER_GIVEN, /* with a result, after 50 ms */
	ANSWER_DIES,  /* without a word, after 50 ms */
	ANSWER_STUCK, /* survives even SIGKILL */
};

struct world_oneshot {
	enum world_answer answer;
	int64_t value, id;
	char why[LIMIT_FACT_WHY];
	char mark[LIMIT_FACT_TEXT];
};

/* The proxy of the mount, if it has one. While there is a fault, probes hang. */
enum world_proxy {
	PROXY_NONE, /* plain NFS, without readings of mountstats */
	PROXY_WELL,
	PROXY_DEAD,
	PROXY_STUCK, /* its connection; a new proxy heals this one and the next */
	PROXY_FROZEN,
	PROXY_STALLED, /* the server; a new proxy does not help */
	PROXY_BUSY,    /* replies come, but not to the probe */
	PROXY_SILENT,  /* the mount target; the connection is stuck when it speaks again */
	PROXY_AWAY,    /* the mount target, but another one accepts connections */
};

struct world_mount {
	bool lives; /* the keeper */
	enum world_proxy proxy;
	bool watchdog;               /* of efs-utils; starts a proxy 2 s after the end of one */
	uint64_t sockets;            /* that have listened on its port */
	bool barren;                 /* no proxy that is started listens */
	struct heal_reading reading; /* of the kernel's tables */
	int64_t spawn_ms, reach_ms;  /* INT64_MAX: not under way */
	unsigned repairs;            /* proxies killed or started, since last looked at */
	struct keeper keeper;
	struct keeper_look there;               /* what is on the path, whoever mounted it */
	struct world_oneshot mount, probe;      /* what those that begin from now on do */
	struct world_oneshot mounting, probing; /* what those that are under way do */
	int64_t mount_ends_ms, probe_ends_ms, answers_ms; /* INT64_MAX: not under way */
	unsigned attempts, probes;                        /* begun since they were last looked at */
};

/* A keeper starts, on what is there. */
void world_mount_start(struct world *world);

/* From now on this is on the path. */
void world_mount_put(struct world *world, const struct keeper_look *there);

/* From now on the proxy is in this state. */
void world_mount_proxy(struct world *world, enum world_proxy proxy);

/* A probe that hangs returns, since the mount answers again. */
void world_mount_thaw(struct world *world);

/* A stuck child of the keeper ends. */
void world_mount_free(struct world *world);

/* Does what is due. False if nothing was. */
bool world_mount_run(struct world *world);
int64_t world_mount_next_ms(const struct world *world);

#endif
