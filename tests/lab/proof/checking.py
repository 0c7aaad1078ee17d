"""Health checks of a test's own: like the load balancer's, but without a pause."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from lab.aws.probe import probe
from lab.command.client import Lab

PERIOD_S = 0.05


@dataclass(frozen=True)
class Check:
    """The check's settings in the template."""
    health_port: int
    health_path: str
    timeout: int


@dataclass(frozen=True)
class Checked:
    at: float    # time.time()
    status: int  # 0: refused, cut or timeout
    reason: str
    took_s: float


class Checks:
    """Twenty checks a second, from a node of the load balancer. Used as `with Checks(...) as
    checks:`."""

    def __init__(self, lab: Lab, address: str) -> None:
        facts = lab.facts()
        self._check = Check(facts["health_port"], facts["health_path"], facts["health_timeout"])
        self._node = lab.host(next(name for name, host in lab.hosts().items() if host["kind"] == "alb"))
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checks", daemon=True)
        self._all: list[Checked] = []

    def __enter__(self) -> "Checks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        due = time.monotonic()
        with self._node.net():
            while not self._stop.is_set():
                at, began = time.time(), time.monotonic()
                result = probe(self._address, self._check, self._stop)
                if not self._stop.is_set():
                    self._all.append(Checked(at, result.code, result.reason, time.monotonic() - began))
                due = max(due + PERIOD_S, time.monotonic())
                self._stop.wait(due - time.monotonic())

    def since(self, at: float) -> list[Checked]:
        return [checked for checked in self._all if checked.at >= at]
