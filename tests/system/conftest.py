"""What the system suite stands on: one network for a run (parts.world), new web
instances for each test. By hand, after `tests/check system` has built once:

    sudo build/check/venv/bin/python -m pytest -c tests/system/pytest.ini tests/system -k NAME
"""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Iterator

import pytest

from parts.agent import Agent
from parts.mariadb import Database
from parts.node import Node
from parts.scripted import ScriptedAws
from parts.world import World

BUILD = Path(__file__).parent.parent.parent / "build" / "check"
LOG_LINES = {True: 60, False: 6}  # the machines', all others'


def place(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or BUILD / default).resolve()


def pytest_configure(config: pytest.Config) -> None:
    # Each parallel worker has a network of its own.
    config.stash[LOGS] = place("WNA_LOGS", "logs/system") / os.environ.get(
        "PYTEST_XDIST_WORKER", "one")


LOGS = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def world(pytestconfig: pytest.Config) -> Iterator[World]:
    folder = pytestconfig.stash[LOGS]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cache = place("WNA_CACHE", "cache")
    made = World(place("WNA_STAGE", "stage"), place("WNA_VENV", "venv"), cache, folder)
    yield made
    made.close()  # fails if a process is left behind


@pytest.fixture
def new_node(world: World) -> Iterator[Callable[[], Node]]:
    """Makes web instances; each is taken down after the test, and its agent must
    then leave in good order."""
    made: list[Node] = []

    def make() -> Node:
        made.append(world.add_node())
        return made[-1]
    yield make
    failures = []
    for node in made:
        try:
            if node.agent.running():
                status = node.agent.stop()
                if status != 0:
                    failures.append(f"{node.host.name}: {status} services failed in leaving")
                elif left := node.agent.all_pids():
                    failures.append(f"{node.host.name}: left after stop: {left}")
        finally:
            world.remove(node)
    assert not failures, failures


@pytest.fixture
def node(new_node: Callable[[], Node]) -> Node:
    return new_node()


@pytest.fixture
def agent(node: Node) -> Agent:
    """The agent of `node`, configured by the test, not started."""
    return node.agent


@pytest.fixture
def database(world: World) -> Iterator[Database]:
    """The pair as at the beginning, for tests that change it."""
    world.database.reset()
    yield world.database
    world.database.reset()


@pytest.fixture
def scripted(world: World) -> Iterator[ScriptedAws]:
    yield world.use_scripted()
    world.use_moto()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Iterator[None]:
    """A failure comes with what the agents and servers logged last."""
    report = yield
    if report.failed:
        folder = item.config.stash[LOGS] / "logs"
        since = call.start - 120
        for log in sorted(folder.glob("*.log")) if folder.is_dir() else []:
            if log.stat().st_mtime > since and log.stat().st_size:
                lines = log.read_text(errors="replace").splitlines()
                report.sections.append((log.name, "\n".join(lines[-LOG_LINES[log.name.startswith("web-")]:])))
    return report
