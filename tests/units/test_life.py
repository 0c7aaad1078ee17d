"""The agent's life under systemd: installed, started, booted, stopped."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

from parts.wait import wait_until
from rig.installed import UNIT, InstalledAgent
from rig.machine import Machine
from setting import CHECK, GOOD, PATH, three_jobs

FACTS = "/run/web-node-agent/facts.env"
USERS = ("wna", "wna-probe", "wna-check", "wna-rds", "wna-cloud")


def test_first_start(new_machine: Callable[..., Machine], stage: Path) -> None:
    """From the files on, with the README's commands: the users and folders are there, the agent is
    ready when the command returns, and it answers."""
    machine = new_machine(binds=[(stage, "/stage", "ro")])
    machine.boot()
    machine.sh("cp -a /stage/. /; systemd-sysusers; systemd-tmpfiles --create")
    for user in USERS:
        assert machine.run("id", "-u", user).stdout.strip() not in ("", "0")
    assert machine.sh("stat -c '%U %a' /var/lib/web-node-agent/cloud") == "wna-cloud 700\n"
    agent = InstalledAgent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": CHECK})
    machine.systemctl("enable", "--now", UNIT)
    assert agent.ready()
    assert agent.code("/livez") == 200
    agent.wait_page("/healthz", 200)
    assert machine.systemctl("is-enabled", UNIT) == "enabled\n"
    assert machine.systemctl("is-system-running") == "running\n"


def test_presets(machine: Machine) -> None:
    """The distribution decides what an installation enables: Debian everything, Amazon Linux and
    EL nothing. What others wait for is enabled by none of them."""
    for policy, then in (("enable", "enabled"), ("disable", "disabled")):
        machine.write("/etc/systemd/system-preset/00-test.preset", f"{policy} *\n")
        machine.systemctl("preset", UNIT, "web-node-agent-ready.service")
        assert machine.systemctl("is-enabled", UNIT, check=False).strip() == then
        assert machine.systemctl("is-enabled", "web-node-agent-ready.service").strip() == "static"


def test_boots(machine: Machine) -> None:
    """Once enabled it starts at each boot, whatever ended the one before, and holds up none."""
    agent = InstalledAgent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": CHECK})
    machine.systemctl("enable", UNIT)
    def cut() -> None:
        machine.cut_power()
        machine.boot()
    for again in (machine.reboot, machine.reboot, cut):
        again()
        assert agent.ready()
        agent.wait_page("/healthz", 200)
        assert machine.systemctl("is-system-running") == "running\n"
        assert agent.restarts() == 0
    # In good order: the agent's end was no failure of its unit.
    before = machine.journal("-b", "-2", "-u", UNIT)
    assert [e["MESSAGE"] for e in before][-1].startswith("Stopped web-node-agent.service")
    assert not [e for e in before if int(e["PRIORITY"]) < 4]


def test_stop_leaves_what_must_live(agent: InstalledAgent) -> None:
    """The shared files and what serves them (bindfs here, EFS's proxy on a node), the last facts,
    and nothing else: no process, no listener. The next start takes the mount as it is."""
    machine = agent.host
    servers = sorted(machine.ps("bindfs"))
    wait_until(lambda: "WNA_INSTANCE_ID" in machine.read(FACTS), "the facts are written")
    assert agent.stop() == 0
    assert machine.show(UNIT, "Result") == "success"
    assert agent.members() == servers and len(servers) == 1
    assert machine.run("cat", f"{PATH}/hello.txt").stdout == "hello\n"
    assert "WNA_INSTANCE_ID=i-" in machine.read(FACTS)
    assert machine.run("ss", "-Hlnt", "sport", "=", ":8099").stdout == ""
    agent.start()
    agent.wait_page("/readyz", 200)
    assert sorted(machine.ps("bindfs")) == servers


def test_refused_configuration_heals_by_itself(machine: Machine) -> None:
    """Tried again for ever, and not too often: the mended file needs no command. The journal says
    which line is wrong."""
    agent = InstalledAgent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": {"typ": "file"}})
    machine.systemctl("start", UNIT, check=False)
    # Beyond five attempts systemd would give up by default.
    wait_until(lambda: agent.restarts() > 5, "more attempts than are allowed by default", 30)
    at = [int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6
          for entry in machine.journal("-u", UNIT, "-p", "err", "--grep", r"agent\.conf:2: .*typ")]
    assert (at[-1] - at[0]) / (len(at) - 1) > 0.9, "no more than one attempt a second"
    agent.configure({"check web": CHECK})
    agent.wait_page("/healthz", 200)
    assert agent.ready()


def test_others_wait_for_it(machine: Machine) -> None:
    """A unit that is after the ready target starts when all jobs have been well, across a restart of
    the agent, and not before."""
    agent = three_jobs(machine)
    machine.path(GOOD).unlink()
    machine.write("/etc/systemd/system/waits.service", "[Unit]\nWants=web-node-agent-ready.target\n"
                  "After=web-node-agent-ready.target\n[Service]\nExecStart=/bin/sleep infinity\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "--no-block", "waits.service")  # and the agent along
    agent.wait_job("identity", "ok")
    agent.wait_page("/healthz", 503)
    agent.restart()
    agent.wait_job("identity", "ok")
    agent.wait_page("/healthz", 503)
    assert machine.show("waits.service", "ActiveState") == "inactive"
    assert re.search(r"waits\.service +start +waiting", machine.systemctl("list-jobs"))
    machine.write(GOOD, "")
    agent.wait_page("/readyz", 200)
    wait_until(lambda: machine.show("waits.service", "ActiveState") == "active", "it starts")
    # It says what has been, not what is.
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    assert machine.show("web-node-agent-ready.target", "ActiveState") == "active"
