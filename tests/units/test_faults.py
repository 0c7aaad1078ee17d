"""What goes wrong on a node beside the agent's own processes: its files, its port, its sockets, its
journal; and processes that hang."""
from __future__ import annotations

import signal
import time
from typing import Callable

import pytest

from parts.agent import CONF, ROLES, UMBRELLA, Agent
from parts.wait import hold_true, wait_until
from rig.machine import Machine
from rig.probes import Probes
from setting import CHECK, GOOD, healed, settled

RUN = ("core", "check", "cloud", "mount")
CUT = 5  # connections that a core can have accepted at the moment of its death
SOCKETS = ("web-node-agent-health.socket", "web-node-agent-hub.socket")
Record = Callable[[str, object], None]
# Holds the port of the health checks, and says when it has it.
THIEF = """
import os, signal, socket
port = socket.socket(socket.AF_INET6)
port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
port.bind(("::", 8099))
port.listen()
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""
THIEF_UNIT = """
[Unit]
# Services start after all sockets otherwise: a cycle, of which systemd drops any one unit.
DefaultDependencies=no
After=sysinit.target
Before=web-node-agent.service web-node-agent-health.socket
[Service]
Type=notify
ExecStart=/usr/bin/python3 /etc/thief.py
[Install]
WantedBy=multi-user.target
"""


def torn(whole: bytes) -> dict[str, bytes]:
    """What an interrupted write can leave of a file."""
    source = whole.index(b"source = ")
    return {"in a value": whole[:source + 12], "in a key": whole[:source + 3],
            "in a section": whole[:whole.index(b"[check") + 4], "empty": b"",
            "zeros": bytes(len(whole)), "zeros at its end": whole[:source] + bytes(200)}


def test_a_torn_configuration(whole: Agent, record_property: Record) -> None:
    """Whatever is killed meanwhile goes on with the configuration in force."""
    machine = whole.host
    place = machine.path(CONF)
    text = place.read_bytes()
    whole.wait_job("identity", "ok")
    loaded = whole.status()["config"]
    with Probes(machine) as probes:
        for how, left in torn(text).items():
            place.write_bytes(left)
            old = settled(whole, *ROLES)
            for role in ROLES:
                machine.kill(old[role])
            for role in ROLES:
                healed(whole, role, old[role])
            for job in ("identity", "mount", "checks"):
                whole.wait_job(job, "ok")
            assert whole.status()["config"] == loaded, how
            probes.go_on(20)
            if how not in ("in a value", "empty"):  # which are good files, of another meaning
                assert whole.reload().returncode != 0, how
    record_property("probes", str(probes))
    probes.judge(cut=len(torn(text)) * CUT)
    machine.path(GOOD).unlink()
    whole.wait_page("/healthz", 503)
    machine.write(GOOD, "")
    place.write_bytes(text)
    old = settled(whole, *ROLES)
    assert whole.reload().returncode == 0
    whole.wait_page("/healthz", 200)
    assert settled(whole, *ROLES) == old, "nothing has changed"


def test_the_port_is_taken_at_boot(machine: Machine) -> None:
    """Until its owner goes; nothing but that is needed for the agent to answer."""
    agent = Agent(machine)
    machine.write(GOOD, "")
    agent.configure({"check web": CHECK})
    machine.write("/etc/thief.py", THIEF)
    machine.write("/etc/systemd/system/thief.service", THIEF_UNIT)
    machine.systemctl("enable", UMBRELLA, "thief.service")
    machine.reboot()
    wait_until(lambda: agent.restarts("core") > 2, "the core has tried again")
    assert agent.running() and agent.state("check") == "active"
    assert machine.show(SOCKETS[0], "ActiveState") == "failed"
    assert "Address already in use" in machine.systemctl("status", "--no-pager", SOCKETS[0], check=False)
    assert "no health listener was passed: web-node-agent-health.socket" in agent.log("core")
    assert agent.restarts("core") < 20, "half a second between two attempts"
    machine.systemctl("stop", "thief.service")
    agent.wait_page("/healthz", 200, timeout=5)
    assert machine.show(SOCKETS[0], "ActiveState") == "active"


def test_sockets_stopped_by_hand(agent: Agent) -> None:
    """That is refused, since systemd would not open them again while the core runs; they stop and start
    with the agent."""
    machine = agent.host
    with Probes(machine) as probes:
        for name in SOCKETS:
            for verb in ("stop", "restart"):
                done = machine.run("systemctl", verb, name, check=False)
                assert done.returncode != 0 and "may be requested by dependency only" in done.stderr
            machine.systemctl("start", name)
            core = agent.pid("core")
            machine.kill(core)
            healed(agent, "core", core)
            probes.go_on()
    probes.judge(cut=2 * CUT)
    agent.wait_page("/readyz", 200)
    assert agent.stop() == 0
    assert [machine.show(name, "ActiveState") for name in SOCKETS] == ["inactive"] * 2
    agent.start()
    agent.wait_page("/readyz", 200)


@pytest.mark.parametrize("role", ["core", "check"])
def test_hangs(agent: Agent, record_property: Record, role: str) -> None:
    """The watchdog ends it; the others go on."""
    old = agent.pid(role)
    with Probes(agent.host) as probes:
        since = time.monotonic()
        agent.host.kill(old, signal.SIGSTOP)
        healed(agent, role, old)
        record_property("healed_s", time.monotonic() - since)
        agent.wait_page("/readyz", 200, timeout=30)
        probes.go_on()
    record_property("probes", str(probes))
    probes.judge(cut=20, longest_s=10 if role == "core" else 1.0)
    assert "Watchdog timeout" in agent.log(role)


def test_core_stopped_for_a_while(agent: Agent) -> None:
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


def test_journal_stopped(agent: Agent, record_property: Record) -> None:
    """What cannot be logged is dropped, and no answer waits for it."""
    machine = agent.host
    journald = machine.show("systemd-journald", "MainPID")
    with Probes(machine, "/livez") as probes:
        machine.run("kill", "-STOP", journald)
        for _ in range(5):
            machine.path(GOOD).unlink()
            wait_until(lambda: agent.code("/healthz") == 503, "it turns")
            machine.write(GOOD, "")
            wait_until(lambda: agent.code("/healthz") == 200, "it turns back")
        machine.run("kill", "-CONT", journald)
        probes.go_on()
    record_property("probes", str(probes))
    probes.judge()


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
    assert stranger.running(), "all that happened while it connected"
    stranger.wait(30)
    assert agent.status()["jobs"]
