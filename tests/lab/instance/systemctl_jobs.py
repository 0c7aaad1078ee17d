"""Jobs of the stand-in for systemd: orders to start, stop, restart and reload units, in the
order that After= and Before= want among those at hand, and what `enable` does to links."""
from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol

from . import systemctl_files as unitfile
from .systemctl_files import UnitFile
from .systemctl_units import ENDED, Service, Unit

Reply = Callable[[dict[str, Any]], None]


class Refused(Exception):
    """What systemctl then says."""


class Owner(Protocol):
    root: str
    logs: Path
    notify: str

    def say(self, text: str) -> None: ...
    def settled(self, unit: Unit, ok: bool, why: str) -> None: ...
    def changed(self, unit: Unit) -> None: ...


@dataclass
class Job:
    """`then`: called with "" when it is done, else with why it is not."""

    unit: Unit
    kind: str  # start, stop, restart, reload
    then: list[Callable[[str], None]] = field(default_factory=list)
    runs: bool = False


class Jobs:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.units: dict[str, Unit] = {}
        self._jobs: dict[str, Job] = {}  # at most one for a unit, as with systemd

    # units

    def unit(self, name: str) -> Unit:
        name = unitfile.full_name(name)
        if name not in self.units:
            file = unitfile.load(name, self._owner.root)
            if file is None:
                raise Refused(f"Unit {name} could not be found.")
            self._tell(file)
            kind = Service if file.kind == "service" else Unit
            self.units[name] = kind(file, self._owner)
        return self.units[name]

    def _tell(self, file: UnitFile) -> None:
        if file.ignored:
            self._owner.say(f"{file.name}: not honoured by this stand-in: {' '.join(file.ignored)}")

    def reload_files(self) -> None:
        """daemon-reload. A file that cannot be read leaves its unit as it was."""
        for unit in self.units.values():
            file = unitfile.load(unit.name, self._owner.root)
            if file is not None:
                self._tell(file)
                unit.file = file

    def needs(self, unit: Unit, how: str) -> list[str]:
        """Names by Requires= or Wants=, and by the links of `enable`."""
        links = {"Requires": "requires", "Wants": "wants"}[how]
        return unit.file.all(how, "Unit") + unitfile.linked(unit.name, links, self._owner.root)

    def first(self, one: Unit, other: Unit) -> bool:
        """Whether `one` has to be started before `other`."""
        return one.name in other.file.all("After", "Unit") or \
            other.name in one.file.all("Before", "Unit")

    # jobs

    def add(self, unit: Unit, kind: str, then: Callable[[str], None] | None = None) -> None:
        job = self._jobs.get(unit.name)
        if job and job.kind == kind:
            if then:
                job.then.append(then)
            return
        if job:
            self._finish(job, "canceled")
        if kind in ("start", "restart"):
            # Put down before the needs are followed: they may lead back here.
            self._jobs[unit.name] = Job(unit, kind, [then] if then else [])
            self._add_needs(unit)
            return
        if kind == "stop":
            for other in list(self.units.values()):
                if unit.name in self.needs(other, "Requires") and other.state not in ENDED:
                    self.add(other, "stop")
        self._jobs[unit.name] = Job(unit, kind, [then] if then else [])

    def _add_needs(self, unit: Unit) -> None:
        for how in ("Requires", "Wants"):
            for name in self.needs(unit, how):
                if name.rpartition(".")[2] not in unitfile.KINDS:
                    continue  # a mount's or a socket's: unknown here
                try:
                    other = self.unit(name)
                except (Refused, unitfile.BadUnit) as error:
                    if how == "Wants":
                        continue
                    self._finish(self._jobs[unit.name], str(error))
                    return
                if other.state in ENDED and other.name not in self._jobs:
                    self.add(other, "start")

    def dispatch(self) -> None:
        """Runs what may run now. What that settles at once may let others run."""
        again = True
        while again:
            again = False
            for job in list(self._jobs.values()):
                if not job.runs and self._jobs.get(job.unit.name) is job and self._may_run(job):
                    job.runs = again = True
                    self._run(job)

    def _may_run(self, job: Job) -> bool:
        return not any(other is not job and (
            self.first(other.unit, job.unit) if job.kind != "stop" else
            other.kind == "stop" and self.first(job.unit, other.unit))
            for other in self._jobs.values())

    def _run(self, job: Job) -> None:
        unit = job.unit
        if job.kind == "start":
            unit.start()
        elif job.kind in ("stop", "restart"):
            unit.stop()
        elif not (isinstance(unit, Service) and unit.reload()):
            self._finish(job, f"Job type reload is not applicable for unit {unit.name}.")

    def settled(self, unit: Unit, ok: bool, why: str) -> None:
        job = self._jobs.get(unit.name)
        if job is None or not job.runs:
            return
        if job.kind == "restart" and unit.state in ENDED:
            job.kind, job.runs = "start", False  # what it stored stays for it
            return
        if job.kind == "stop" and isinstance(unit, Service):
            unit.forget()
        self._finish(job, "" if ok else why)
        if not ok and job.kind == "start":
            for other in list(self._jobs.values()):
                if unit.name in self.needs(other.unit, "Requires") and not other.runs:
                    self._finish(other, f"A dependency job for {other.unit.name} failed.")

    def _finish(self, job: Job, why: str) -> None:
        if self._jobs.get(job.unit.name) is job:
            del self._jobs[job.unit.name]
        for then in job.then:
            then(why)

    # orders of systemctl

    def order(self, order: dict[str, Any], reply: Reply) -> None:
        op, names = order["op"], order.get("units", [])
        if op in ("start", "stop", "restart", "reload"):
            self._order_jobs(op, names, order.get("wait", True), reply)
        elif op in ("enable", "disable"):
            reply({"links": [link for name in names for link in self._links(op, name)]})
        elif op == "daemon-reload":
            self.reload_files()
            reply({})
        elif op == "show":
            reply({"units": [self._show(name) for name in names]})
        elif op == "list":
            reply({"units": [self.units[name].properties() for name in sorted(self.units)]})
        elif op == "kill":
            for name in names:
                unit = self.unit(name)
                if isinstance(unit, Service) and unit.main:
                    os.kill(unit.main, getattr(signal, order["signal"]))
            reply({})
        else:
            raise Refused(f"Unknown command verb {op}.")

    def _order_jobs(self, op: str, names: list[str], wait: bool, reply: Reply) -> None:
        units = [self.unit(name) for name in names]
        left = [len(units)]
        trouble: list[str] = []

        def one_done(why: str) -> None:
            left[0] -= 1
            if why:
                trouble.append(why)
            if left[0] == 0 and wait:
                reply({"error": "; ".join(trouble)} if trouble else {})
        for unit in units:
            self.add(unit, op, one_done)
        if not wait or not units:
            reply({})

    def _show(self, name: str) -> dict[str, str]:
        try:
            unit = self.unit(name)
        except Refused:
            return {"Id": unitfile.full_name(name), "LoadState": "not-found",
                    "ActiveState": "inactive", "SubState": "dead", "UnitFileState": ""}
        enabled = [p for p in self._link_places(unit.file) if p.is_symlink()]
        return {**unit.properties(), "UnitFileState": "enabled" if enabled else "disabled",
                "Log": str(self._owner.logs / f"{unit.name}.log")}

    def _link_places(self, file: UnitFile) -> list[Path]:
        top = Path(f"{self._owner.root}/etc/systemd/system")
        return [top / f"{target}.{how}" / file.name
                for key, how in (("WantedBy", "wants"), ("RequiredBy", "requires"))
                for target in file.all(key, "Install")]

    def _links(self, op: str, name: str) -> list[str]:
        """What was linked or removed."""
        file = self.unit(name).file
        changed = []
        for place in self._link_places(file):
            if op == "enable" and not place.is_symlink():
                place.parent.mkdir(exist_ok=True)
                place.symlink_to(str(file.path).removeprefix(self._owner.root))
                changed.append(f"Created symlink {place} → {file.path}.")
            elif op == "disable" and place.is_symlink():
                place.unlink()
                changed.append(f"Removed {place}.")
        return changed
