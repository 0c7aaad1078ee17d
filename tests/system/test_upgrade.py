"""Upgrade and downgrade without rpm: other executables are put in the place of the running
ones as rpm does it, and some time later the agent is restarted. (The package's own upgrade is in
tests/lab.)"""
from __future__ import annotations

import os

import pytest

from parts.agent import UMBRELLA, Agent
from parts.node import Node
from parts.versions import Versions
from parts.wait import hold_true, wait_until
from parts.world import World
from rig.probes import Probes


@pytest.fixture
def versions(world: World) -> Versions:
    return Versions(world.stage)


def in_log(agent: Agent, text: str, role: str = "") -> None:
    wait_until(lambda: text in agent.log(role), f"the log says {text!r}")


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
    """Up and down again: no connect is refused, no answer is wrong, nothing that waits is lost."""
    wait_until(lambda: agent.fact("push-queued")["value"] > 0, "a sample waits", 30)
    servers, mounts = node.shared.servers(node.host), node.shared.mounts(node.host)
    agent.wait_job("mount", "ok")
    with Probes(node.host) as probes:
        for here, there in (("0.1.0", "9.1.0"), ("9.1.0", "0.1.0")):
            versions.install(node.host, there)
            assert agent.ctl("--version").stdout.split()[-1] == there
            assert agent.status()["version"] == here
            queued = agent.fact("push-queued")["value"]
            agent.restart()
            wait_until(lambda: agent.status()["version"] == there, "the new one answers")
            agent.wait_job("mount", "ok")
            agent.wait_job("checks", "ok")
            agent.wait_fact("push-queued", timeout=30)
            assert agent.fact("push-queued")["value"] >= queued > 0
            assert agent.fact("push-lost")["value"] == 0
            assert node.shared.servers(node.host) == servers
            assert node.shared.mounts(node.host) == mounts
        probes.go_on()
    probes.judge()
    node.host.mend()
    wait_until(lambda: agent.fact("push-queued")["value"] == 0, "CloudWatch has them all", 40)
    assert agent.fact("push-lost")["value"] == 0


def test_workers_that_end_in_a_transaction(node: Node, versions: Versions) -> None:
    """Between the new files and the restart: the new workers say that the configuration in force
    is of another build and wait. The facts of those before them count until their max_age is over,
    then the answer says what is unknown. The restart sets all right."""
    node.only("mount", "check web")
    node.web.start(php=False)
    agent = node.agent
    agent.change("mount", max_age="8s")
    agent.change("check web", max_age="8s")
    agent.start()
    agent.wait_page("/readyz", 200)
    pids = {role: agent.pid(role) for role in ("check", "mount")}
    versions.install(node.host, "9.1.0")
    with Probes(node.host) as probes:
        for role, pid in pids.items():
            agent.host.kill(pid)
            in_log(agent, "/run/web-node-agent/config: of another build", role)
        probes.go_on(300)
        assert agent.status()["version"] == "0.1.0"
    probes.judge()
    answer = agent.wait_page("/healthz", 503)
    assert "web" in agent.status()["healthz"]["why"] and answer.status == 503
    agent.restart()
    agent.wait_page("/readyz", 200)
    assert agent.status()["version"] == "9.1.0"


def test_a_core_that_ends_in_a_transaction(node: Node, versions: Versions) -> None:
    """Connects wait for the restart, or for `wnactl load`, and none is refused."""
    node.only("check web")
    node.web.start(php=False)
    agent = node.agent
    agent.start()
    agent.wait_page("/healthz", 200)
    core = agent.pid("core")
    versions.install(node.host, "9.1.0")
    with Probes(node.host, "/livez") as probes:
        agent.host.kill(core)
        in_log(agent, "/run/web-node-agent/config: of another build; wnactl load writes it anew",
               "core")
        assert node.host.run("wnactl", "load").returncode == 0
        probes.mended()
        agent.wait_page("/livez", 200)
    probes.judge(cut=5, longest_s=3)  # of which the core waits two for wna-check, which it does not hear
    agent.restart()
    agent.wait_page("/healthz", 200)


def test_a_worker_of_another_build_is_not_heard(node: Node, versions: Versions) -> None:
    """Its configuration is good, its core is the other one: what it says may mean something
    else there."""
    node.only("mount", "check web")
    node.web.start(php=False)
    agent = node.agent
    agent.change("check web", max_age="20s")
    agent.start()
    agent.wait_page("/readyz", 200)
    versions.install(node.host, "9.1.0")
    assert node.host.run("wnactl", "load").returncode == 0
    agent.restart("check")
    node.web.stop_httpd()
    in_log(agent, "hub: wna-check is of another build", "core")
    hold_true(lambda: agent.code("/healthz") == 200, "what was known counts", 5)
    agent.restart()
    agent.wait_page("/healthz", 503)


def test_what_has_failed_meanwhile_is_seen(node: Node, agent: Agent) -> None:
    """The last answer is no promise: with the web server gone it turns at the next start, and what
    was bad is not called good for a moment."""
    for _ in range(2):
        assert agent.stop() == 0
        node.web.stop_httpd()
        agent.start(wait=False)
        codes: list[int] = []

        def answered() -> bool:
            codes.append(agent.code("/healthz"))
            return agent.job("checks")["level"] == "fail"
        wait_until(answered, "wna-check has spoken")
        assert set(codes) == {503}


def test_nothing_mounted_is_seen_at_once(node: Node, agent: Agent) -> None:
    """The file system has gone meanwhile, and mounting it takes long: an empty directory is not
    called healthy, whatever the last answer was."""
    agent.change("mount", timeout="30s")
    assert agent.reload().returncode == 0
    agent.wait_page("/healthz", 200)
    assert agent.stop() == 0
    node.shared.lose(node.host)
    # Not over the old one, whose last process may still be ending.
    node.host.write("/usr/bin/bindfs.slow", "#!/bin/sh\nexec sleep 25\n", 0o755)
    os.rename(node.host.path("/usr/bin/bindfs.slow"), node.host.path("/usr/bin/bindfs"))
    agent.start()
    assert agent.code("/healthz") == 503
    assert not node.shared.mounts(node.host)
    wait_until(lambda: agent.job("mount")["why"].startswith("not mounted yet"), "it says so")
    hold_true(lambda: agent.code("/healthz") == 503, "it stays", 2)


def test_a_key_of_a_later_version(node: Node, agent: Agent, versions: Versions) -> None:
    """A downgrade under a configuration that needs the later one: said with file, line and key,
    at the reload, and by the answer of the other build; nothing is lost."""
    queue = "/var/lib/web-node-agent/cloud/queue-1.db"
    said = "mount.later_key: unknown key"
    agent.change("mount", later_key="yes")
    assert agent.reload().returncode != 0
    assert node.host.journal("-b", "-u", UMBRELLA, "--grep", said)
    agent.restart()
    agent.wait_page("/healthz", 200)  # by the configuration in force
    versions.install(node.host, "9.1.0")
    agent.restart()
    agent.wait_page("/healthz", 503)
    assert said in agent.status()["healthz"]["why"]
    assert node.host.run("test", "-s", queue, check=False).returncode == 0
    assert node.shared.servers(node.host)
    agent.change("mount", later_key=None)
    assert agent.reload().returncode == 0
    agent.wait_page("/healthz", 200)
