"""Restarts, wanted and unwanted, as the load balancer sees them: no connect is refused, and no answer
is wrong."""
from __future__ import annotations

import os
import signal
import time
from typing import Callable

import pytest

from parts.agent import ROLES, UMBRELLA, Agent, unit
from parts.host import Host
from parts.wait import hold_true, wait_until
from rig.probes import Probes
from setting import GOOD

RUN = ("core", "check", "cloud", "mount")
Record = Callable[[str, object], None]


def healed(agent: Agent, role: str, old: int, since: float) -> float:
    """Waits until another process has a process's place; seconds since then."""
    def another() -> bool:
        pids = agent.pids(role)
        return bool(pids) and old not in pids
    wait_until(another, f"another {role}", 30)
    return time.monotonic() - since


def settled(agent: Agent, *roles: str) -> dict[str, int]:
    """Each role's process, once there is exactly one."""
    wait_until(lambda: all(len(agent.pids(role)) == 1 for role in roles), f"one of each: {roles}")
    return {role: agent.pid(role) for role in roles}


def judge(probes: Probes, record: Record, cut: int = 0, longest_s: float = 1.0) -> None:
    record("probes", str(probes))
    assert not probes.refused and not probes.wrong, probes
    assert probes.cut <= cut, probes
    assert probes.longest_s < longest_s, probes


def test_restart(agent: Agent, record_property: Record) -> None:
    with Probes(agent.host) as probes:
        for _ in range(3):
            old = settled(agent, *RUN)
            agent.restart()
            for role, pid in old.items():
                healed(agent, role, pid, time.monotonic())
            probes.go_on()
        agent.wait_page("/readyz", 200)
    judge(probes, record_property)


def test_stop_stays_down(agent: Agent) -> None:
    """No connect brings it back."""
    agent.stop()
    for _ in range(20):
        with pytest.raises(OSError):
            agent.code("/livez")
    assert not agent.all_pids() and not agent.running()


def test_reload(agent: Agent, record_property: Record) -> None:
    """A check that is another is taken up by wna-check and the core; the others do not notice. A
    job that is switched on starts, and stops when it is switched off."""
    machine = agent.host
    machine.write("/var/www/other", "")
    old = settled(agent, *RUN)
    with Probes(machine) as probes:
        agent.change("check web", path="/var/www/other")
        since = time.monotonic()
        done = agent.reload()
        assert done.returncode == 0, done.stderr
        record_property("in_force_s", healed(agent, "check", old["check"], since))
        machine.path(GOOD).unlink()
        agent.wait_page("/readyz", 200)
        probes.go_on()
        new = settled(agent, *RUN)
        assert {role for role in RUN if new[role] != old[role]} == {"check", "core"}
        machine.write("/etc/password", "secret\n", 0o640)
        machine.run("chgrp", "wna-rds", "/etc/password")
        agent.change("database", enabled=True, endpoint="db.example", user="wna",
                     password_file="/etc/password", tls="off")
        assert agent.reload().returncode == 0
        wait_until(lambda: agent.state("rds") == "active", "the database's job runs")
        agent.change("database", enabled=False)
        assert agent.reload().returncode == 0
        wait_until(lambda: agent.state("rds") == "inactive" and not agent.pids("rds"), "it is off")
        probes.go_on()
    judge(probes, record_property)


def test_reload_of_the_log_level(agent: Agent, record_property: Record) -> None:
    """Restarts no worker."""
    old = settled(agent, *RUN)
    with Probes(agent.host) as probes:
        agent.change("agent", log_level="debug")
        assert agent.reload().returncode == 0
        wait_until(lambda: "<" not in agent.log("check") and "check web:" in agent.log("check"),
                   "wna-check logs its results")
        probes.go_on()
    judge(probes, record_property)
    new = settled(agent, *RUN)
    assert {role for role in RUN if new[role] != old[role]} <= {"core"}
    assert "Reload failed" not in agent.log()


