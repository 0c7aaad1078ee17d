"""A processor of its own for each instance: a control group with a quota, as an instance type has
so and so many processors. What /proc/stat then shows in it is instance/procstat.py's matter.

Control groups of version 1: cpu, cpuacct and cpuset, mounted apart or together (lxcfs needs them, and
the rig's machines have been tried with no others). An instance has one processor (cpuset), and
`share` of it. Folders are named wna-lab-<hash of the build folder>/<host>; those of a predecessor
that was killed are removed by sweep().

Two folders per instance where the quota is kept: <host> has what the instance is told, and
<host>/all, where its processes are, a little less. The kernel counts user and system time by
ticks, and whoever is throttled at a tick was always caught by it: up to a tick too much in
every period. Told the same figure, an instance at its limit would see idle time run backwards,
which the agent takes for no reading at all.
"""
from __future__ import annotations

import hashlib
import itertools
import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

from parts.wait import Late, wait_until

PERIOD_US = 200_000
REAL = 0.86  # of what is told
WHOLE = 1.0
END_S = 5.0  # for processes of a group to end, and then for the group
CONTROLLERS = ("cpu", "cpuacct", "cpuset")


class NoControlGroups(RuntimeError):
    """What this machine lacks, in one line."""


def mounts() -> dict[str, Path]:
    """Controller → where its hierarchy of version 1 is mounted."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup":
            for word in set(options.split(",")).intersection(CONTROLLERS):
                found.setdefault(word, Path(before.split()[4]))
    return found


def family(build: Path) -> str:
    """The name of all groups of one build folder."""
    return "wna-lab-" + hashlib.sha256(str(build.resolve()).encode()).hexdigest()[:12]


def cpus(text: str) -> list[int]:
    """A kernel's list, "0-2,5"."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def members(folder: Path) -> list[int]:
    """The processes that are in a group or below it."""
    found: list[int] = []
    for place in (folder, *folder.rglob("*")):
        try:
            if place.is_dir():
                found += map(int, (place / "cgroup.procs").read_text().split())
        except FileNotFoundError:
            pass  # the group has gone meanwhile
    return found


def _rmdir(folder: Path) -> bool:
    """With all below it: groups cannot be removed as a tree."""
    for path in (*sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True), folder):
        try:
            path.rmdir()
        except FileNotFoundError:
            pass  # gone is gone
    return True


def remove(folder: Path, kill: bool = True) -> None:
    """A group that has a process, one that is just ending too, cannot be removed: it gets
    END_S for that. What lives longer is killed if `kill`: nothing is in a group of ours that
    we did not put there, and no group is left behind for its sake. Then once more for a
    moment: the kernel lets go of a group a little after its last process."""
    if not folder.is_dir():
        return
    try:
        wait_until(lambda: not members(folder), f"{folder} has no process any more", END_S)
    except Late:
        if not kill:
            raise
        for pid in members(folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not members(folder), f"what was in {folder} is killed", END_S)
    wait_until(lambda: _rmdir(folder), f"{folder} can be removed", END_S)


def remove_all(folders: list[Path], kill: bool = True) -> None:
    """Each, whatever becomes of the others."""
    with ExitStack() as stack:
        for folder in folders:
            stack.callback(remove, folder, kill)


def sweep(build: Path) -> None:
    """Whatever a predecessor left. Its processes ended with it; should one not have, it
    may be of a lab that lives, and is not touched."""
    remove_all([place / family(build) for place in set(mounts().values())], kill=False)


class CpuGroup:
    """One instance's. `folders`: a process is in it once its number stands in the cgroup.procs
    of each of them."""

    def __init__(self, name: str, control: "Control", cpu: int) -> None:
        self.name = name
        self._tops = {place: place / family(control.build) / name for place in control.places}
        self._told = self._tops[control.at["cpu"]]
        self.folders = [self._told / "all" if top == self._told else top
                        for top in self._tops.values()]
        try:
            for place, top in self._tops.items():
                for folder in dict.fromkeys((top, top / "all" if top == self._told else top)):
                    folder.mkdir(exist_ok=True)
                    if place == control.at["cpuset"]:
                        (folder / "cpuset.cpus").write_text(str(cpu))
                        (folder / "cpuset.mems").write_text(control.mems)
            self.limit(None)
        except OSError as error:
            self.remove()
            raise NoControlGroups(f"control group {name}: {error}") from error

    @staticmethod
    def _quota(folder: Path, share: float | None) -> None:
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(
            str(-1 if share is None else max(1000, round(share * PERIOD_US))))

    def limit(self, share: float | None) -> None:
        """None: the whole processor, as a T instance has it at launch, by its credits."""
        # The outer one may never be less than the inner one.
        self._quota(self._told / "all", None)
        self._quota(self._told, share or WHOLE)
        self._quota(self._told / "all", None if share is None else share * REAL)

    def remove(self) -> None:
        remove_all(list(self._tops.values()))


class Control:
    """The machine's control groups, for one build folder. NoControlGroups if it has none
    that can be used."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self.at = mounts()
        missing = [name for name in CONTROLLERS if name not in self.at]
        if missing:
            raise NoControlGroups("control groups: not mounted in version 1: " + ", ".join(missing))
        self.places = list(dict.fromkeys(self.at.values()))
        self.mems, processors = (self._inherited(name) for name in ("cpuset.mems", "cpuset.cpus"))
        self._cpus = cpus(processors)
        self._number = itertools.count()
        self._lock = threading.Lock()
        sweep(build)
        try:
            for place in self.places:
                folder = place / family(build)
                folder.mkdir(exist_ok=True)
                if place == self.at["cpuset"]:
                    (folder / "cpuset.mems").write_text(self.mems)
                    (folder / "cpuset.cpus").write_text(processors)
        except OSError as error:
            self.close()
            raise NoControlGroups(f"control groups: {error}") from error

    def _inherited(self, name: str) -> str:
        place = self.at["cpuset"]
        for file in (place / f"cpuset.effective_{name[7:]}", place / name):
            if file.exists() and file.read_text().strip():
                return file.read_text().strip()
        raise NoControlGroups(f"control groups: {place}/{name} says nothing")

    def group(self, name: str) -> CpuGroup:
        """For a new instance, the whole processor to begin with. The processors take turns."""
        with self._lock:
            number = next(self._number)
        return CpuGroup(name, self, self._cpus[number % len(self._cpus)])

    def close(self) -> None:
        remove_all([place / family(self.build) for place in self.places])
