"""J2, the shared file system, on a FUSE stand-in (parts/shared.py); the vm suite
has the real NFS. What is mounted, lost, wrong, silent, and by whom."""
from __future__ import annotations

import signal

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import hold_true, wait_until
from rig.probes import Probes

ABSENT, RIGHT, WRONG, UNVERIFIED = range(4)  # enum mount_state


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


def test_the_bare_directory_speaks(node: Node, agent: Agent) -> None:
    """What lies in it can still be served and written while nothing is mounted."""
    node.host.write(f"{MOUNT_POINT}/old.php", "left")
    agent.change("mount", type="tmpfs", source="shared", expect_type="tmpfs")
    agent.start()
    agent.wait_job("mount", "ok")
    said = "the bare directory is guarded: the bare directory is not empty: old.php"
    assert said in agent.log()
    assert "old.php" in agent.job("mount")["what"]


def test_a_disk_without_the_flag(node: Node, agent: Agent) -> None:
    path = "/srv/ram/efs"
    node.host.sh("mkdir -p /srv/ram; mount -t ramfs ram /srv/ram")
    agent.change("agent", log_level="info")
    agent.change("mount", path=path)
    agent.start()
    agent.wait_job("mount", "ok")
    said = "the file system has no immutable flag"
    assert f"the bare directory is not guarded: {said}" in agent.log()
    assert f"not guarded: {said}" in agent.job("mount")["what"]
    assert agent.stop() == 0
    node.host.sh(f"umount -l {path}; umount /srv/ram")


def test_missing_turns_the_answer(node: Node, agent: Agent) -> None:
    helper = "/sbin/mount.fuse"
    node.host.sh(f"mv {helper} {helper}.away; mv {helper}3 {helper}3.away")
    agent.start()
    agent.wait_fact("mount", ABSENT)
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


@pytest.mark.parametrize("how, seen", [
    (f"mount -t tmpfs wrong {MOUNT_POINT}", "tmpfs wrong"),
    (f"mkdir -p /srv/other; mount --bind /srv/other {MOUNT_POINT}", " "),
])
def test_one_in_its_place_is_another(node: Node, agent: Agent, how: str, seen: str) -> None:
    """Between two looks. The kernel gives it the id of the one that went, unless
    another test's host took or gave back one meanwhile; tests/sim/replaced.sim is
    sure of the id, this of the rest."""
    agent.start()
    agent.wait_job("mount", "ok")
    node.host.kill(agent.pid("mount"), signal.SIGSTOP)
    node.host.sh(f"umount -l {MOUNT_POINT} && {how}")
    node.host.kill(agent.pid("mount"), signal.SIGCONT)
    agent.wait_page("/healthz", 503)
    assert seen in agent.wait_fact("mount", WRONG)["text"]
    assert len(node.shared.mounts(node.host)) == 1
    node.host.sh(f"umount {MOUNT_POINT}")
    agent.wait_job("mount", "ok")
    agent.wait_page("/healthz", 200)


def test_a_type_of_any_length_is_not_covered(node: Node, agent: Agent) -> None:
    node.host.sh(f"mkdir -p /srv/other; bindfs -o subtype={'s' * 60} /srv/other {MOUNT_POINT}")
    agent.change("mount", type="tmpfs", source="shared", expect_type="tmpfs")
    agent.start()
    assert "fuse.sss" in agent.wait_fact("mount", WRONG)["why"]
    agent.wait_page("/healthz", 503)
    assert len(node.shared.mounts(node.host)) == 1
    node.host.sh(f"umount {MOUNT_POINT}")
    agent.wait_job("mount", "ok")


def test_a_hidden_mount_hides_nothing(node: Node, agent: Agent) -> None:
    path = "/srv/deep/www/html/efs"
    node.host.sh("mkdir -p /srv/deep; mount -t tmpfs one /srv/deep; mkdir /srv/deep/www; "
                 "mount -t tmpfs old /srv/deep/www; mount -t tmpfs two /srv/deep")
    agent.change("mount", path=path)
    agent.start()
    agent.wait_job("mount", "ok")
    node.shared.write("seen", "yes")
    assert node.host.run("cat", f"{path}/seen").stdout == "yes"
    assert agent.stop() == 0
    node.host.sh(f"umount -l {path}")


def test_a_stack_moved_upon_a_stack(node: Node, agent: Agent) -> None:
    """The file lists the topmost of three before the other two."""
    # Only what lies below a private mount can be moved.
    node.host.sh("mount -t tmpfs --make-private from /mnt; mkdir /mnt/x; mount -t tmpfs evil /mnt/x; "
                 f"mount -t tmpfs low {MOUNT_POINT}; mount -t fuse.bindfs /srv/efs {MOUNT_POINT}; "
                 f"mount --move /mnt/x {MOUNT_POINT}; umount /mnt")
    agent.start()
    assert "tmpfs" in agent.wait_fact("mount", WRONG)["why"]
    hold_true(lambda: agent.code("/healthz") == 503, "not served for a moment", 2)
    node.host.sh(f"umount {MOUNT_POINT}")
    agent.wait_job("mount", "ok")
    assert "beneath it lies tmpfs low" in agent.job("mount")["what"]


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
    agent.wait_fact("mount", ABSENT)
    assert agent.code("/healthz") == 503


