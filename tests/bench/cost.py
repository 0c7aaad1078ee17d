"""What the agent costs: memory and processor beside the floors, and its size."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from parts import mariadb, names
from parts.node import CA
from parts.wait import wait_until

from .ground import CLOUDWATCH, Ground

FLOOR_OF = {"wnad": "floor_event", "core": "floor_core", "check": "floor_check",
            "rds": "floor_mysql", "cloud": "floor_curl"}


def _rollup(pid: int) -> dict[str, int]:
    """kB: PSS, and the part of it that is anonymous."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        words = line.split()
        if words[0] in ("Pss:", "Pss_Anon:", "Rss:"):
            found[words[0].rstrip(":").lower()] = int(words[1])
    return found


def memory(ground: Ground) -> dict[str, Any]:
    """Each process after a while at work, beside a minimal program with the same
    libraries doing the least of the same job; TLS in use on both sides."""
    seconds = 20 if ground.quick else 90
    node = ground.node
    ground.start()
    time.sleep(seconds)  # the length of the look is what is measured
    agent = {role: _rollup(ground.agent.pid(role)) for role in FLOOR_OF}
    ground.stop()

    ground.floor("floor_event")
    ground.floor("floor_core")
    ground.floor("floor_check", "127.0.0.1", "80", "/health.html")
    ground.floor("floor_mysql", names.DATABASE_HOST, "3306", mariadb.AGENT_USER, CA,
                 stdin=mariadb.AGENT_PASSWORD)
    ground.floor("floor_curl", CLOUDWATCH, CA)
    pids = {role: ground.floor_pid(name) for role, name in FLOOR_OF.items()}
    wait_until(lambda: _rollup(pids["cloud"])["pss"] > 4000, "floor_curl has done TLS", 10)
    time.sleep(12 if ground.quick else 25)  # some periods of each floor's work
    floors = {role: _rollup(pid) for role, pid in pids.items()}
    for pid in pids.values():
        node.host.kill(pid)
    def total(side: dict[str, dict[str, int]], key: str) -> float:
        return sum(one[key] for one in side.values()) / 1024
    return {
        "agent_kb": agent, "floor_kb": floors,
        "agent_pss_mb": total(agent, "pss"), "floor_pss_mb": total(floors, "pss"),
        "agent_anon_mb": total(agent, "pss_anon"), "floor_anon_mb": total(floors, "pss_anon"),
        "ratio": total(agent, "pss") / total(floors, "pss"),
        "bar": "at most 1.25 of the floors; goal 12 MB PSS, 5 MB anonymous",
    }


class _Group:
    """A control group of its own: counts what ended children used, too."""

    def __init__(self) -> None:
        v1 = Path("/sys/fs/cgroup/cpuacct")
        root = v1 if v1.is_dir() else Path("/sys/fs/cgroup")
        self.folder = root / f"wna-bench-{os.getpid()}"
        self.folder.mkdir()
        self.v1 = v1.is_dir()

    def add(self, pid: int) -> None:
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


def processor(ground: Ground) -> dict[str, Any]:
    """Seconds of processor per minute, one-shot children included."""
    seconds = 20 if ground.quick else 60
    ground.start()
    group = _Group()
    for pid in ground.agent.all_pids():
        group.add(pid)
    rounds = []
    for _ in range(ground.pairs):
        before, start = group.used_s(), time.monotonic()
        time.sleep(seconds)  # the length of the look is what is measured
        rounds.append((group.used_s() - before) * 60 / (time.monotonic() - start))
    roles = {}
    for role in ("wnad", "core", "check", "rds", "cloud"):
        schedule = Path(f"/proc/{ground.agent.pid(role)}/schedstat").read_text()
        roles[role] = int(schedule.split()[0]) / 1e9
    ground.stop()
    group.remove()
    ground.raw("processor_s_per_min", rounds)
    rounds.sort()
    return {"s_per_min": rounds[len(rounds) // 2], "rounds": rounds,
            "since_start_s": roles, "bar": "at most 0.1 s per minute"}


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