def test_refused_reload(agent: Agent, record_property: Record) -> None:
    """The command fails and says which line; the agent goes on as before, also if a process is
    killed meanwhile."""
    machine = agent.host
    before = settled(agent, *RUN)
    with Probes(machine) as probes:
        agent.change("check web", typ="file")
        done = agent.reload()
        assert done.returncode != 0
        assert machine.journal("-u", UMBRELLA, "--grep", r"agent\.conf:\d+: .*typ")
        assert settled(agent, *RUN) == before
        for role in ("check", "core"):
            machine.kill(before[role])
            healed(agent, role, before[role], time.monotonic())
        agent.wait_page("/readyz", 200)
        probes.go_on()
        agent.change("check web", typ=None)
        assert agent.reload().returncode == 0
    judge(probes, record_property, cut=5)


@pytest.mark.parametrize("role", ["core", "check", "cloud", "mount"])
def test_killed(agent: Agent, record_property: Record, role: str) -> None:
    """It is started anew, and nobody else. What serves the shared files lives on."""
    before = settled(agent, *RUN)
    servers = sorted(agent.host.ps("bindfs"))
    with Probes(agent.host) as probes:
        since = time.monotonic()
        agent.host.kill(before[role])
        record_property("healed_s", healed(agent, role, before[role], since))
        probes.go_on()
        agent.wait_page("/readyz", 200)
        probes.go_on()
    judge(probes, record_property, cut=5 if role == "core" else 0)
    assert {**settled(agent, *RUN), role: before[role]} == before
    assert sorted(agent.host.ps("bindfs")) == servers


def test_core_killed_again_and_again(agent: Agent, record_property: Record) -> None:
    with Probes(agent.host) as probes:
        for _ in range(5):
            old = agent.pid("core")
            agent.host.kill(old)
            healed(agent, "core", old, time.monotonic())
            probes.go_on(1)
        probes.go_on()
    judge(probes, record_property, cut=20)


def test_all_killed_at_once(agent: Agent, record_property: Record) -> None:
    """But what serves the shared files, which is as little the agent's as EFS's proxy."""
    old = settled(agent, *RUN)
    with Probes(agent.host) as probes:
        since = time.monotonic()
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        for role, pid in old.items():
            record_property(f"healed_{role}_s", healed(agent, role, pid, since))
        agent.wait_page("/readyz", 200)
        probes.go_on()
    judge(probes, record_property, cut=10)


def test_a_core_that_fails_for_a_while(agent: Agent, record_property: Record) -> None:
    """And is mended: connects wait, none is refused, and the sockets have not failed."""
    machine = agent.host
    core = machine.path("/usr/libexec/web-node-agent/wna-core")
    good, pid = core.read_bytes(), agent.pid("core")
    with Probes(machine) as probes:
        probes.go_on()
        core.unlink()
        machine.write("/usr/libexec/web-node-agent/wna-core", "#!/bin/false\n", 0o755)
        machine.kill(pid)
        wait_until(lambda: agent.restarts("core") > 20, "it has failed many times", 30)
        machine.path("/usr/libexec/web-node-agent/wna-core.new").write_bytes(good)
        machine.sh("chmod 755 /usr/libexec/web-node-agent/wna-core.new; "
                   "mv /usr/libexec/web-node-agent/wna-core.new /usr/libexec/web-node-agent/wna-core")
        probes.go_on()
        agent.wait_page("/readyz", 200)
    judge(probes, record_property, cut=5, longest_s=20)


@pytest.mark.parametrize("role", ["core", "check"])
def test_hangs(agent: Agent, record_property: Record, role: str) -> None:
    """The watchdog ends it; the others go on."""
    old = agent.pid(role)
    with Probes(agent.host) as probes:
        since = time.monotonic()
        agent.host.kill(old, signal.SIGSTOP)
        record_property("healed_s", healed(agent, role, old, since))
        agent.wait_page("/readyz", 200, timeout=30)
        probes.go_on()
    judge(probes, record_property, cut=20, longest_s=10 if role == "core" else 1.0)
    assert "Watchdog timeout" in agent.log(role)


