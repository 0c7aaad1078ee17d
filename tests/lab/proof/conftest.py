"""The tests run on a lab that is up (tests/lab/run up), one after the other."""
from __future__ import annotations

import time
from typing import Any, Iterator

import pytest

from lab.command.client import Lab, Refused
from lab.command.proving import mutated
from lab.command.table import Notes
from parts.wait import wait_until

NOTES = pytest.StashKey[Notes]()
# Nobody knows in which state the lab is: before the first test, and after one that failed.
UNKNOWN = pytest.StashKey[bool]()
SETTLED_S = 120
SCALING = "AlarmNotification"  # the process that carries out what alarms want


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = Notes()
    config.stash[UNKNOWN] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.failed:
        item.config.stash[UNKNOWN] = True
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was measured, after the verdicts."""
    for line in config.stash[NOTES].lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> Notes:
    return pytestconfig.stash[NOTES]


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    found = Lab()
    try:
        yield found
        # Load that is over must not scale the group afterwards: after R4 alone, some minutes.
        if not (mutated() or request.session.shouldfail
                or request.session.exitstatus == pytest.ExitCode.INTERRUPTED):
            wait_until(lambda: found.alarms()["high"]["state"] != "ALARM", "no load is left", 150)
    finally:
        found.close()
        if not mutated():
            found.ask("restore")


@pytest.fixture(scope="session", autouse=True)
def began() -> float:
    """When the tests of this run began (Unix time)."""
    return time.time()


@pytest.fixture
def settled(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """As at the beginning: the template's rules and number of instances, all healthy, nothing
    cut, suspended or away; and what a test's own load does to the CPU scales nothing (R4 says
    otherwise for itself). Within a mutation the lab is as that wants it."""
    if mutated():
        return lab
    said = ""
    try:
        if request.config.stash[UNKNOWN]:
            lab.ask("restore")
            request.config.stash[UNKNOWN] = False
        lab.ask("suspend", process=SCALING)
        least = lab.facts()["min_size"]
        lab.ask("capacity", desired=least)
        lab.wait_healthy(least, SETTLED_S)
    except (AssertionError, OSError, Refused) as error:
        said = f"the lab cannot be made quiet again: {' '.join(str(error).split())[:500]}"
    if said:  # one error for this test, and none of the others, which would say the same
        request.session.shouldfail = said
        pytest.fail(said, pytrace=False)
    return lab


@pytest.fixture
def scaling(settled: Lab) -> Iterator[Lab]:
    """Settled, and the group scales by its alarms."""
    if not mutated():
        settled.ask("resume", process=SCALING)
    yield settled
    if not mutated():
        settled.ask("suspend", process=SCALING)
