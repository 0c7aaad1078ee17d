"""The tests' side of proof/reach.py: probes from a host, listeners on a host."""
from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from typing import Iterable

REACH = "/lab/lab/proof/reach.py"
PYTHON = ("/usr/bin/python3", "-I")
Target = tuple[str, int, str]  # address, port, "tcp", "udp" or "icmp"


class Place:
    """A place for a program: a host, or a namespace without a host (an endpoint's ENI)."""

    def __init__(self, enter: list[str], reach: str = REACH) -> None:
        self.enter = enter
        self.reach = reach

    def command(self, *arguments: str) -> list[str]:
        return [*self.enter, *PYTHON, self.reach, *arguments]


def place_of(host: object) -> Place:
    return Place(host.enter())  # type: ignore[attr-defined]


def namespace(path: str) -> Place:
    """Only the network is the other's: the program is a file of this checkout."""
    return Place(["nsenter", f"--net={path}", "--"], str(Path(__file__).with_name("reach.py")))


def start(place: Place, targets: Iterable[Target]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(place.command("probe"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(list(targets)))
    process.stdin.close()
    return process


def verdicts(process: "subprocess.Popen[str]", timeout: float = 60.0) -> list[str]:
    assert process.stdout
    text = process.stdout.read()
    if process.wait(timeout) != 0:
        raise RuntimeError(f"the probe ended with {process.returncode}")
    return list(json.loads(text))


def probe(host: object, targets: Iterable[Target]) -> list[str]:
    return verdicts(start(place_of(host), targets))


class Listener:
    """reach.py's listener at a place, until closed."""

    def __init__(self, place: Place, ports: Iterable[int]) -> None:
        read, self._write = os.pipe()
        self._process = subprocess.Popen(place.command("listen", *map(str, ports)), stdin=read,
                                         stdout=subprocess.PIPE, text=True)
        os.close(read)

    def wait(self) -> None:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], 15)
        line = self._process.stdout.readline() if ready else ""
        if line != "listening\n":
            raise RuntimeError("no listener could be started")

    def close(self) -> None:
        os.close(self._write)
        self._process.wait(10)
