"""What web-node-agent-ready.service runs, as its unit says, by its user: it waits for an agent that
is not there yet, across restarts of it, and ends when all jobs are well."""
from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.process import Process
from parts.wait import wait_until

UNIT = Path(__file__).resolve().parents[2] / "packaging/systemd/web-node-agent-ready.service"


def setting(name: str) -> str:
    found = [line.partition("=")[2] for line in UNIT.read_text().splitlines()
             if line.startswith(f"{name}=")]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def agent(node: Node) -> Agent:
    """Ready as long as /run/good is there."""
    node.only("check web")
    node.agent.change("check web", type="file", path="/run/good", url=None, interval="100ms")
    return node.agent


@pytest.fixture
def waiting(node: Node) -> Process:
    user = setting("User")
    return node.host.spawn(
        "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs",
        *shlex.split(setting("ExecStart")), log="ready")


def wait_said(process: Process, words: str) -> None:
    wait_until(lambda: words in process.output().splitlines()[-1], f"it says {words}", 15)


def test_over_starts_stops_and_crashes(node: Node, agent: Agent, waiting: Process) -> None:
    wait_said(waiting, "the agent does not run")
    for _ in range(5):
        agent.start()
        wait_said(waiting, "/readyz is 503")
        node.host.kill(agent.pid("core"))
        wait_until(lambda: agent.pids("core"), "the core is exchanged")
        wait_said(waiting, "/readyz is 503")
        assert agent.stop() == 0
        wait_said(waiting, "the agent does not run")
    agent.start()
    wait_said(waiting, "/readyz is 503")
    assert waiting.running()
    node.host.sh("touch /run/good")
    assert waiting.wait(15) == 0
    assert waiting.output().splitlines()[-1].startswith("wnactl: ready after ")


def test_what_it_may_not_ask_ends_it(node: Node, agent: Agent) -> None:
    """Its user is let in by its group; one that is not is told so, and not for a year."""
    node.host.sh("touch /run/good")
    agent.start()
    agent.wait_page("/readyz", 200)
    command = shlex.split(setting("ExecStart"))

    def by(user: str) -> int:
        return node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                             *command, check=False).returncode
    assert by(setting("User")) == 0
    assert by("wna-check") == 5
