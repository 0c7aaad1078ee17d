"""Before a removal: `wna-mount --release`, which the package runs when it is erased, and the
immutable flag that has to be taken back whenever the agent guards a directory no longer."""
from __future__ import annotations

import subprocess

import pytest

from parts.agent import LIBEXEC, Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import wait_until

RECORD = "/var/lib/web-node-agent/mount/guarded"


@pytest.fixture
def agent(node: Node) -> Agent:
    node.only("mount")
    return node.agent


def release(node: Node) -> subprocess.CompletedProcess[str]:
    return node.host.run(f"{LIBEXEC}/wna-mount", "--release", check=False)


def immutable(node: Node, path: str) -> bool:
    return "i" in node.host.run("lsattr", "-d", path).stdout.split()[0]


def writable(node: Node, path: str) -> bool:
    return node.host.run("sh", "-c", f"touch {path}/x && rm {path}/x", check=False).returncode == 0


def bare(node: Node, path: str) -> bool:
    """Whether the directory beneath the mount can be written, which stays mounted: looked at
    in a mount namespace of its own."""
    script = f"mount --make-rprivate /; umount -l {path}; touch {path}/x && rm {path}/x"
    return node.host.run("unshare", "--mount", "sh", "-c", script, check=False).returncode == 0


def recorded(node: Node) -> list[str]:
    """The directories on record."""
    done = node.host.run("find", RECORD, "-type", "l", "-printf", "%l\\n", check=False)
    return [line.split(" ", 1)[1] for line in done.stdout.splitlines()]


def test_the_directory_is_given_back(node: Node, agent: Agent) -> None:
    """What is mounted stays, with its files, and a new installation starts afresh."""
    node.shared.write("index.php", "the page")
    agent.start()
    agent.wait_job("mount", "ok")
    wait_until(lambda: recorded(node) == [MOUNT_POINT], "it is on record")
    assert not bare(node, MOUNT_POINT)
    servers, mounts = node.shared.servers(node.host), node.shared.mounts(node.host)
    assert agent.stop() == 0
    for _ in range(2):
        done = release(node)
        assert done.returncode == 0, done.stderr
        assert bare(node, MOUNT_POINT), "the bare directory can be written"
        assert node.shared.servers(node.host) == servers
        assert node.shared.mounts(node.host) == mounts
        assert node.host.read(f"{MOUNT_POINT}/index.php") == "the page"
    node.host.sh("rm -rf /run/web-node-agent /var/lib/web-node-agent; systemd-tmpfiles --create")
    agent.start()
    agent.wait_job("mount", "ok")
    wait_until(lambda: not bare(node, MOUNT_POINT), "guarded again")


def test_only_its_own_flag(node: Node, agent: Agent) -> None:
    """Made immutable by somebody else, before the agent came."""
    node.host.run("chattr", "+i", MOUNT_POINT)
    agent.start()
    agent.wait_job("mount", "ok")
    agent.wait_fact("mount-guard", 1)
    assert agent.stop() == 0
    assert release(node).returncode == 0
    node.shared.lose(node.host)
    assert immutable(node, MOUNT_POINT)
    node.host.run("chattr", "-i", MOUNT_POINT)


def test_a_broken_list(node: Node, agent: Agent) -> None:
    """What can be done is done; what cannot be read may be a flag's only note: it is kept and is
    no success, until an operator has mended it."""
    agent.start()
    agent.wait_job("mount", "ok")
    wait_until(lambda: recorded(node) == [MOUNT_POINT], "it is on record")
    assert agent.stop() == 0
    node.host.sh(f"cd {RECORD}; ln -s '17 relative' a; ln -s nonsense b; ln -s '1 /nowhere' c")
    done = release(node)
    assert done.returncode == 1, done.stderr
    assert "guarded/a: expected" in done.stderr and "guarded/b: expected" in done.stderr
    assert "/nowhere: the bare directory is not there any more" in done.stderr
    assert bare(node, MOUNT_POINT)
    assert node.host.sh(f"ls {RECORD}").split() == ["a", "b"]
    node.host.sh(f"rm {RECORD}/a {RECORD}/b")
    assert release(node).returncode == 0


def test_switched_off(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("mount-guard", 1)
    agent.wait_job("mount", "ok")
    assert not bare(node, MOUNT_POINT)
    agent.change("mount", guard=False)
    assert agent.reload().returncode == 0
    agent.wait_fact("mount-guard", 0)
    agent.wait_job("mount", "ok")
    assert "switched off by mount.guard" in agent.fact("mount-guard")["why"]
    assert bare(node, MOUNT_POINT) and not recorded(node)
    assert not agent.job("mount")["what"].count("not guarded"), "as it was asked for"


def test_another_path(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    agent.wait_fact("mount-guard", 1)
    old, new = MOUNT_POINT, "/srv/www/efs"
    agent.change("mount", path=new)
    assert agent.reload().returncode == 0
    wait_until(lambda: bare(node, old), "the former directory can be written")
    wait_until(lambda: recorded(node) == [new], "the new one is on record, and the old one not")
    assert not bare(node, new)
    assert agent.stop() == 0
    node.host.sh(f"umount -l {new}")
    assert not writable(node, new)
    assert release(node).returncode == 0
    assert writable(node, new)
