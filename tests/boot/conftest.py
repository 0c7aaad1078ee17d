"""What the boot tests share. Each file is a machine's life, in a system of its own, so that two
of them run at the same time: tests/boot/run."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import pytest

from .machine import Image, Machine, overlay
from .world import BootWorld, Instance


def place(variable: str) -> Path:
    return Path(os.environ[variable]).resolve()


@pytest.fixture(scope="module")
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """A figure for whoever reads the result: into a file that tests/boot/run shows."""
    path = place("WNA_BOOT_LOGS") / f"notes.{request.module.__name__.rpartition('.')[2]}"
    path.write_text("")

    def write(text: str) -> None:
        with path.open("a") as file:
            file.write(text + "\n")
    return write


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[BootWorld]:
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    logs = place("WNA_BOOT_LOGS") / name
    logs.mkdir(parents=True, exist_ok=True)
    image = Image(place("WNA_BOOT_IMAGE"), os.environ["WNA_BOOT_ACCEL"])
    with (logs / "world.log").open("w") as log:
        def say(text: str) -> None:
            print(text, file=log, flush=True)
        made = BootWorld(place("WNA_BUILD"), f"boot/{name}", image, place("WNA_BOOT_REPOSITORY"),
                         logs, say)
        try:
            made.up()
            yield made
        finally:
            made.down()


@dataclass
class Born:
    """A machine that was installed and has been switched off, in the fixture `born` of a file."""
    instance: Instance
    disk: Path


@pytest.fixture
def again(world: BootWorld, born: Born, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """It, started from a disk that begins as its own."""
    disk = overlay(born.disk, world.disks / f"{request.node.name}.qcow2")
    machine = born.instance.boot(disk)
    yield machine
    machine.cut()
    disk.unlink()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Why something failed, as soon as it has: the rest takes minutes."""
    if report.failed:
        with (place("WNA_BOOT_LOGS") / "failures.log").open("a") as file:
            print(f"== {report.nodeid} ({report.when})\n{report.longreprtext}\n", file=file, flush=True)
