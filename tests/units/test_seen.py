"""What an operator sees of the agent through systemd's tools, and what it sees of the node."""
from __future__ import annotations

import re

import pytest

from parts.agent import ROLES, UMBRELLA, Agent, unit
from parts.http import request
from parts.wait import wait_until
from rig.machine import Machine
from setting import GOOD, MOUNT, PATH, SHARED

# The highest exposure that systemd-analyze may give to each unit; lower is better.
EXPOSURE = {**{unit(role): 2.0 for role in ("core", "cloud", "rds", "check")},
            unit("hooks"): 2.6, unit("mount"): 8.4, "web-node-agent-ready.service": 1.6}
ERR, WARNING, NOTICE = "3", "4", "5"
FLIP = "6f3a1c0de4b94f0c9a5b7d2e81c6f417"


def test_status_says_the_verdict(agent: Agent) -> None:
    """`systemctl status 'web-node-agent*'` is the product's table of contents."""
    machine = agent.host

    def text() -> str:
        return machine.show(unit("core"), "StatusText")
    wait_until(lambda: text() == "healthz ok, readyz ok", "all is well")
    seen = machine.systemctl("status", "--no-pager", "web-node-agent*")
    for name in (UMBRELLA, *(unit(role) for role in ("core", "cloud", "check", "mount")),
                 "web-node-agent-health.socket", "web-node-agent-hub.socket"):
        assert f" {name} - Web node agent" in seen
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    wait_until(lambda: text().startswith("healthz fail, readyz fail: checks: web:"), "the reason")
    machine.write(GOOD, "")
    agent.wait_page("/healthz", 200)
    wait_until(lambda: text() == "healthz ok, readyz ok", "all is well again")


def test_journal_of_a_change(agent: Agent) -> None:
    """A change of the verdict is an entry with fields of its own and the priority of its
    consequence, whatever the log level; each service writes for itself."""
    machine = agent.host
    agent.change("agent", log_level="error")
    assert agent.reload().returncode == 0
    agent.wait_page("/readyz", 200)
    mark = machine.cursor()
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    machine.write(GOOD, "")
    agent.wait_page("/healthz", 200)
    entries = machine.journal(f"MESSAGE_ID={FLIP}", "WNA_JOB=healthz", after=mark)
    assert [(e["WNA_FROM"], e["WNA_TO"], e["PRIORITY"]) for e in entries] == [
        ("ok", "fail", ERR), ("fail", "ok", NOTICE)]
    assert "web" in entries[0]["WNA_WHY"] and entries[0]["MESSAGE"].startswith("healthz: ok -> fail")
    assert {e["_SYSTEMD_UNIT"] for e in entries} == {unit("core")}


@pytest.mark.parametrize("how", ["F_SETFL", "F_SETPIPE_SZ", "shutdown"])
def test_nobody_touches_anothers_log(agent: Agent, how: str) -> None:
    """Descriptors 1 and 2 are a stream of the service's own: whatever a taken-over process does to
    them blocks, silences and forges no other."""
    machine = agent.host
    pid = machine.show(unit("check"), "MainPID")
    machine.python("parts.intruder", pid, how, log="intruder").wait(20)
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    wait_until(lambda: "healthz: ok -> fail" in agent.log("core"), "the core's line")
    assert "forged" not in agent.log("core") + agent.log("cloud")


@pytest.mark.parametrize("name", EXPOSURE)
def test_exposure(machine: Machine, name: str) -> None:
    """Of the unit as systemd has loaded it; tests/stack has the file's."""
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)",
                      machine.run("systemd-analyze", "security", "--no-pager", name).stdout)
    assert found and float(found[1]) <= EXPOSURE[name]


def test_shared_files_in_another_sandbox(agent: Agent) -> None:
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
    agent = Agent(machine)
    agent.configure({"mount": MOUNT})
    agent.start()
    agent.wait_job("mount", "ok")
    lines = machine.path("/proc/1/mountinfo").read_text().splitlines()
    assert len([line for line in lines if line.split()[4] == PATH]) == 1
