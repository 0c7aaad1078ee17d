"""What the boot tests stand on: the system in which the machine lives; and what is shown of it."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Iterator

import pytest

from .machine import Image
from .world import BootWorld


def place(variable: str) -> Path:
    return Path(os.environ[variable]).resolve()


@pytest.fixture(scope="module")
def note() -> Callable[[str], None]:
    """A figure for whoever reads the result: into a file that tests/boot/run shows."""
    path = place("WNA_BOOT_LOGS") / "notes"
    path.write_text("")

    def write(text: str) -> None:
        with path.open("a") as file:
            file.write(text + "\n")
    return write


@pytest.fixture(scope="module")
def world() -> Iterator[BootWorld]:
    logs = place("WNA_BOOT_LOGS")
    image = Image(place("WNA_BOOT_IMAGE"), os.environ["WNA_BOOT_ACCEL"])
    with (logs / "world.log").open("w") as log:
        def say(text: str) -> None:
            print(text, file=log, flush=True)
        made = BootWorld(place("WNA_BUILD"), "boot", image, place("WNA_BOOT_REPOSITORY"), logs, say)
        try:
            made.up()
            yield made
        finally:
            made.down()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Why something failed, as soon as it has: the rest takes minutes."""
    if report.failed:
        with (place("WNA_BOOT_LOGS") / "failures.log").open("a") as file:
            print(f"== {report.nodeid} ({report.when})\n{report.longreprtext}\n", file=file, flush=True)
