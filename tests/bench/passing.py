"""What a mount operation costs while it is at work: it is held in the middle, to be looked at."""
from __future__ import annotations

from typing import Any, Callable

from parts.wait import wait_until

from .cost import rollup
from .ground import Ground, median

HELPER = "/usr/bin/bindfs"  # of the file system: it does the holding
ASIDE = "/opt/aside/bindfs"
AT, GO = "/run/bench/at", "/run/bench/go"
# A shell has nothing to wait for a file with.
HOLD = f"#!/bin/bash\n: > {AT}\nuntil [ -e {GO} ]; do sleep 0.05; done\n"


def _most(ground: Ground, pids: Callable[[], list[int]]) -> dict[str, int]:
    """The largest of some looks, each the sum of the processes."""
    def look() -> dict[str, int]:
        each = [rollup(pid) for pid in pids()]
        return {key: sum(one[key] for one in each) for key in ("pss", "pss_anon", "vmhwm")}
    looks = ground.observe(0.5, 0.1, look)
    return {key: max(one[key] for one in looks) for key in looks[0]}


def _mount(ground: Ground) -> dict[str, int]:
    """The children of the keeper in which libmount works."""
    host, agent = ground.node.host, ground.agent
    keeper = agent.pid("mount")
    host.sh(f"rm -f {AT} {GO}")
    ground.world.shared.lose(host)
    wait_until(lambda: host.path(AT).exists(), "the helper is at work", 30)
    seen = _most(ground, lambda: [pid for pid in agent.pids("mount") if pid != keeper])
    host.write(GO, "")
    wait_until(lambda: agent.pids("mount") == [keeper], "it is done", 30)
    agent.wait_job("mount", "ok", 60)
    return seen


def _floor(ground: Ground) -> dict[str, int]:
    process = ground.floor("floor_mount")
    wait_until(lambda: "ready" in process.output(), "floor_mount is ready", 5)
    seen = _most(ground, lambda: [ground.floor_pid("floor_mount")])
    process.kill()
    return seen


def passing(ground: Ground) -> dict[str, Any]:
    """In turn with a minimal program with the same libraries; the rest of the agent runs
    meanwhile on both sides."""
    host = ground.node.host
    host.sh(f"mkdir -p -m 777 {AT.rpartition('/')[0]}; mkdir -p {ASIDE.rpartition('/')[0]}; "
            f"touch {GO}; cp {HELPER} {ASIDE}; rm {HELPER}")
    host.write(HELPER, f'{HOLD}exec {ASIDE} "$@"\n', 0o755)
    ground.start()
    rounds = [{"mount": {"agent": _mount(ground), "floor": _floor(ground)}}
              for _ in range(ground.pairs)]
    ground.stop()
    host.sh(f"rm {HELPER}; cp {ASIDE} {HELPER}")
    ground.raw("passing_kb", rounds)
    return {f"{side}_kb": {"mount": {key: median([one["mount"][side][key] for one in rounds])
                                     for key in ("pss", "pss_anon", "vmhwm")}}
            for side in ("agent", "floor")} | {"bar": "at most 1.25 of the floors"}
