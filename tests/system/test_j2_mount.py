"""J2, the shared file system, on a FUSE stand-in (parts/shared.py); the vm suite
has the real NFS. What is mounted, lost, wrong, silent, and by whom."""
from __future__ import annotations

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import hold_true, wait_until

STARTING, RIGHT, MISSING, WRONG, UNVERIFIED = range(5)  # enum mount_state


@pytest.fixture
def agent(node: Node) -> Agent:
    node.only("mount")
    return node.agent


def test_mounted_and_shared(new_node: object) -> None:
    first, second = new_node(), new_node()  # type: ignore[operator]
    for node in (first, second):
        node.only("mount")
        node.agent.start()
    for node in (first, second):
        node.agent.wait_job("mount", "ok")
        assert len(node.shared.mounts(node.host)) == 1
    first.host.write(f"{MOUNT_POINT}/from-first", "hello")
    assert second.host.run("cat", f"{MOUNT_POINT}/from-first").stdout == "hello"
    first.agent.wait_page("/healthz", 200)
    first.agent.wait_page("/readyz", 200)


def test_bare_directory_is_guarded(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.fact("mount-guard")["value"] == 1
    agent.stop()
    node.shared.lose(node.host)
    written = node.host.run("touch", f"{MOUNT_POINT}/stray", check=False)
    assert written.returncode != 0, "nothing can be written beside the file system"
    assert not node.shared.mounts(node.host)


def test_lost_and_mounted_again(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    before = node.shared.servers(node.host)
    node.shared.lose(node.host)
    wait_until(lambda: node.shared.mounts(node.host), "mounted again")
    assert node.shared.servers(node.host) != before
    agent.wait_job("mount", "ok")
    assert len(node.shared.mounts(node.host)) == 1


def test_missing_turns_the_answer(node: Node, agent: Agent) -> None:
    helper = "/sbin/mount.fuse"
    node.host.sh(f"mv {helper} {helper}.away; mv {helper}3 {helper}3.away")
    agent.start()
    agent.wait_fact("mount", MISSING)
    assert agent.wait_page("/healthz", 503).body
    assert agent.job("mount")["level"] == "fail" and agent.job("mount")["why"]
    node.host.sh(f"mv {helper}3.away {helper}3; mv {helper}.away {helper}")
    agent.wait_job("mount", "ok")
    agent.wait_page("/healthz", 200)


def test_the_wrong_one_is_reported_and_never_covered(node: Node, agent: Agent) -> None:
    node.host.sh(f"mount -t tmpfs wrong {MOUNT_POINT}")
    agent.start()
    agent.wait_fact("mount", WRONG)
    agent.wait_page("/healthz", 503)
    hold_true(lambda: len(node.shared.mounts(node.host)) == 1, "not covered", 1.5)
    node.host.sh(f"umount {MOUNT_POINT}")
    agent.wait_job("mount", "ok")
    agent.wait_page("/healthz", 200)


def test_a_right_one_is_adopted(node: Node, agent: Agent) -> None:
    node.host.sh(f"mount -t fuse.bindfs /srv/efs {MOUNT_POINT}")
    servers = node.shared.servers(node.host)
    agent.start()
    agent.wait_job("mount", "ok")
    assert node.shared.servers(node.host) == servers
    assert len(node.shared.mounts(node.host)) == 1


@pytest.mark.parametrize("hang, healthz", [("degraded", 200), ("fail", 503)])
def test_silent(node: Node, agent: Agent, hang: str, healthz: int) -> None:
    agent.change("mount", hang=hang)
    agent.start()
    agent.wait_page("/readyz", 200)
    node.shared.silence(node.host)
    # probe_interval 0.5 s + max_age 2 s, and a second for the measuring itself
    agent.wait_page("/readyz", 503, timeout=3.5)
    answer = agent.wait_page("/healthz", healthz)
    if hang == "degraded":
        assert "degraded" in answer.body
        hold_true(lambda: agent.code("/healthz") == 200, "still in service", 1)
    assert agent.get("/livez").took_s < 0.5
    assert agent.fact("mount")["value"] == RIGHT
    node.shared.speak(node.host)
    agent.wait_page("/readyz", 200)
    agent.wait_page("/healthz", 200)


def test_survives_the_agent(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    servers, mounts = node.shared.servers(node.host), node.shared.mounts(node.host)
    assert agent.stop() == 0
    assert node.shared.servers(node.host) == servers
    agent.start()
    agent.wait_job("mount", "ok")
    assert node.shared.servers(node.host) == servers
    assert node.shared.mounts(node.host) == mounts


def script(node: Node, name: str, text: str) -> None:
    node.host.write(f"/sbin/mount.{name}", f"#!/bin/bash\n{text}\n", 0o755)


def test_exit_code_zero_is_not_believed(node: Node, agent: Agent) -> None:
    script(node, "lab", "exit 0")
    agent.change("mount", type="lab", source="x", expect_type="lab")
    agent.start()
    agent.wait_fact("mount", MISSING)
    assert agent.code("/healthz") == 503


def test_the_helpers_own_words(node: Node, agent: Agent) -> None:
    script(node, "lab", r"printf 'mount.lab: \033[31mno mount target in this zone\n' >&2; exit 1")
    agent.change("mount", type="lab", source="x", expect_type="lab")
    agent.start()
    fact = agent.wait_fact("mount", MISSING)
    assert "no mount target in this zone" in fact["why"] and "\033" not in fact["why"]
    assert "no mount target in this zone" in agent.ctl("status", check=False).stdout


def test_a_hanging_helper_is_killed_with_its_children(node: Node, agent: Agent) -> None:
    script(node, "lab", "trap '' TERM; (trap '' TERM; exec sleep 12321) & sleep 12321; wait")
    agent.change("mount", type="lab", source="x", expect_type="lab", timeout="1s",
                 retry_min="30s", retry_max="30s")
    agent.start()
    wait_until(lambda: node.host.ps("sleep"), "the helper runs")
    assert agent.code("/livez") == 200
    wait_until(lambda: not node.host.ps("sleep") and not agent.pids("mount"),
               "the helper's group is gone", 15)
    assert agent.fact("mount")["value"] in (STARTING, MISSING)
    assert agent.code("/healthz") == 503
