"""Upgrade and downgrade without rpm: other executables are put in the place of the running
ones as rpm does it, and some time later the agent is restarted. The other version is the same
build with another mark of the contract and another version number, so that neither wnad nor a
worker takes it for its own. (The package's own upgrade is in tests/boot.)"""
from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from parts.agent import LIBEXEC, WNAD, Agent
from parts.node import Node
from parts.wait import wait_until
from parts.world import World
from probing import Probing

MARK = re.compile(rb"web-node-agent contract [0-9a-f]{32}")
VERSION = re.compile(rb'0\.1\.0(?="?\0)')
PATHS = (WNAD, "/usr/bin/wnactl", *(f"{LIBEXEC}/wna-{role}" for role in (
    "core", "mount", "probe", "check", "rds", "cloud", "hook")))
RESIDENT = ("check", "rds", "cloud")


def other(data: bytes) -> bytes:
    """The same executable as of another version."""
    def turned(match: re.Match[bytes]) -> bytes:
        return match[0][:-32] + match[0][-32:].translate(
            bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0"))
    assert VERSION.search(data)
    return VERSION.sub(b"0.9.9", MARK.sub(turned, data))


class Versions:
    """Both, ready to be put into a host."""

    def __init__(self, stage: Path) -> None:
        old = {path: (stage / path[1:]).read_bytes() for path in PATHS}
        new = {path: other(data) for path, data in old.items()}
        assert sum(bool(MARK.search(data)) for data in old.values()) == len(PATHS) - 1
        assert MARK.search(new[WNAD]) and MARK.search(new[WNAD])[0] != MARK.search(old[WNAD])[0]
        self.of = {"0.1.0": old, "0.9.9": new}

    def install(self, node: Node, version: str, *paths: str) -> None:
        """Beside the old file first, then renamed over it: whoever runs it goes on."""
        for path in paths or PATHS:
            node.host.write(f"{path}.rpmnew~", self.of[version][path], 0o755)
            os.rename(node.host.path(f"{path}.rpmnew~"), node.host.path(path))


@pytest.fixture
def versions(world: World) -> Versions:
    return Versions(world.stage)


def pids(agent: Agent, role: str) -> list[int]:
    """Also those whose executable is not there any more."""
    return sorted(pid for pid, exe in agent.host.ps().items()
                  if exe.split(" ")[0] == f"{LIBEXEC}/wna-{role}")


def runs(agent: Agent, role: str) -> int:
    """How many of a one-shot there have been, by FACT_CHILD's "3 runs"."""
    found = re.search(r"(\d+) runs?$", agent.fact(f"child.{role}")["text"])
    return int(found[1]) if found else 0


def in_log(agent: Agent, text: str) -> None:
    wait_until(lambda: text in agent.log(), f"the log says {text!r}")


@pytest.fixture
def agent(node: Node) -> Agent:
    """All five jobs, and CloudWatch out of reach, so that samples wait on the disk."""
    node.give_role()
    node.web.start(php=False)
    node.host.cut("tcp dport 443")
    node.agent.start()
    node.agent.wait_page("/healthz", 200, timeout=30)
    node.agent.wait_fact("push-queued", timeout=30)
    return node.agent


def test_under_load(node: Node, agent: Agent, versions: Versions) -> None:
    """Up and down again, each time with ten seconds of probes of the file system between the
    new files and the restart, in which workers end and are started."""
    wait_until(lambda: agent.fact("push-queued")["value"] > 0, "a sample waits", 30)
    servers, mounts = node.shared.servers(node.host), node.shared.mounts(node.host)
    agent.wait_job("mount", "ok")
    begun = time.monotonic()
    with Probing(agent, "/healthz") as probing:
        for here, there in (("0.1.0", "0.9.9"), ("0.9.9", "0.1.0")):
            versions.install(node, there)
            assert agent.ctl("--version").stdout.split()[-1] == there
            before = runs(agent, "probe")
            for role in RESIDENT:
                old = pids(agent, role)
                node.host.kill(old[0])
                wait_until(lambda: pids(agent, role) not in ([], old), f"a new {role}")
            wait_until(lambda: runs(agent, "probe") > before + 20, "10 s of probes", 40)
            assert agent.status()["version"] == here
            assert "mount" in agent.ctl("status", check=False).stdout
            assert "of another version" not in agent.log()
            agent.wait_job("mount", "ok")
            agent.wait_job("checks", "ok")
            queued = agent.fact("push-queued")["value"]
            assert agent.stop() == 0
            assert not pids(agent, "core")
            agent.start()
            assert agent.status()["version"] == there
            in_log(agent, f"version {there} started")
            agent.wait_job("mount", "ok")
            agent.wait_fact("push-queued", timeout=30)
            assert agent.fact("push-queued")["value"] >= queued > 0
            assert agent.fact("push-lost")["value"] == 0
            assert node.shared.servers(node.host) == servers
            assert node.shared.mounts(node.host) == mounts
        answered = probing.answered
        wait_until(lambda: probing.answered > answered + 50, "probing goes on")
    assert not probing.problems, probing.problems[:3]
    assert probing.reset == 0, "a core that is asked to leave answers what it holds"
    assert probing.answered / (time.monotonic() - begun) > 50, "probes a second"
    node.host.mend()
    wait_until(lambda: agent.fact("push-queued")["value"] == 0, "CloudWatch has them all", 40)
    assert agent.fact("push-lost")["value"] == 0


def test_a_restart_turns_no_answer(node: Node, agent: Agent) -> None:
    """The checks need two good results each time, and the mount is looked at anew: the
    answer goes on from the last one meanwhile."""
    with Probing(agent, "/healthz") as probing:
        for end in (agent.stop, lambda: node.host.kill(agent.pid("wnad"))):
            end()
            wait_until(lambda: not agent.all_pids(), "all are gone")
            agent.start()
            agent.wait_job("mount", "ok")
            agent.wait_job("checks", "ok")
    assert not probing.problems, probing.problems[:3]


def test_what_has_failed_meanwhile_is_seen(node: Node, agent: Agent) -> None:
    """The last answer is no promise: with the web server gone it turns as it always does."""
    assert agent.stop() == 0
    node.web.stop_httpd()
    agent.start()
    agent.wait_page("/healthz", 503)
    # And what was bad is not called good for a moment.
    assert agent.stop() == 0
    agent.start(wait=False)
    codes = set()

    def ready() -> bool:
        codes.add(agent.code("/healthz"))
        return agent.ready()
    wait_until(ready, "wnad says READY=1", 15)
    assert codes == {503}


def test_nothing_mounted_is_seen_at_once(node: Node, agent: Agent) -> None:
    """The file system has gone meanwhile, and mounting it takes long: an empty directory is not
    called healthy for start_grace, whatever the last answer was. Not even to those who have
    waited since before the start, however soon a check has spoken."""
    agent.change("health", start_grace="20s")
    agent.change("mount", timeout="30s")
    agent.change("check hosts", type="file", path="/etc/hosts")
    agent.reload()
    agent.wait_page("/healthz", 200)
    assert agent.stop() == 0
    node.shared.lose(node.host)
    node.host.write("/usr/bin/bindfs", "#!/bin/sh\nexec sleep 25\n", 0o755)
    waiting = [agent.connection() for _ in range(20)]
    for connection in waiting:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n")
    agent.start()
    assert {connection.receive().status for connection in waiting} == {503}
    for connection in waiting:
        connection.close()
    answer = agent.wait_page("/healthz", 503, 10)
    assert answer.status == 503 and not node.shared.mounts(node.host)
    assert agent.job("mount")["why"].startswith("not mounted yet")


def test_another_versions_worker_refuses(node: Node, versions: Versions) -> None:
    """Where wnad could not hold the executable, since it was not there at the start."""
    probe = f"{LIBEXEC}/wna-probe"
    node.only("mount")
    agent = node.agent
    node.host.path(probe).unlink()
    agent.start()
    in_log(agent, "cannot execute: No such file")
    versions.install(node, "0.9.9", probe)
    in_log(agent, "wna-probe: wnad is of another version and has to be restarted")
    in_log(agent, "exited with code 64")
    assert agent.code("/healthz") == 200 and agent.code("/readyz") == 503
    versions.install(node, "0.1.0", probe)
    agent.wait_page("/readyz", 200)


def test_a_key_of_a_later_version(node: Node, agent: Agent) -> None:
    """A downgrade under a configuration that needs the later one: said with file, line and
    key; nothing is lost, and what systemd starts next takes the mended file."""
    queue = "/var/lib/web-node-agent/cloud/queue-1.db"
    agent.change("mount", later_key="yes")
    done = agent.reload()
    assert done.returncode != 0 and "mount.later_key: unknown key" in done.stderr + done.stdout
    assert agent.stop() == 0
    agent.start(wait=False)
    assert agent.process and agent.process.wait() == 5
    assert "agent.conf:" in agent.log() and "mount.later_key: unknown key" in agent.log()
    assert "0.1.0" in agent.log()
    assert node.host.run("test", "-s", queue, check=False).returncode == 0
    assert node.shared.servers(node.host)
    agent.change("mount", later_key=None)
    agent.start()
    agent.wait_page("/healthz", 200)
