"""An instance's share of the machine: its control group (cgroup_tree.py) and the figures that
it sees of it (procstat.py)."""
from __future__ import annotations

from pathlib import Path

from parts.host import Host

from . import procstat
from .cgroup_tree import Control, CpuGroup, NoControlGroups, sweep

__all__ = ["Cgroups", "CpuGroup", "NoControlGroups", "sweep"]


class Cgroups:
    """For all instances of one build folder. NoControlGroups says in a line what the machine
    lacks. To be made in the mount namespace that the hosts are made from."""

    def __init__(self, build: Path) -> None:
        self._control = Control(build)
        folder = build / "lab"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._stat = procstat.make(self._control, folder)
        except BaseException:  # Ctrl-C is no Exception
            self._control.close()
            raise
        self.label = self._stat.label

    def binds(self, name: str) -> list[procstat.Bind]:
        """What the host of this name is to be made with."""
        return self._stat.binds(name)

    def give(self, host: Host) -> CpuGroup:
        """Puts a host that is up, made with these binds, into a group of its own, the whole
        processor to begin with, and shows it its own /proc/stat. What is entered into the
        host later has to be added; what those start is in it."""
        group = self._control.group(host.name)
        try:
            group.add(host.pid)
            self._stat.show(host, group)
        except BaseException:
            group.remove()
            raise
        return group

    def take(self, group: CpuGroup) -> None:
        """After its host has ended."""
        try:
            self._stat.hide(group)
        finally:
            group.remove()

    def close(self) -> None:
        try:
            self._stat.close()
        finally:
            self._control.close()
