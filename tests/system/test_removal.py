"""Removal: `wnad --purge`, as the package runs it when it is erased, and the immutable
flag that has to be taken back whenever the agent guards a directory no longer."""
from __future__ import annotations

import subprocess

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import wait_until

BUSY = 9
ETC = "/etc/web-node-agent"
STATE = "/var/lib/web-node-agent"
FOLDERS = (STATE, "/run/web-node-agent", "/run/web-node-agent-database")
GENERATED = {
    f"{ETC}/page.ini": 'host = "db.example.com"\nport = "3306"\nca = "/etc/ca.pem"\n'
                       'database = "app"\nuser = "page_0123abcd"\npassword = "Wn1-sec-ret_"\n',
    f"{ETC}/db.password.0123abcd": "Wn1-sec-ret_\n",
    f"{ETC}/agent.conf.d/50-database.conf":
        "# By web-node-agent-database.service\n[database]\nuser = wna_0123abcd\n"
        f"password_file = {ETC}/db.password.0123abcd\n",
}


@pytest.fixture
def agent(node: Node) -> Agent:
    node.only("mount")
    return node.agent


def purge(node: Node) -> subprocess.CompletedProcess[str]:
    return node.host.run("wnad", "--purge", check=False)


def immutable(node: Node, path: str) -> bool:
    return "i" in node.host.run("lsattr", "-d", path).stdout.split()[0]


def writable(node: Node, path: str) -> bool:
    return node.host.run("sh", "-c", f"touch {path}/x && rm {path}/x", check=False).returncode == 0


def bare(node: Node, path: str) -> bool:
    """Whether the directory beneath the mount can be written, which stays mounted: looked at
    in a mount namespace of its own."""
    script = f"mount --make-rprivate /; umount -l {path}; touch {path}/x && rm {path}/x"
    return node.host.run("unshare", "--mount", "sh", "-c", script, check=False).returncode == 0


def listing(node: Node, folder: str) -> list[str]:
    return sorted(node.host.run("find", folder, "-mindepth", "1").stdout.split())


def gone(node: Node, *paths: str) -> bool:
    return not any(node.host.run("test", "-e", p, check=False).returncode == 0 for p in paths)


def test_nothing_is_left_but_what_an_admin_edited(node: Node, agent: Agent) -> None:
    before = listing(node, ETC)
    for path, text in GENERATED.items():
        if "agent.conf.d" not in path:
            node.host.write(path, text, 0o600)
    node.host.write("/run/web-node-agent-database/done", "0123abcd", 0o600)
    node.shared.write("index.php", "the page")
    agent.start()
    agent.wait_job("mount", "ok")
    node.host.write(*list(GENERATED.items())[-1])
    assert MOUNT_POINT in node.host.read(f"{STATE}/guarded")
    assert not bare(node, MOUNT_POINT)
    servers, mounts = node.shared.servers(node.host), node.shared.mounts(node.host)

    # While it runs nothing is touched.
    done = purge(node)
    assert done.returncode == BUSY, done.stderr
    assert "it runs, as process" in done.stderr and "systemctl stop" in done.stderr
    assert not bare(node, MOUNT_POINT) and not gone(node, *GENERATED)
    assert agent.code("/healthz") == 200

    assert agent.stop() == 0
    done = purge(node)
    assert done.returncode == 0, done.stderr
    assert "sec-ret" not in done.stdout + done.stderr
    assert gone(node, *FOLDERS)
    assert listing(node, ETC) == before
    assert bare(node, MOUNT_POINT), "the bare directory can be written"
    # What is mounted stays so, with its files.
    assert node.shared.servers(node.host) == servers
    assert node.shared.mounts(node.host) == mounts
    assert node.host.read(f"{MOUNT_POINT}/index.php") == "the page"

    again = purge(node)
    assert again.returncode == 0 and again.stdout == again.stderr == ""


def test_what_was_edited_stays(node: Node, agent: Agent) -> None:
    agent.start()
    assert agent.stop() == 0
    for path, text in GENERATED.items():
        node.host.write(path, text.replace("\n", "\n# mine\n", 1), 0o600)
    done = purge(node)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("it has been edited") == len(GENERATED)
    assert gone(node, *FOLDERS) and not gone(node, *GENERATED)


