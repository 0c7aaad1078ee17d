"""What an operator sees of the agent through systemd's tools, and what it sees of the node."""
from __future__ import annotations

import re

import pytest

from parts.http import request
from parts.wait import wait_until
from rig.installed import UNIT, InstalledAgent
from rig.machine import Machine
from setting import GOOD, MOUNT, PATH, SHARED

# The highest exposure that systemd-analyze may give to each unit; lower is better.
EXPOSURE = {UNIT: 8.5, "web-node-agent-ready.service": 1.6}
INFO, ERR = "6", "3"


def test_status_says_the_verdict(agent: InstalledAgent) -> None:
    machine = agent.host
    wait_until(lambda: agent.state() == "healthz ok, readyz ok", "all is well")
    seen = machine.systemctl("status", "--no-pager", UNIT)
    assert 'Status: "healthz ok, readyz ok"' in seen
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    wait_until(lambda: agent.state().startswith("healthz fail"), "systemd has heard of it")
    machine.write(GOOD, "")
    agent.wait_page("/healthz", 200)
    wait_until(lambda: agent.state() == "healthz ok, readyz ok", "all is well again")


def test_journal(agent: InstalledAgent) -> None:
    """Each process's lines, with their priority as a field and not as text."""
    machine = agent.host
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    said: dict[str, set[str]] = {}
    for entry in machine.journal("-u", UNIT, "_TRANSPORT=stdout"):
        assert re.match(r"(wnad|wna-\w+): ", entry["MESSAGE"]), entry
        said.setdefault(entry["MESSAGE"].partition(":")[0], set()).add(entry["PRIORITY"])
    assert {"wnad", "wna-core", "wna-cloud", "wna-mount"} <= set(said)
    assert all(INFO in priorities for priorities in said.values()), said
    agent.change("check web", typ="file")
    machine.systemctl("restart", UNIT, check=False)
    grave = machine.journal("-u", UNIT, "-p", "err", "_TRANSPORT=stdout")
    assert grave and {entry["PRIORITY"] for entry in grave} == {ERR}


@pytest.mark.parametrize("unit", EXPOSURE)
def test_exposure(machine: Machine, unit: str) -> None:
    """Of the unit as systemd has loaded it; tests/stack has the file's."""
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)",
                      machine.run("systemd-analyze", "security", "--no-pager", unit).stdout)
    assert found and float(found[1]) <= EXPOSURE[unit]


def test_shared_files_in_another_sandbox(agent: InstalledAgent) -> None:
    """The web server has a mount namespace of its own (PrivateTmp=): what others unmount disappears
    from it, and what the agent mounts after the web server's start appears in it."""
    machine = agent.host
    agent.stop()
    machine.write("/etc/apache2/ports.conf", "Listen 8080\n")
    machine.systemctl("start", "apache2")
    main = machine.show("apache2", "MainPID")
    spaces = {machine.run("readlink", f"/proc/{pid}/ns/mnt").stdout for pid in ("1", main)}
    assert len(spaces) == 2, "a sandbox"

    def page() -> int:
        return request(machine, "127.0.0.1", 8080, "/efs/hello.txt").status
    assert page() == 200
    machine.run("umount", "-l", PATH)
    assert page() == 404
    agent.start()
    agent.wait_page("/readyz", 200)
    assert page() == 200


def test_mount_made_by_others(machine: Machine) -> None:
    """As an operator's fstab would make it: adopted, not covered by a second one."""
    machine.sh(f"mkdir -p {SHARED} {PATH}; bindfs {SHARED} {PATH}")
    agent = InstalledAgent(machine)
    agent.configure({"mount": MOUNT})
    agent.start()
    agent.wait_job("mount", "ok")
    lines = machine.path("/proc/1/mountinfo").read_text().splitlines()
    assert len([line for line in lines if line.split()[4] == PATH]) == 1
