"""What the agent costs: memory and processor beside the floors, and its size."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterable

from parts import mariadb, names
from parts.node import CA
from parts.shared import MOUNT_POINT
from parts.wait import wait_until

from .ground import CLOUDWATCH, Ground, median

FLOOR_OF = {"mount": "floor_event", "probe": "floor_probe", "core": "floor_core",
            "check": "floor_check", "rds": "floor_mysql", "cloud": "floor_curl"}


def rollup(pid: int) -> dict[str, int]:
    """kB: PSS, the part of it that is anonymous, and the most that was ever resident."""
    found = {}
    for file in ("smaps_rollup", "status"):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            words = line.split()
            if words[0] in ("Pss:", "Pss_Anon:", "VmHWM:"):
                found[words[0].rstrip(":").lower()] = int(words[1])
    return found


class _Group:
    """A control group of its own: counts what ended children used, too."""

    def __init__(self, pids: Iterable[int]) -> None:
        v1 = Path("/sys/fs/cgroup/cpuacct")
        root = v1 if v1.is_dir() else Path("/sys/fs/cgroup")
        self.folder = root / f"wna-bench-{os.getpid()}"
        self.folder.mkdir()
        self.v1 = v1.is_dir()
        for pid in pids:
            (self.folder / "cgroup.procs").write_text(str(pid))

    def used_s(self) -> float:
        if self.v1:
            return int((self.folder / "cpuacct.usage").read_text()) / 1e9
        for line in (self.folder / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec"):
                return int(line.split()[1]) / 1e6
        raise RuntimeError("no cpu.stat")

    def remove(self) -> None:
        wait_until(lambda: not (self.folder / "cgroup.procs").read_text(), "group is empty", 10)
        self.folder.rmdir()


def _look(pids: dict[str, int], group: _Group, seconds: float) -> dict[str, Any]:
    """Seconds of processor per minute, one-shot children included, over so long,
    and the memory after it."""
    before, start = group.used_s(), time.monotonic()
    time.sleep(seconds)  # the length of the look is what is measured
    used = (group.used_s() - before) * 60 / (time.monotonic() - start)
    return {"s_per_min": used, "kb": {role: rollup(pid) for role, pid in pids.items()}}


def _agent(ground: Ground, seconds: float) -> dict[str, Any]:
    ground.start()
    group = _Group(ground.agent.all_pids())
    seen = _look({role: ground.agent.pid(role) for role in FLOOR_OF}, group, seconds)
    ground.stop()
    group.remove()
    return seen


def _floors(ground: Ground, seconds: float) -> dict[str, Any]:
    """The file system that the agent has mounted is still there to be probed."""
    ground.floor("floor_event")
    ground.floor("floor_probe", MOUNT_POINT, "5")
    ground.floor("floor_core")
    ground.floor("floor_check", "127.0.0.1", "80", "/health.html")
    ground.floor("floor_mysql", names.DATABASE_HOST, "3306", mariadb.AGENT_USER, CA,
                 stdin=mariadb.AGENT_PASSWORD)
    ground.floor("floor_curl", CLOUDWATCH, CA)
    pids = {role: ground.floor_pid(name) for role, name in FLOOR_OF.items()}
    wait_until(lambda: rollup(pids["cloud"])["pss"] > 4000, "floor_curl has done TLS", 10)
    group = _Group(pids.values())
    seen = _look(pids, group, seconds)
    for pid in pids.values():
        ground.node.host.kill(pid)
    group.remove()
    return seen


def _total_mb(side: dict[str, Any], key: str) -> float:
    return sum(one[key] for one in side["kb"].values()) / 1024


def cost(ground: Ground) -> dict[str, Any]:
    """The resident processes for a minute at work, beside minimal programs with the
    same libraries doing the least of the same jobs, TLS in use on both sides. The
    two sides in turn and never at once: PSS shares a library among its users."""
    seconds = 20 if ground.quick else 60
    rounds = [{"agent": _agent(ground, seconds), "floor": _floors(ground, seconds)}
              for _ in range(ground.pairs)]
    ground.raw("cost", rounds)

    def over(side: str, key: str) -> float:
        return median([_total_mb(one[side], key) for one in rounds])

    def each(side: str) -> dict[str, dict[str, float]]:
        return {role: {key: median([one[side]["kb"][role][key] for one in rounds])
                       for key in ("pss", "pss_anon", "vmhwm")} for role in FLOOR_OF}
    ratios = [_total_mb(one["agent"], "pss") / _total_mb(one["floor"], "pss") for one in rounds]
    used = {side: [one[side]["s_per_min"] for one in rounds] for side in ("agent", "floor")}
    return {
        "memory": {
            "agent_kb": each("agent"), "floor_kb": each("floor"),
            "agent_pss_mb": over("agent", "pss"), "floor_pss_mb": over("floor", "pss"),
            "agent_anon_mb": over("agent", "pss_anon"), "floor_anon_mb": over("floor", "pss_anon"),
            "ratio": median(ratios), "ratios": ratios,
            "bar": "at most 1.25 of the floors; goal 12 MB PSS, 5 MB anonymous"},
        "processor": {
            "s_per_min": median(used["agent"]), "floor_s_per_min": median(used["floor"]),
            "rounds": used, "bar": "at most 0.1 s per minute"},
    }


def size(ground: Ground) -> dict[str, Any]:
    """What a package would hold, executables stripped."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "stage"
        shutil.copytree(ground.build / "stage", copy, symlinks=True)
        files = [p for p in copy.rglob("*") if p.is_file() and not p.is_symlink()]
        for file in files:
            if file.read_bytes()[:4] == b"\x7fELF":
                subprocess.run(["strip", str(file)], check=True)
        sizes = {str(f.relative_to(copy)): f.stat().st_size for f in files}
    return {"files": sizes, "total_kb": sum(sizes.values()) / 1024, "bar": "at most 1 MB"}
