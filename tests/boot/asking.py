"""Who looks at a machine from outside, without a pause; and who does not answer it."""
from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Iterator

from lab.aws.probe import probe
from lab.model.model import TargetGroup
from lab.world import World
from parts.host import Host

PERIOD_S = 0.05
PATIENCE = 5


@dataclass(frozen=True)
class Probed:
    at: float    # time.time()
    status: int  # 0: refused, cut or too late
    reason: str
    took_s: float


class Probes:
    """Health checks by a load balancer's node, twenty a second, as the template's target group
    has them but for the interval; and, of a machine that is emulated and so many times slower
    than a real one, with more patience. Used as `with Probes(...) as probes:`."""

    def __init__(self, world: World, address: str, emulated: bool) -> None:
        group = world.model.target_group
        self.patience_s = group.timeout * (PATIENCE if emulated else 1)
        self._group: TargetGroup = replace(group, timeout=self.patience_s)
        self._host = next(iter(world.services.alb.nodes.values())).host
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
        self.all: list[Probed] = []

    def __enter__(self) -> "Probes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            at, began = time.time(), time.monotonic()
            with self._host.net():
                result = probe(self._address, self._group, self._stop)
            if not self._stop.is_set():
                self.all.append(Probed(at, result.code, result.reason, time.monotonic() - began))
            due = max(due + PERIOD_S, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def failed(self, since: float = 0.0) -> list[Probed]:
        return [p for p in self.all if p.at >= since and p.status != 200]


@contextmanager
def vanished(host: Host, port: int) -> Iterator[None]:
    """What comes to a port of the host is dropped meanwhile."""
    host.sh("nft add table inet away; "
            "nft 'add chain inet away input { type filter hook input priority 0; }'; "
            f"nft add rule inet away input tcp dport {port} drop")
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "away")
