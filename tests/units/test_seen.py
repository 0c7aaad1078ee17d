"""What an operator sees of the agent through systemd's tools, and what it sees of the node."""
from __future__ import annotations

import re
from itertools import pairwise

import pytest

from parts.agent import ROLES, UMBRELLA, Agent, unit
from parts.http import request
from parts.wait import wait_until
from rig.machine import Machine
from rig.probes import Probes
from setting import CHECK, GOOD, MOUNT, PATH, SHARED

# The highest exposure that systemd-analyze may give to each unit; lower is better.
EXPOSURE = {**{unit(role): 2.0 for role in ("core", "cloud", "rds", "check", "sockets")},
            unit("hooks"): 2.6, unit("mount"): 8.4, "web-node-agent-ready.service": 1.6,
            "web-node-agent-drain.service": 1.6}
PRIORITY = {"fail": "3", "degraded": "4", "ok": "5"}  # err, warning, notice
WORKERS = ("check", "rds", "cloud", "hooks", "sockets")
FLIP = "6f3a1c0de4b94f0c9a5b7d2e81c6f417"


def test_status_reads_like_a_table_of_contents(whole: Agent) -> None:
    """Each unit with what it is for, in words of its own; at the core the verdict and its reason."""
    machine = whole.host

    def text() -> str:
        return machine.show(unit("core"), "StatusText")
    wait_until(lambda: text().startswith("healthz degraded, readyz fail: database: db.example: "), "one job fails")
    seen = machine.systemctl("status", "--no-pager", "web-node-agent*")
    titles = dict(re.findall(r"^\S (web-node-agent\S*) - Web node agent: (.+)$", seen, re.M))
    assert set(titles) == {UMBRELLA, *map(unit, ROLES), "web-node-agent-health.socket",
                           "web-node-agent-hub.socket", "web-node-agent-drain.service"}
    assert len(set(titles.values())) == len(titles) and all(len(words) < 60 for words in titles.values())
    assert seen.count(" Active: active ") == len(titles)
    assert f'Status: "{text()}"' in seen
    machine.path(GOOD).unlink()
    whole.wait_page("/healthz", 503)
    wait_until(lambda: text().startswith("healthz fail, readyz fail: checks: web:"), "the reason")
    machine.write(GOOD, "")
    whole.change("database", enabled=False)
    assert whole.reload().returncode == 0
    wait_until(lambda: text() == "healthz ok, readyz ok", "all is well")


def test_journal_of_a_change(agent: Agent) -> None:
    """A change of the verdict is an entry with fields of its own and the priority of its consequence,
    whatever the log level."""
    machine = agent.host
    other = "/var/www/other"
    machine.write(other, "")
    agent.change("check other", **{**CHECK, "path": other, "scope": "shared"})
    agent.change("agent", log_level="error")
    assert agent.reload().returncode == 0
    agent.wait_page("/readyz", 200)
    mark = machine.cursor()
    for path, level in ((other, "degraded"), (GOOD, "fail"), (GOOD, "degraded"), (other, "ok")):
        if machine.path(path).exists():
            machine.path(path).unlink()
        else:
            machine.write(path, "")
        wait_until(lambda: agent.status()["healthz"]["level"] == level, f"it is {level}")
    for job, levels in (("healthz", ("ok", "degraded", "fail", "degraded", "ok")), ("check web", ("ok", "fail", "ok"))):
        entries = machine.journal(f"MESSAGE_ID={FLIP}", f"WNA_JOB={job}", after=mark)
        assert [(e["WNA_FROM"], e["WNA_TO"]) for e in entries] == list(pairwise(levels))
        for entry in entries:
            assert entry["PRIORITY"] == PRIORITY[entry["WNA_TO"]]
            assert entry["MESSAGE"].startswith(f"{job}: {entry['WNA_FROM']} -> {entry['WNA_TO']}")
            assert entry["MESSAGE"].endswith(entry["WNA_WHY"]) and entry["_SYSTEMD_UNIT"] == unit("core")
            assert bool(entry["WNA_WHY"]) == (entry["WNA_TO"] != "ok"), entry


@pytest.mark.parametrize("how", ["F_SETFL", "F_SETPIPE_SZ", "shutdown"])
def test_no_process_touches_anothers_log(whole: Agent, how: str) -> None:
    """Descriptors 1 and 2 are a stream of the service's own: whatever all taken-over workers do to
    theirs at once blocks, silences and forges no other."""
    machine = whole.host
    with Probes(machine, "/livez") as probes:
        intruders = [machine.python("parts.intruder", machine.show(unit(role), "MainPID"), how, role,
                                    log=f"intruder-{role}") for role in WORKERS]
        machine.path(GOOD).unlink()
        machine.run("umount", "-l", PATH)
        whole.wait_page("/healthz", 503)
        assert [intruder.wait(20) for intruder in intruders] == [0] * len(WORKERS)
        probes.go_on()
    probes.judge()
    wait_until(lambda: "-> fail" in whole.log("core"), "the core's entry")
    wait_until(lambda: whole.log("mount").count(f"mounted on {PATH}") == 2, "a line of the keeper's stream")
    forged = machine.sh("journalctl -q -a -o with-unit -g 'forged by' | sed 's/x*$//' | cut -d ' ' -f 6- | "
                        "sort -u", check=False).splitlines()
    assert [re.sub(r"\[\d+\]", "", line) for line in forged] == [
        f"{unit(role)}: healthz: ok -> fail, forged by {role} " for role in sorted(WORKERS)
        if how != "shutdown"]


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
