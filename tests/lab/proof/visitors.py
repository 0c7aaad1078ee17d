"""The tests' side of proof/visit.py: visitors on a host, and their results."""
from __future__ import annotations

import json
import os
import time
from typing import Any, Callable

from parts.process import Process
from parts.wait import wait_until

from lab.command.client import Inside, patience

PYTHON = "/usr/bin/python3"
VISIT = "/lab/lab/proof/visit.py"  # path on a host
Visit = dict[str, Any]


class Visitors:
    """Used as `with Visitors(...) as people:`; ends them at the end."""

    def __init__(self, host: Inside, url: str, workers: int = 2, pause_s: float = 0.05,
                 word: str = "", keep: bool = False) -> None:
        self.host = host
        read, self._write = os.pipe()
        arguments = [PYTHON, "-I", VISIT, url, str(workers), str(pause_s)]
        self._log = host.logs / f"{host.name}.visit-{time.monotonic_ns()}.log"
        arguments += [word, "keep"] if keep else [word] if word else []
        self.process = Process(host.enter(*arguments), self._log, read)
        os.close(read)
        self._file = self._log.open(encoding="utf-8", errors="replace")
        self._known: list[Visit] = []
        self._rest = ""  # an incomplete last line

    def __enter__(self) -> "Visitors":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self.process.stop()
        self.visits()  # reads the last results
        self._file.close()

    def visits(self, since: float = 0.0) -> list[Visit]:
        """The visits that began after a time.time(), sorted by their end. Only new lines are read:
        there may be tens of thousands."""
        if not self._file.closed:
            *lines, self._rest = (self._rest + self._file.read()).split("\n")
            self._known += [json.loads(line) for line in lines if line.startswith("{")]
        return [visit for visit in self._known if visit["at"] >= since]

    def wait(self, condition: Callable[[list[Visit]], Any], what: str, timeout: float = 30.0,
             since: float = 0.0) -> Any:
        """Waits until the condition is true for the visits so far."""
        return wait_until(lambda: condition(self.visits(since)), what, patience(timeout))


def good(visit: Visit) -> bool:
    return bool(200 <= visit["status"] < 400)


def bad(visits: list[Visit]) -> list[Visit]:
    return [visit for visit in visits if not good(visit)]


def addresses(visits: list[Visit]) -> set[str]:
    return {visit["address"] for visit in visits if visit["address"]}


def told(visits: list[Visit]) -> str:
    """The failures, each kind once with its count."""
    kinds: dict[str, int] = {}
    for visit in bad(visits):
        kind = f"{visit['status']} {visit['why'][:80]}"
        kinds[kind] = kinds.get(kind, 0) + 1
    return "; ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items())) or "none"
