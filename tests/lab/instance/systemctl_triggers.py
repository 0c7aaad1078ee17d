"""Path and timer units of the stand-in for systemd."""
from __future__ import annotations

import ctypes
import os
import random
import selectors
import struct
import time
from pathlib import Path
from typing import Protocol

from .systemctl_jobs import Jobs
from .systemctl_units import ENDED, Service, Unit

IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE = 0x2, 0x4, 0x8
IN_MOVED, IN_CREATE, IN_DELETE = 0xC0, 0x100, 0x200
IN_NONBLOCK, IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
CHANGED = IN_CLOSE_WRITE | IN_MOVED | IN_CREATE | IN_DELETE | IN_ATTRIB
LOOK_S = 0.5  # for a folder to come that a path unit watches

_libc = ctypes.CDLL(None, use_errno=True)


class Owner(Protocol):
    root: str
    jobs: Jobs
    selector: selectors.BaseSelector
    boot: float

    def say(self, text: str) -> None: ...


def triggered(unit: Unit) -> str:
    section = unit.file.kind.capitalize()
    return unit.file.get("Unit", unit.name.rpartition(".")[0] + ".service", section)


class Triggers:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._fd = _libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        owner.selector.register(self._fd, selectors.EVENT_READ, self._events)
        self._watches: dict[int, Path] = {}   # descriptor → folder
        self._look: float | None = None
        self._timers: dict[str, float] = {}   # timer unit → when it elapses next

    def changed(self, unit: Unit) -> None:
        """A unit has another state."""
        kind = unit.file.kind
        if kind == "path" and unit.state == "active":
            self._watch(unit)
            if any(Path(self._owner.root + p).exists()
                   for p in unit.file.all("PathExists", "Path")):
                self._trigger(unit)
        elif kind == "timer":
            self._timers.pop(unit.name, None)
            if unit.state == "active":
                self._arm(unit, started=True)
        elif isinstance(unit, Service):
            for name, other in self._owner.jobs.units.items():
                if other.file.kind == "timer" and other.state == "active" and \
                        triggered(other) == unit.name and unit.state in ("active", *ENDED):
                    self._arm(other)

    def _trigger(self, unit: Unit) -> None:
        """Nothing, as with systemd, while what it would start is under way."""
        service = self._owner.jobs.unit(triggered(unit))
        if service.state in ENDED:
            self._owner.say(f"{unit.name}: starts {service.name}")
            self._owner.jobs.add(service, "start")

    # paths

    def _paths(self, unit: Unit) -> list[tuple[Path, int]]:
        """Each file and what counts as a change of it."""
        return [(Path(self._owner.root + path), mask)
                for key, mask in (("PathExists", CHANGED), ("PathChanged", CHANGED),
                                  ("PathModified", CHANGED | IN_MODIFY))
                for path in unit.file.all(key, "Path")]

    def _watch(self, unit: Unit) -> None:
        for path, mask in self._paths(unit):
            if not path.parent.is_dir():
                self._look = time.monotonic() + LOOK_S
                continue
            watch = _libc.inotify_add_watch(self._fd, os.fsencode(path.parent), mask)
            if watch < 0:
                raise OSError(ctypes.get_errno(), f"inotify: {path.parent}")
            self._watches[watch] = path.parent

    def _events(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return
        touched: set[Path] = set()
        while data:
            watch, _, _, length = struct.unpack_from("iIII", data)
            name = data[16:16 + length].rstrip(b"\0").decode(errors="replace")
            data = data[16 + length:]
            if watch in self._watches:
                touched.add(self._watches[watch] / name)
        self._touched(touched)

    def _touched(self, touched: set[Path]) -> None:
        for unit in list(self._owner.jobs.units.values()):
            if unit.file.kind == "path" and unit.state == "active" and \
                    touched & {path for path, _ in self._paths(unit)}:
                self._trigger(unit)

    def _look_again(self) -> None:
        """A folder that was missing: if it has come with the file in it, that is a change."""
        self._look = None
        for unit in list(self._owner.jobs.units.values()):
            if unit.file.kind == "path" and unit.state == "active":
                known = set(self._watches.values())
                self._watch(unit)
                self._touched({path for path, _ in self._paths(unit)
                               if path.parent not in known and path.exists()})

    # timers

    def _arm(self, unit: Unit, started: bool = False) -> None:
        file, now = unit.file, time.monotonic()
        service = self._owner.jobs.unit(triggered(unit))
        last = service.active_since if isinstance(service, Service) else 0.0
        known = []
        for key, base in (("OnActiveSec", unit.since), ("OnBootSec", self._owner.boot),
                          ("OnUnitActiveSec", last)):
            if file.get(key, section="Timer") and base:
                at = base + file.span(key, 0, "Timer")
                if at > now or (started and key == "OnBootSec"):
                    known.append(max(at, now))
        if known:
            spread = file.span("RandomizedDelaySec", 0, "Timer")
            self._timers[unit.name] = min(known) + random.uniform(0, spread)

    def deadline(self) -> float | None:
        known = [*self._timers.values(), *([self._look] if self._look else [])]
        return min(known) if known else None

    def late(self, now: float) -> None:
        for name in [name for name, at in self._timers.items() if at <= now]:
            del self._timers[name]
            self._trigger(self._owner.jobs.units[name])
        if self._look and self._look <= now:
            self._look_again()
