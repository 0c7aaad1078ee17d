"""What the processes of one operation cost while they are at work: each is held in
the middle of it, so that there is something to look at."""
from __future__ import annotations

from typing import Any, Callable

from parts.shared import MOUNT_POINT
from parts.wait import wait_until

from .cost import rollup
from .ground import FLOORS, Ground, median

HELPER = "/usr/bin/bindfs"  # of the file system, and
SCRIPT = "/etc/web-node-agent/hooks.d/rds-change/10-bench"  # the hook: they do the holding
ASIDE = "/opt/aside/bindfs"
AT, GO = "/run/bench/at", "/run/bench/go"
# A shell has nothing to wait for a file with.
HOLD = f"#!/bin/bash\n: > {AT}\nuntil [ -e {GO} ]; do sleep 0.05; done\n"

FLOOR_OF = {"mount": ("floor_mount",), "probe": ("floor_probe", MOUNT_POINT, "stay"),
            "hook": ("floor_probe", "/", "stay")}


def _most(ground: Ground, pids: Callable[[], list[int]]) -> dict[str, int]:
    """The largest of some looks, each the sum of an operation's processes (libmount
    works in a child of wna-mount)."""
    def look() -> dict[str, int]:
        each = [rollup(pid) for pid in pids()]
        return {key: sum(one[key] for one in each) for key in ("pss", "pss_anon", "vmhwm")}
    looks = ground.observe(0.5, 0.1, look)
    return {key: max(one[key] for one in looks) for key in looks[0]}


def _held(ground: Ground, role: str, begin: Callable[[], object]) -> dict[str, int]:
    """begin() makes the agent start the operation, HOLD stops it half way."""
    host, agent = ground.node.host, ground.agent
    host.sh(f"rm -f {AT} {GO}")
    begin()
    wait_until(lambda: host.path(AT).exists(), f"wna-{role} is at work", 30)
    seen = _most(ground, lambda: agent.pids(role))
    host.write(GO, "")
    wait_until(lambda: not agent.pids(role), f"wna-{role} is done", 30)
    return seen


def _mount(ground: Ground) -> dict[str, int]:
    seen = _held(ground, "mount", lambda: ground.world.shared.lose(ground.node.host))
    ground.agent.wait_job("mount", "ok", 60)
    return seen


def _probe(ground: Ground) -> dict[str, int]:
    shared, host = ground.world.shared, ground.node.host
    shared.silence(host)
    wait_until(lambda: ground.agent.pids("probe"), "wna-probe is at work", 30)
    seen = _most(ground, lambda: ground.agent.pids("probe"))
    shared.speak(host)
    ground.agent.wait_job("mount", "ok", 60)
    return seen


def _hook(ground: Ground) -> dict[str, int]:
    database = ground.world.database
    database.repair()
    seen = _held(ground, "hook", lambda: database.failover("demote"))
    ground.agent.wait_job("database", "ok", 60)
    return seen


def _floor(ground: Ground, name: str, *args: str) -> dict[str, int]:
    process = ground.floor(name, *args)
    wait_until(lambda: "ready" in process.output(), f"{name} is ready", 5)
    seen = _most(ground, lambda: [ground.floor_pid(name)])
    process.kill()
    return seen


def passing(ground: Ground) -> dict[str, Any]:
    """wna-mount, wna-probe and wna-hook, each in turn with a minimal program with the
    same libraries; the rest of the agent runs meanwhile on both sides."""
    host, agent = ground.node.host, ground.agent
    host.sh(f"mkdir -p -m 777 {AT.rpartition('/')[0]}; mkdir -p {ASIDE.rpartition('/')[0]}; "
            f"touch {GO}; cp {HELPER} {ASIDE}; rm {HELPER}")
    host.write(HELPER, f'{HOLD}exec {ASIDE} "$@"\n', 0o755)
    host.write(SCRIPT, HOLD, 0o755)
    agent.change("hooks", enabled=True)
    ground.start()
    rounds = []
    for _ in range(ground.pairs):
        seen = {"mount": _mount(ground), "probe": _probe(ground), "hook": _hook(ground)}
        rounds.append({role: {"agent": kb, "floor": _floor(ground, *FLOOR_OF[role])}
                       for role, kb in seen.items()})
    ground.stop()
    agent.change("hooks", enabled=None)
    host.sh(f"rm {HELPER} {SCRIPT}; cp {ASIDE} {HELPER}")
    ground.world.database.reset()
    ground.raw("passing_kb", rounds)
    return {f"{side}_kb": {role: {key: median([one[role][side][key] for one in rounds])
                                  for key in ("pss", "pss_anon", "vmhwm")} for role in FLOOR_OF}
            for side in ("agent", "floor")} | {"bar": "at most 1.25 of the floors"}
