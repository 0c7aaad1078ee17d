"""What the units suite stands on: for each test a machine of its own, under a real systemd. By hand,
after `tests/check units` has built once:

    sudo build/check/venv/bin/python -m pytest -c tests/units/pytest.ini tests/units -k NAME
"""
from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Callable, Iterable, Iterator

import pytest

from parts.agent import ROLES, Agent
from parts.wait import wait_until
from rig.machine import BUILD, Machine
from setting import all_services, three_jobs

TESTS = Path(__file__).resolve().parents[1]
LOG_LINES = 60


def place(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or BUILD / default).resolve()


LOGS = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    folder = place("WNA_LOGS", "logs/units") / os.environ.get("PYTEST_XDIST_WORKER", "one")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config.stash[LOGS] = folder


@pytest.fixture
def stage() -> Path:
    """The agent as `cmake --install` laid it out."""
    return place("WNA_STAGE", "stage")


@pytest.fixture
def new_machine(request: pytest.FixtureRequest) -> Iterator[Callable[..., Machine]]:
    """Makes machines, not booted; each is closed after the test."""
    made: list[Machine] = []

    def make(*copies: Path, binds: Iterable[tuple[Path, str, str]] = ()) -> Machine:
        name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))
        made.append(Machine(f"{name[:40].strip('-')}-{len(made)}", request.config.stash[LOGS],
                            place("WNA_CACHE", "cache") / "rig-base", copies=list(copies),
                            binds=[(TESTS, "/lab", "ro"), *binds]))
        return made[-1]
    yield make
    for machine in made:
        machine.close()


@pytest.fixture
def machine(new_machine: Callable[..., Machine], stage: Path) -> Machine:
    """Booted, with the agent installed and neither configured nor started."""
    machine = new_machine(stage)
    Agent(machine).install()
    machine.boot()
    return machine


@pytest.fixture
def agent(machine: Machine) -> Agent:
    """Three jobs, started; /readyz is 200."""
    agent = three_jobs(machine)
    agent.start()
    agent.wait_page("/readyz", 200)
    return agent


@pytest.fixture
def whole(machine: Machine) -> Agent:
    """All seven services, started; /healthz is 200, and /readyz is not."""
    agent = all_services(machine)
    agent.start()
    agent.wait_page("/healthz", 200)
    wait_until(lambda: all(agent.pids(role) for role in ROLES), "all services run")
    return agent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Iterator[None]:
    """A failure comes with the end of the machines' journals."""
    report = yield
    if report.failed:
        for log in sorted(item.config.stash[LOGS].glob("*.log")):
            if log.stat().st_mtime > call.start and log.stat().st_size:
                lines = log.read_text(errors="replace").splitlines()
                report.sections.append((log.name, "\n".join(lines[-LOG_LINES:])))
    return report
