"""A CPU of its own for each instance: a control group with a quota, as an instance type has
so and so many processors. What /proc/stat then shows in it is instance/procstat.py's matter.

Both kinds of hierarchies: version 1 (cpu, cpuacct and cpuset, mounted apart or together) and
version 2 (cpu and, if there, cpuset). An instance has one processor (cpuset), and `share` of
it. Folders are named wna-lab-<hash of the build folder>/<host>; those of a predecessor that
was killed are removed by sweep(). (Version 2: written by the documentation, not run here.)

Two folders per instance where the quota is kept: <host> has what the instance is told, and
<host>/all, where its processes are, a little less. The kernel counts user and system time by
ticks, and whoever is throttled at a tick was always caught by it: up to a tick too much in
every period. Told the same figure, an instance at its limit would see idle time run backwards,
which the agent takes for no reading at all.
"""
from __future__ import annotations

import errno
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


class NoControlGroups(RuntimeError):
    """What this machine lacks, in one line."""


def mounts() -> dict[str, Path]:
    """Controller → where its hierarchy is mounted; "unified" for version 2's."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        place, (kind, _, options) = Path(before.split()[4]), after.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("unified", place)
        elif kind == "cgroup":
            for word in options.split(","):
                if word in ("cpu", "cpuacct", "cpuset"):
                    found.setdefault(word, place)
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
        self.share = WHOLE
        self._control = control
        self._tops = [place / family(control.build) / name for place in control.places]
        self.folders = []
        try:
            for top in self._tops:
                top.mkdir(exist_ok=True)
                self.folders.append(self._prepare(top, cpu))
            self.limit(None)
        except OSError as error:
            self.remove()
            raise NoControlGroups(f"control group {name}: {error}") from error

    def _prepare(self, top: Path, cpu: int) -> Path:
        """Where processes go in this hierarchy."""
        if top in self._control.tops("cpuset", self.name):
            for file, text in (("cpuset.cpus", str(cpu)), ("cpuset.mems", self._control.mems)):
                (top / file).write_text(text)
        if top not in self._control.tops("cpu", self.name):
            return top
        if self._control.unified:
            (top / "cgroup.subtree_control").write_text(self._control.enable)
        inner = top / "all"
        inner.mkdir(exist_ok=True)
        if top in self._control.tops("cpuset", self.name) and not self._control.unified:
            for file, text in (("cpuset.cpus", str(cpu)), ("cpuset.mems", self._control.mems)):
                (inner / file).write_text(text)
        return inner

    def _quota(self, folder: Path, share: float | None) -> None:
        quota = -1 if share is None else max(1000, round(share * PERIOD_US))
        if self._control.unified:
            (folder / "cpu.max").write_text(f"{'max' if quota < 0 else quota} {PERIOD_US}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))

    def limit(self, share: float | None) -> None:
        """None: the whole processor, as a T instance has it at launch, by its credits."""
        top, = self._control.tops("cpu", self.name)
        self.share = share or WHOLE
        inner = None if share is None else share * REAL
        # The outer one may never be less than the inner one.
        self._quota(top / "all", None)
        self._quota(top, self.share)
        self._quota(top / "all", inner)

    def add(self, pid: int) -> None:
        """And what it starts from now on."""
        for folder in self.folders:
            try:
                (folder / "cgroup.procs").write_text(str(pid))
            except OSError as error:
                if error.errno != errno.ESRCH:  # it has ended
                    raise

    def used(self) -> tuple[float, float]:
        """Seconds of processor so far, as user and as system."""
        top, = self._control.tops("cpu" if self._control.unified else "cpuacct", self.name)
        if self._control.unified:
            lines = dict(line.split() for line in (top / "cpu.stat").read_text().splitlines())
            return int(lines["user_usec"]) / 1e6, int(lines["system_usec"]) / 1e6
        total = int((top / "cpuacct.usage").read_text()) / 1e9
        ticks = dict(line.split() for line in (top / "cpuacct.stat").read_text().splitlines())
        user, system = int(ticks["user"]), int(ticks["system"])
        part = user / (user + system) if user + system else 1.0
        return total * part, total * (1 - part)  # the sum is exact, the ticks are not

    def remove(self) -> None:
        remove_all(self._tops)


class Control:
    """The machine's control groups, for one build folder. NoControlGroups if it has none
    that can be used."""

    def __init__(self, build: Path) -> None:
        self.build = build
        found = mounts()
        self.unified = "cpu" not in found
        self._at = {"cpu": found.get("cpu"), "cpuacct": found.get("cpuacct"),
                    "cpuset": found.get("cpuset")}
        self.enable = ""
        if self.unified:
            self._at = self._use_unified(found.get("unified"))
        if not self._at["cpu"] or not (self.unified or self._at["cpuacct"]):
            raise NoControlGroups("control groups: the controllers cpu and cpuacct are not mounted")
        self.places = list(dict.fromkeys(place for place in self._at.values() if place))
        self.mems, self._cpus = self._processors()
        self._number = itertools.count()
        self._lock = threading.Lock()
        sweep(build)
        try:
            for place in self.places:
                self._family(place)
        except OSError as error:
            self.close()
            raise NoControlGroups(f"control groups: {error}") from error

    def _use_unified(self, place: Path | None) -> dict[str, Path | None]:
        if place is None:
            raise NoControlGroups("control groups: neither version 1's cpu nor version 2 is mounted")
        there = (place / "cgroup.controllers").read_text().split()
        if "cpu" not in there:
            raise NoControlGroups(f"control groups: {place} has no controller cpu")
        wanted = [name for name in ("cpu", "cpuset") if name in there]
        self.enable = " ".join(f"+{name}" for name in wanted)
        (place / "cgroup.subtree_control").write_text(self.enable)
        return {"cpu": place, "cpuacct": None, "cpuset": place if "cpuset" in wanted else None}

    def _processors(self) -> tuple[str, list[int]]:
        place = self._at["cpuset"]
        if place is None:
            return "0", sorted(os.sched_getaffinity(0))

        def get(name: str) -> str:
            for file in (place / f"{name}.effective", place / f"cpuset.effective_{name[7:]}",
                         place / name):
                if file.exists() and file.read_text().strip():
                    return file.read_text().strip()
            raise NoControlGroups(f"control groups: {place}/{name} says nothing")
        return get("cpuset.mems"), cpus(get("cpuset.cpus"))

    def _family(self, place: Path) -> None:
        folder = place / family(self.build)
        folder.mkdir(exist_ok=True)
        if self.unified:
            (folder / "cgroup.subtree_control").write_text(self.enable)
        elif place == self._at["cpuset"]:
            (folder / "cpuset.mems").write_text(self.mems)
            (folder / "cpuset.cpus").write_text(",".join(map(str, self._cpus)))

    def tops(self, controller: str, name: str) -> list[Path]:
        place = self._at[controller]
        return [place / family(self.build) / name] if place else []

    def group(self, name: str) -> CpuGroup:
        """For a new instance. The processors take turns."""
        with self._lock:
            number = next(self._number)
        return CpuGroup(name, self, self._cpus[number % len(self._cpus)])

    def close(self) -> None:
        remove_all([place / family(self.build) for place in self.places])
