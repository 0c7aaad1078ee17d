"""A user who may write a directory above the mount point, as AWS's tutorial has it for
/var/www, leads root's mount elsewhere: onto /etc/cron.d with files of the users' own."""
from __future__ import annotations

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import hold_true, wait_until

VALUE = 6  # enum conf_error
TARGET = "/etc/cron.d"

# Swaps the directory for one with a link in it, and back, for ever.
SWAP = f"""
cd /var/www; mkdir mine; ln -s {TARGET} mine/efs; touch /tmp/swaps
while :; do
	mv html was && mv mine html
	mv html mine && mv was html
done
"""


@pytest.fixture
def agent(node: Node) -> Agent:
    node.only("mount")
    node.host.sh(f"mkdir -p {TARGET} {MOUNT_POINT}")
    return node.agent


def open_the_way(node: Node) -> None:
    node.host.sh("chgrp www-data /var/www; chmod 2775 /var/www")


def mounted_on(node: Node, start: str) -> list[str]:
    lines = node.host.path("/proc/1/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(start)]


def on_target(node: Node) -> list[str]:
    return mounted_on(node, TARGET)


def test_refused_by_the_check(node: Node, agent: Agent) -> None:
    assert node.host.run("wnactl", "check").returncode == 0
    open_the_way(node)
    done = node.host.run("wnactl", "check", check=False)
    assert done.returncode == VALUE
    said = "/var/www is of user root, group www-data, mode 2775: it must be root's"
    assert said in done.stdout + done.stderr


def unmounted(node: Node) -> bool:
    node.host.sh(f"umount -l {MOUNT_POINT} || umount -l /var/www/was/efs", check=False)
    return not mounted_on(node, "/var/www/")


def test_refused_before_each_attempt(node: Node, agent: Agent) -> None:
    """Opened while the agent runs, with the intruder at it."""
    agent.change("mount", retry_min="100ms", retry_max="200ms")
    agent.start()
    agent.wait_job("mount", "ok")
    open_the_way(node)
    intruder = node.host.spawn("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
                               "bash", "-c", SWAP, log="intruder")
    try:
        wait_until(lambda: node.host.path("/tmp/swaps").exists(), "the intruder is at it")
        wait_until(lambda: unmounted(node), "it is unmounted, under whatever name it is then")
        why = "/var/www is of user root, group www-data, mode 2775: it must be root's"
        wait_until(lambda: why in agent.job("mount")["why"], "it says why it does not mount")
        hold_true(lambda: not on_target(node), "nothing is mounted elsewhere", 3)
        assert agent.code("/healthz") == 503
    finally:
        intruder.stop()
    node.host.sh(f"cd /var/www; [ -d html/efs ] && [ ! -L html/efs ] || {{ rm -rf html; mv was html; }}; "
                 "rm -rf mine was; chmod 0755 /var/www; chgrp root /var/www")
    agent.wait_job("mount", "ok")


@pytest.mark.parametrize("kind, source", [("lab", "stray"), ("nfs4", "server:/stray")])
def test_detached_where_the_path_was_changed_meanwhile(node: Node, agent: Agent, kind: str,
                                                       source: str) -> None:
    """The helper stands in for an intruder that has won, between the check and its mount."""
    node.host.write(f"/sbin/mount.{kind}", f"""#!/bin/bash
[ -L {MOUNT_POINT} ] || {{ cd /var/www; mv html was; mkdir html; ln -s {TARGET} html/efs; }}
echo "$2" > /tmp/mounted-on
mount -i -t tmpfs {source} "$2"
""", 0o755)
    agent.change("mount", type=kind, source=source, expect_type="tmpfs", retry_min="30s",
                 retry_max="30s")
    agent.start()
    wait_until(lambda: "to which the path led meanwhile: detached" in agent.job("mount")["why"],
               "it says what happened")
    assert not on_target(node)
    mounts = node.host.path("/proc/1/mountinfo").read_text()
    assert f"tmpfs {source}" not in mounts, "it is mounted nowhere"
    staged = node.host.read("/tmp/mounted-on").strip() != MOUNT_POINT
    assert staged == (kind == "nfs4"), "plain NFS is never mounted by a path that others see"
    assert agent.code("/healthz") == 503
