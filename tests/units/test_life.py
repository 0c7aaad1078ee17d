"""The agent's life under systemd: installed, started, booted, stopped."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

from parts.agent import ROLES, UMBRELLA, Agent, unit
from parts.wait import wait_until
from rig.machine import Machine
from setting import CHECK, GOOD, PATH, three_jobs

README = Path(__file__).resolve().parents[2] / "README.md"
FACTS = "/run/web-node-agent/facts.env"
USERS = ("wna", "wna-probe", "wna-check", "wna-rds", "wna-cloud", "wna-hooks", "wna-sockets")


def from_source() -> str:
    """README's commands for a Debian with a web server, and what stands for those that need a network
    and a compiler: tests/check has run them on this machine, with a folder in the place of the root."""
    page = re.search(r"^From source.*?^```\n(.*?)^```$", README.read_text(), re.S | re.M)
    assert page
    commands = page[1].splitlines()
    for command in (r"sudo tests/setup/install build\b", r"cmake --preset release && cmake --build --preset release$",
                    r"sudo cmake --install build/release$"):
        assert re.match(command, commands.pop(0))
    return 'sudo() { "$@"; }; cp -a --remove-destination /stage/. /\n' + "\n".join(commands)


def test_from_source_as_in_the_readme(new_machine: Callable[..., Machine], stage: Path) -> None:
    """Installed and upgraded by README's own words: it ends in 200. Each user and folder is there, and a
    job that is off has no process."""
    machine = new_machine(binds=[(stage, "/stage", "ro")])
    machine.boot()
    machine.systemctl("start", "apache2")
    commands = from_source()
    answer = machine.sh(commands, timeout=80)
    assert answer.splitlines()[-1] == "degraded" and "\nHTTP/1.1 200 OK" in f"\n{answer}", answer
    for user in USERS:
        assert machine.run("id", "-u", user).stdout.strip() not in ("", "0")
    assert machine.sh("stat -c '%U %a' /var/lib/web-node-agent/cloud") == "wna-cloud 700\n"
    agent = Agent(machine)
    wait_until(lambda: {role: agent.state(role) for role in ROLES} == {
        role: "active" if role in ("core", "cloud", "check") else "inactive" for role in ROLES},
        "the jobs that are on run")
    assert machine.systemctl("is-enabled", UMBRELLA) == "enabled\n"
    assert machine.systemctl("is-system-running") == "running\n"
    core = agent.pid("core")
    assert commands.count("enable --now") == 1
    upgrade = machine.sh(commands.replace("enable --now", "restart"), timeout=80)
    assert "\nHTTP/1.1 200 OK" in f"\n{upgrade}" and agent.pid("core") != core


def test_presets(machine: Machine) -> None:
    """The distribution decides what an installation enables: Debian everything, Amazon Linux and
    EL nothing. What others wait for is enabled by none of them."""
    for policy, then in (("enable", "enabled"), ("disable", "disabled")):
        machine.write("/etc/systemd/system-preset/00-test.preset", f"{policy} *\n")
        machine.systemctl("preset", UMBRELLA, "web-node-agent-ready.service")
        assert machine.systemctl("is-enabled", UMBRELLA, check=False).strip() == then
        assert machine.systemctl("is-enabled", "web-node-agent-ready.service").strip() == "static"


def test_boots(machine: Machine) -> None:
    """Once enabled it starts at each boot, whatever ended the one before, and holds up none. A shutdown
    drains first, and the next boot serves."""
    agent = Agent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": CHECK, "lifecycle": {"drain_quiet": "1s"}})
    machine.systemctl("enable", UMBRELLA)
    def cut() -> None:
        machine.cut_power()
        machine.boot()
    for again in (machine.reboot, machine.reboot, cut):
        again()
        assert agent.running()
        agent.wait_page("/healthz", 200)
        assert machine.systemctl("is-system-running") == "running\n"
        assert agent.restarts("core") == 0
    # In good order: the agent's end was no failure of its units.
    before = machine.journal("-b", "-2", "-u", "web-node-agent*")
    said = [e["MESSAGE"] for e in before]
    stopped = next(i for i, text in enumerate(said) if text.startswith("Stopped web-node-agent-core.service"))
    assert any("-> draining" in text for text in said[:stopped])
    assert any("drained: ordered by wnactl drain" in text for text in said[:stopped])
    assert not [e for e in before if int(e["PRIORITY"]) < 4 and "-> fail" not in e["MESSAGE"]]


def test_stop_leaves_what_must_live(agent: Agent) -> None:
    """The shared files and what serves them (bindfs here, EFS's proxy on a node), the last facts,
    and nothing else: no process, no listener. The next start takes the mount as it is."""
    machine = agent.host
    servers = sorted(machine.ps("bindfs"))
    wait_until(lambda: "WNA_INSTANCE_ID" in machine.read(FACTS), "the facts are written")
    assert agent.stop() == 0
    assert list(agent.all_pids()) == []
    assert machine.unit_pids(unit("mount")) == servers and len(servers) == 1
    assert machine.run("cat", f"{PATH}/hello.txt").stdout == "hello\n"
    assert "WNA_INSTANCE_ID=i-" in machine.read(FACTS)
    assert machine.run("ss", "-Hlnt", "sport", "=", ":8099").stdout == ""
    agent.start()
    agent.wait_page("/readyz", 200)
    assert sorted(machine.ps("bindfs")) == servers


def test_refused_configuration(machine: Machine) -> None:
    """At the first start: the agent answers all the same, 503 with the reason, and the journal says
    which line is wrong. `systemctl reload` takes the mended file."""
    agent = Agent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": {"typ": "file"}})
    agent.start()
    assert agent.code("/healthz") == 503
    assert "agent.conf:2:" in agent.status()["healthz"]["why"]
    assert machine.journal("-u", UMBRELLA, "--grep", r"agent\.conf:2: .*typ")
    assert agent.state("check") == "inactive"
    agent.configure({"check web": CHECK})
    assert agent.reload().returncode == 0
    agent.wait_page("/healthz", 200)


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
