"""A control group for each instance, with a CPU quota like the processor of an instance type.
instance/procstat.py makes /proc/stat show the quota.

Control groups of version 1: cpu, cpuacct and cpuset, mounted apart or together (lxcfs needs
version 1, and the rig's machines were tested only with it). An instance has one processor
(cpuset), and `share` of it. Folders are named wna-lab-<hash of the build folder>/<host>; sweep()
removes the folders of a lab that was killed.

An instance has two folders: <host> has the quota that lxcfs shows; <host>/all, where the processes
are, has a slightly lower quota. The reason: the kernel counts user and system time in ticks and
always charges a throttled process a whole tick, up to one tick too much in every period. With
equal quotas the idle time of an instance at its limit would run backwards, and the agent would
reject the reading."""
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
REAL = 0.86  # part of the shown quota
WHOLE = 1.0
END_S = 5.0  # for processes of a group to end, and then for the group
CONTROLLERS = ("cpu", "cpuacct", "cpuset")


class NoControlGroups(RuntimeError):
    """The missing feature of this machine, in one line."""


def mounts() -> dict[str, Path]:
    """Controller → mount point of its version 1 hierarchy."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup":
            for word in set(options.split(",")).intersection(CONTROLLERS):
                found.setdefault(word, Path(before.split()[4]))
    return found


def family(build: Path) -> str:
    """The name of the parent group of one build folder."""
    return "wna-lab-" + hashlib.sha256(str(build.resolve()).encode()).hexdigest()[:12]


def cpus(text: str) -> list[int]:
    """Parses a kernel's list, "0-2,5"."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def members(folder: Path) -> list[int]:
    """The processes in a group and below it."""
    found: list[int] = []
    for place in (folder, *folder.rglob("*")):
        try:
            if place.is_dir():
                found += map(int, (place / "cgroup.procs").read_text().split())
        except FileNotFoundError:
            pass  # the group has been removed meanwhile
    return found


def _rmdir(folder: Path) -> bool:
    """Removes a group with its subgroups, one by one."""
    for path in (*sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True), folder):
        try:
            path.rmdir()
        except FileNotFoundError:
            pass  # already removed
    return True


def remove(folder: Path, kill: bool = True) -> None:
    """A group with a process, even one that is ending, cannot be removed: processes get END_S to
    end. With `kill` the rest is killed; our groups have only our processes. Then the removal is
    retried for a moment, because the kernel releases a group shortly after its last process."""
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
    """Removes all groups, even if one fails."""
    with ExitStack() as stack:
        for folder in folders:
            stack.callback(remove, folder, kill)


def sweep(build: Path) -> None:
    """Removes the groups of a lab that was killed. A group with a process may belong to a running
    lab and stays."""
    remove_all([place / family(build) for place in set(mounts().values())], kill=False)


class CpuGroup:
    """The control group of one instance. A process joins by writing its pid to cgroup.procs of
    each of `folders`."""

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
        """None: the whole processor, as a T instance has at launch through its credits."""
        # The outer quota must never be lower than the inner quota.
        self._quota(self._told / "all", None)
        self._quota(self._told, share or WHOLE)
        self._quota(self._told / "all", None if share is None else share * REAL)

    def remove(self) -> None:
        remove_all(list(self._tops.values()))


class Control:
    """The machine's control groups, for one build folder. Raises NoControlGroups if they are not
    usable."""

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
        raise NoControlGroups(f"control groups: {place}/{name} is empty")

    def group(self, name: str) -> CpuGroup:
        """Makes the group of a new instance, with a whole processor at first. Processors are
        assigned in turn."""
        with self._lock:
            number = next(self._number)
        return CpuGroup(name, self, self._cpus[number % len(self._cpus)])

    def close(self) -> None:
        remove_all([place / family(self.build) for place in self.places])