def test_core_stopped_for_a_while(agent: Agent, record_property: Record) -> None:
    """Shorter than its watchdog: no finder waits for it, and what they say counts afterwards."""
    agent.drop_in("core", "[Service]\nWatchdogSec=30s\n")
    agent.restart()
    agent.wait_page("/readyz", 200)
    others = settled(agent, *RUN)
    core = others["core"]
    agent.host.kill(core, signal.SIGSTOP)
    agent.host.path(GOOD).unlink()
    hold_true(lambda: settled(agent, *RUN) == others, "no process is exchanged", 9)
    agent.host.kill(core, signal.SIGCONT)
    agent.wait_page("/healthz", 503, timeout=1)


def test_a_worker_that_does_not_stop(agent: Agent) -> None:
    """Its stop is bounded, and so is the agent's."""
    agent.host.kill(agent.pid("cloud"), signal.SIGSTOP)
    since = time.monotonic()
    agent.host.systemctl("stop", UMBRELLA)
    assert time.monotonic() - since < 15
    assert not agent.all_pids()


def test_port_taken_at_boot(agent: Agent) -> None:
    """Its owner goes, and the next start of the socket has it."""
    machine = agent.host
    agent.stop()
    thief = machine.spawn("python3", "-c", "import socket, signal; s = socket.socket(socket.AF_INET6); "
                          "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
                          "s.bind(('::', 8099)); s.listen(); signal.pause()", log="thief")
    wait_until(lambda: ":8099" in machine.run("ss", "-Hlnt").stdout, "the port is taken")
    agent.start(wait=False)
    wait_until(lambda: agent.state("check") == "active", "the others run")
    thief.kill()
    wait_until(lambda: machine.run("systemctl", "start", "web-node-agent-health.socket",
                                   check=False).returncode == 0, "the socket starts")
    agent.wait_page("/readyz", 200)


def test_a_socket_stopped_by_hand(agent: Agent) -> None:
    """A start of the agent brings it back."""
    for name in ("web-node-agent-hub.socket", "web-node-agent-health.socket"):
        agent.host.systemctl("stop", name)
        agent.restart()
        agent.wait_page("/readyz", 200)


def test_journal_stopped(agent: Agent, record_property: Record) -> None:
    """What cannot be logged is dropped, and no answer waits for it."""
    machine = agent.host
    journald = machine.show("systemd-journald", "MainPID")
    with Probes(machine) as probes:
        machine.run("kill", "-STOP", journald)
        for _ in range(5):
            machine.path(GOOD).unlink()
            agent.wait_page("/livez", 200)
            wait_until(lambda: agent.code("/healthz") == 503, "it turns")
            machine.write(GOOD, "")
            wait_until(lambda: agent.code("/healthz") == 200, "it turns back")
        machine.run("kill", "-CONT", journald)
        probes.go_on()
    record_property("probes", str(probes))
    assert not probes.refused and not probes.cut and probes.longest_s < 1.0, probes


def test_hub_filled_by_a_stranger(agent: Agent) -> None:
    """A taken-over worker connects as often as it can; the others are heard all the same."""
    machine = agent.host
    stranger = machine.spawn(
        "setpriv", "--reuid", "wna-rds", "--regid", "wna-rds", "--groups", "wna", "python3", "-c",
        "import socket, time\nheld = []\nend = time.monotonic() + 5\n"
        "while time.monotonic() < end:\n"
        "    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); peer.setblocking(False)\n"
        "    try:\n        peer.connect('/run/web-node-agent/hub'); held.append(peer)\n"
        "    except OSError: pass\n"
        "    held = held[-200:]\n", log="stranger")
    machine.path(GOOD).unlink()
    agent.wait_page("/healthz", 503, timeout=5)
    machine.write(GOOD, "")
    agent.wait_page("/healthz", 200, timeout=5)
    stranger.wait(30)
    assert agent.status()["jobs"]