def test_an_installed_one_starts_afresh(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.stop() == 0
    assert purge(node).returncode == 0
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.fact("mount-guard")["value"] == 1


def test_only_its_own_flag(node: Node, agent: Agent) -> None:
    """Made immutable by somebody else, before the agent came."""
    node.host.run("chattr", "+i", MOUNT_POINT)
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.fact("mount-guard")["value"] == 1
    assert agent.stop() == 0
    assert purge(node).returncode == 0
    node.shared.lose(node.host)
    assert immutable(node, MOUNT_POINT)
    node.host.run("chattr", "-i", MOUNT_POINT)


def test_on_a_real_disk(node: Node, agent: Agent) -> None:
    """ext4: the flag is in its inode, and a file system of its own lies between."""
    node.host.sh("mkdir -p /srv/disk; truncate -s 16M /srv/image; mkfs.ext4 -q /srv/image; "
                 "mount -o loop /srv/image /srv/disk")
    path = "/srv/disk/www/efs"
    try:
        agent.change("mount", path=path)
        agent.start()
        agent.wait_job("mount", "ok")
        assert not bare(node, path)
        assert agent.stop() == 0
        assert not bare(node, path)
        assert purge(node).returncode == 0
        assert bare(node, path)
        node.shared.write("kept", "yes")
        assert node.host.read(f"{path}/kept") == "yes"
    finally:
        node.host.sh(f"umount -l {path}; umount -l /srv/disk", check=False)


def test_a_broken_list(node: Node, agent: Agent) -> None:
    """What can be done is done; what cannot be read may be a flag's only note, so it is kept
    and no success, until somebody has mended it."""
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.stop() == 0
    text = node.host.read(f"{STATE}/guarded")
    broken = f"17 /etc/../etc\nnonsense\n{text}1 /nowhere\n"
    node.host.write(f"{STATE}/guarded", broken)
    done = purge(node)
    assert done.returncode == 1, done.stderr
    assert "guarded:1: expected" in done.stderr and "guarded:2: expected" in done.stderr
    assert "/nowhere: the bare directory is not there any more" in done.stderr
    assert "guarded is damaged" in done.stderr
    assert bare(node, MOUNT_POINT)
    assert node.host.read(f"{STATE}/guarded") == broken
    assert listing(node, STATE) == [f"{STATE}/guarded"]
    assert gone(node, *FOLDERS[1:])
    # Mended the rest goes.
    node.host.write(f"{STATE}/guarded", f"{text}1 /nowhere\n")
    done = purge(node)
    assert done.returncode == 0, done.stderr
    assert gone(node, *FOLDERS)


def test_a_failure_stops_nothing_else(node: Node, agent: Agent) -> None:
    """Something is mounted in the state folder; wna-mount cannot be found."""
    agent.start()
    agent.wait_job("mount", "ok")
    assert agent.stop() == 0
    node.host.sh(f"mkdir {STATE}/own; mount -t tmpfs own {STATE}/own; touch {STATE}/own/file")
    done = node.host.run("wnad", "-L", "/nowhere", "--purge", check=False)
    assert done.returncode == 1
    assert "/nowhere/wna-mount: No such file" in done.stderr
    assert f"{STATE}/own: something is mounted there" in done.stderr
    assert gone(node, "/run/web-node-agent", f"{STATE}/cloud")
    assert not gone(node, f"{STATE}/guarded", f"{STATE}/own/file")
    assert not bare(node, MOUNT_POINT)
    # With what was in the way gone, the rest goes.
    node.host.sh(f"umount {STATE}/own")
    assert purge(node).returncode == 0
    assert bare(node, MOUNT_POINT) and gone(node, *FOLDERS)


def test_root_alone(node: Node) -> None:
    done = node.host.run("setpriv", "--reuid", "nobody", "--clear-groups", "--inh-caps=-all",
                         "wnad", "--purge", check=False)
    assert done.returncode == 1 and "expected to be run by root" in done.stderr


def test_switched_off(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    assert not bare(node, MOUNT_POINT)
    agent.change("mount", guard=False)
    assert agent.reload().returncode == 0
    agent.wait_fact("mount-guard", 0)
    agent.wait_job("mount", "ok")
    assert "switched off by mount.guard" in agent.fact("mount-guard")["why"]
    assert bare(node, MOUNT_POINT) and gone(node, f"{STATE}/guarded")
    assert not agent.job("mount")["what"].count("not guarded"), "as it was asked for"


def test_another_path(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("mount", "ok")
    old, new = MOUNT_POINT, "/srv/www/efs"
    agent.change("mount", path=new)
    assert agent.reload().returncode == 0
    wait_until(lambda: bare(node, old), "the former directory can be written")
    wait_until(lambda: new in node.host.read(f"{STATE}/guarded"), "the new one is on record")
    assert old not in node.host.read(f"{STATE}/guarded")
    assert not bare(node, new)
    assert agent.stop() == 0
    node.host.sh(f"umount -l {new}")
    assert not writable(node, new)
    assert purge(node).returncode == 0
    assert writable(node, new)