def test_the_helpers_own_words(node: Node, agent: Agent) -> None:
    script(node, "lab", r"printf 'mount.lab: \033[31mno mount target in this zone\n' >&2; exit 1")
    agent.change("mount", type="lab", source="x", expect_type="lab")
    agent.start()
    said = "no mount target in this zone"
    wait_until(lambda: said in agent.fact("mount")["why"], "the helper's words")
    assert "\033" not in agent.fact("mount")["why"]
    assert "no mount target in this zone" in agent.ctl("status", check=False).stdout


def test_a_hanging_helper_is_killed_with_its_children(node: Node, agent: Agent) -> None:
    script(node, "lab", "trap '' INT TERM; (exec sleep 12321) & sleep 12321; wait")
    agent.change("mount", type="lab", source="x", expect_type="lab", timeout="1s",
                 retry_min="30s", retry_max="30s")
    agent.start()
    wait_until(lambda: node.host.ps("sleep"), "the helper runs")
    assert agent.code("/livez") == 200
    wait_until(lambda: not node.host.ps("sleep"), "the helper's group is gone", 15)
    said = "nothing is mounted: ended, since its limit is 1.0 s"
    wait_until(lambda: said in agent.job("mount")["why"], "the reason")
    assert agent.code("/healthz") == 503
    assert len(agent.pids("mount")) == 1, "the keeper's own child is gone too"


def test_a_restart_ends_a_hanging_helper(node: Node, agent: Agent) -> None:
    """That takes its time, and health checks are answered meanwhile."""
    script(node, "lab", "trap '' INT TERM; sleep 12321; sleep 12321; sleep 12321")
    agent.change("mount", type="lab", source="x", expect_type="lab", timeout="60s")
    agent.start()
    wait_until(lambda: node.host.ps("sleep"), "the helper runs")
    first = node.host.ps("sleep")
    with Probes(node.host, "/livez") as probes:
        agent.restart()
        agent.wait_page("/livez", 200)
    probes.judge()
    assert not set(first) & set(node.host.ps("sleep"))


def test_one_helper_at_a_time(node: Node, agent: Agent) -> None:
    """The helper outlives wna-mount: the next one waits for it."""
    # Until somebody says go, or the lab is gone.
    script(node, "slow", 'echo "$$" >> /srv/helpers; until [ -e /srv/go ]; do sleep 0.05; done; '
                         'mount -i -t tmpfs slow "$2"')
    agent.change("mount", type="slow", source="slow", expect_type="tmpfs", timeout="30s")
    agent.start()
    wait_until(lambda: node.host.read("/srv/helpers"), "the helper runs")
    node.host.kill(agent.pid("mount"))
    wait_until(lambda: "has not ended" in agent.log(), "waits for the helper")
    assert not node.shared.mounts(node.host)
    assert agent.code("/healthz") == 503
    node.host.write("/srv/go", "")
    agent.wait_job("mount", "ok")
    assert len(node.shared.mounts(node.host)) == 1
    assert len(node.host.read("/srv/helpers").split()) == 1


def test_a_helper_left_over_has_no_more_than_its_time(node: Node, agent: Agent) -> None:
    script(node, "slow", 'echo "$$" >> /srv/helpers; trap "" TERM; '
                         '[ -e /srv/go ] || { touch /srv/go; sleep 12321; }; '
                         'mount -i -t tmpfs slow "$2"')
    agent.change("mount", type="slow", source="slow", expect_type="tmpfs", timeout="2s")
    agent.start()
    wait_until(lambda: node.host.ps("sleep"), "the helper sleeps")
    node.host.kill(agent.pid("mount"))
    agent.wait_job("mount", "ok")
    assert not node.host.ps("sleep")
    assert len(node.shared.mounts(node.host)) == 1
    assert len(node.host.read("/srv/helpers").split()) == 2


def test_a_repair_is_refused_without_a_proxy(node: Node, agent: Agent) -> None:
    """The vm suite has a mount with one."""
    agent.start()
    agent.wait_job("mount", "ok")
    done = node.host.run("wnactl", "mount", "repair", check=False)
    assert done.returncode == 1 and "the mount has no proxy on this machine" in done.stdout
    other = node.host.run("setpriv", "--reuid", "wna-check", "--regid", "wna", "--clear-groups",
                          "wnactl", "mount", "repair", check=False)
    assert other.returncode == 5, other.stderr
    assert agent.log("mount").count("a repair is asked for") == 1
