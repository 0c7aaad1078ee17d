"""The tests run on a running lab (tests/lab/run up), one after the other."""
from __future__ import annotations

import time
from typing import Any, Iterator

import pytest

from lab.command.client import Lab, Refused
from lab.command.proving import mutated
from lab.command.table import Notes
from parts.wait import wait_until

NOTES = pytest.StashKey[Notes]()
# Before the first test, and after a failed test, the state of the lab is unknown.
UNKNOWN = pytest.StashKey[bool]()
SETTLED_S = 120
SCALING = "AlarmNotification"  # the process that acts on alarms


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
    """Prints the measured values after the verdicts."""
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
        # Load of an earlier test must not scale the group later: after R4 alone, for some minutes.
        if not (mutated() or request.session.shouldfail
                or request.session.exitstatus == pytest.ExitCode.INTERRUPTED):
            wait_until(lambda: found.alarms()["high"]["state"] != "ALARM", "no load is left", 150)
    finally:
        found.close()
        if not mutated():
            found.ask("restore")


@pytest.fixture(scope="session", autouse=True)
def began() -> float:
    """The start of this test run (Unix time)."""
    return time.time()


@pytest.fixture
def settled(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """The initial state: the template's rules and number of instances, all healthy, nothing cut or
    suspended. Alarms do not scale: a test's own load must not (R4 enables them). Within a mutation
    the lab stays as the mutation wants it."""
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
    if said:  # an error of this test only: later tests would report the same
        request.session.shouldfail = said
        pytest.fail(said, pytrace=False)
    return lab


@pytest.fixture
def scaling(settled: Lab) -> Iterator[Lab]:
    """Like `settled`, and alarms scale the group."""
    if not mutated():
        settled.ask("resume", process=SCALING)
    yield settled
    if not mutated():
        settled.ask("suspend", process=SCALING)
