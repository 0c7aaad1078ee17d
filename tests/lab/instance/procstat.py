"""Each instance's own /proc/stat, so that load on one is that one's figure and nobody else's.

By lxcfs where it can (control groups of version 1): real, with --enable-cfs it shows the time
of the reader's group against its quota. It knows the reader by its pid namespace's first
process, whose group must have the same name in cpu, cpuacct and cpuset.

With version 2 lxcfs 5.0 has no time by group (it asks cpuacct, which is version 1's alone, and
takes the quota from version 1's cpu) and shows the whole machine's. Figures then stands in: a
file in /proc/stat's form, written by this process four times a second. (Run here with version
1's counters; not with version 2's.)
"""
from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Protocol

from parts.host import ENVIRONMENT, Host
from parts.wait import wait_until

from .cgroup_tree import Control, CpuGroup

INSIDE = "/var/lib/lab-stat"  # where the folder with the files is in an instance
EVERY_S = 0.25
TICKS = 100  # a second, in /proc/stat

# lxcfs keeps its own view of the control groups in /run/lxcfs: in a mount namespace of its own
# that is a tmpfs which ends with it. Only what it mounts below the shared folder comes out.
# It ends when standard input does, which is when whoever started it ends.
LXCFS = """
mount -t tmpfs -o mode=755 lab /run
lxcfs -f --enable-cfs -p /run/lxcfs.pid "$1" </dev/null &
read -r _
kill "$!"
wait
"""


Bind = tuple[Path, str, str]


class Stat(Protocol):
    label: str

    def binds(self, name: str) -> list[Bind]:
        """What the host of this name must be made with."""

    def show(self, host: Host, group: CpuGroup) -> None:
        """Puts it over the host's /proc/stat."""

    def hide(self, group: CpuGroup) -> None:
        """The instance is gone."""

    def close(self) -> None: ...


class Lxcfs:
    label = "real: lxcfs, against the group's quota"

    def __init__(self, folder: Path) -> None:
        shared = folder / "lxcfs"
        self._mounted = shared / "mnt"
        self._mounted.mkdir(parents=True, exist_ok=True)
        self._shared = shared
        subprocess.run(["mount", "--bind", str(shared), str(shared)], check=True)
        subprocess.run(["mount", "--make-shared", str(shared)], check=True)
        with (folder / "lxcfs.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", LXCFS, "lxcfs",
                 str(self._mounted)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=ENVIRONMENT, cwd="/", start_new_session=True)

        def there() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"lxcfs ended: {(folder / 'lxcfs.log').read_text()[-300:]}")
            return (self._mounted / "proc/stat").exists()
        try:
            wait_until(there, "lxcfs serves", 10)
        except BaseException:
            self.close()
            raise

    def binds(self, name: str) -> list[Bind]:
        return [(self._mounted / "proc", INSIDE, "rw")]

    def show(self, host: Host, group: CpuGroup) -> None:
        host.run("mount", "--bind", f"{INSIDE}/stat", "/proc/stat")

    def hide(self, group: CpuGroup) -> None:
        pass

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
        # What the file system's end left of its mount, and the one that made it visible.
        for place in (self._mounted, self._shared):
            subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)


class Figures:
    label = "a stand-in: a file written by the lab (lxcfs needs control groups of version 1)"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "stat"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._groups: dict[str, tuple[CpuGroup, list[float]]] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def _file(self, group: CpuGroup) -> Path:
        return self._folder / group.name / "stat"

    def binds(self, name: str) -> list[Bind]:
        (self._folder / name).mkdir(exist_ok=True)
        return [(self._folder / name, INSIDE, "ro")]

    def show(self, host: Host, group: CpuGroup) -> None:
        with self._lock:
            user, system = group.used()
            # user, system and idle ticks so far; then what was read at last, and when
            self._groups[group.name] = (group, [0, 0, 0, user, system, time.monotonic()])
            self._write(*self._groups[group.name])
        host.run("mount", "--bind", f"{INSIDE}/stat", "/proc/stat")

    def hide(self, group: CpuGroup) -> None:
        with self._lock:
            self._groups.pop(group.name, None)

    def _write(self, group: CpuGroup, state: list[float]) -> None:
        now, (user, system) = time.monotonic(), group.used()
        scale = TICKS / (group.share if group.share < 1 else 1)
        spent = [max(0.0, (user - state[3]) * scale), max(0.0, (system - state[4]) * scale)]
        room = (now - state[5]) * TICKS
        if sum(spent) > room:  # beyond the share for a moment
            spent = [part * room / sum(spent) for part in spent]
        for index, more in enumerate((*spent, room - sum(spent))):
            state[index] += more
        state[3:] = [user, system, now]
        counts = " ".join(f"{int(n):10d}" for n in (state[0], 0, state[1], state[2], *[0] * 6))
        text = f"cpu  {counts}\ncpu0 {counts}\nbtime {int(time.time() - time.monotonic())}\n"
        # In place and of one length: a reader holds the file open.
        fd = os.open(self._file(group), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
        os.pwrite(fd, text.encode(), 0)
        os.close(fd)

    def _write_all(self) -> None:
        while not self._end.wait(EVERY_S):
            with self._lock:
                for group, state in self._groups.values():
                    try:
                        self._write(group, state)
                    except OSError:
                        pass  # the instance is just being taken down

    def close(self) -> None:
        self._end.set()
        self._thread.join()


def make(control: Control, folder: Path) -> Stat:
    return Figures(folder) if control.unified or not lxcfs_can(control) else Lxcfs(folder)


def lxcfs_can(control: Control) -> bool:
    """It looks for the hierarchies by name below /sys/fs/cgroup, cpuset's among them."""
    return all(control.tops(name, "x") and str(control.tops(name, "x")[0]).startswith(
        "/sys/fs/cgroup/") for name in ("cpu", "cpuacct", "cpuset"))
