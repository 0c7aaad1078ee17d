"""The seven tests run on a lab that is up (tests/lab/run up), one after the other."""
from __future__ import annotations

from typing import Any, Iterator

import pytest

from lab.client import Lab, patience
from lab.table import Notes

NOTES = pytest.StashKey[Notes]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = Notes()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was measured, after the verdicts."""
    for line in config.stash[NOTES].lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> Notes:
    return pytestconfig.stash[NOTES]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    found = Lab()
    yield found
    found.close()


@pytest.fixture
def settled(lab: Lab) -> Lab:
    """As at the beginning: the desired number of instances, all healthy."""
    lab.wait_healthy(lab.facts()["min_size"], patience(90))
    return lab
