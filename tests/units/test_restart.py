"""Restarts, wanted and unwanted, as the load balancer sees them: no connect is refused."""
from __future__ import annotations

import os
import signal
import time
from typing import Callable

import pytest

from parts.wait import wait_until
from rig.installed import UNIT, InstalledAgent
from rig.probes import Probes
from setting import GOOD

RESIDENT = ("wnad", "core", "check", "cloud")
Record = Callable[[str, object], None]


def healed(agent: InstalledAgent, role: str, old: int, since: float) -> float:
    """Waits until another process has a process's place; seconds since then."""
    def another() -> bool:
        pids = agent.pids(role)
        return bool(pids) and old not in pids
    wait_until(another, f"another {role}", 30)
    return time.monotonic() - since


def settled(agent: InstalledAgent, *roles: str) -> dict[str, int]:
    """Each role's process, once there is exactly one."""
    wait_until(lambda: all(len(agent.pids(role)) == 1 for role in roles), f"one of each: {roles}")
    return {role: agent.pid(role) for role in roles}


def judge(probes: Probes, record: Record, cut: int = 0, longest_s: float = 5.0) -> None:
    record("probes", str(probes))
    assert not probes.refused and not probes.wrong, probes
    assert probes.cut <= cut, probes
    assert probes.longest_s < longest_s, probes


def test_restart(agent: InstalledAgent, record_property: Record) -> None:
    with Probes(agent.host) as probes:
        for _ in range(2):
            old = agent.host.show(UNIT, "MainPID")
            agent.restart()
            assert agent.host.show(UNIT, "MainPID") != old
            probes.go_on()
        agent.wait_page("/readyz", 200)
    judge(probes, record_property)


def test_reload(agent: InstalledAgent, record_property: Record) -> None:
    """The new configuration is in force, and nobody noticed."""
    machine = agent.host
    machine.write("/var/www/other", "")
    old = settled(agent, *RESIDENT)
    with Probes(machine) as probes:
        agent.change("check web", path="/var/www/other")
        since = time.monotonic()
        done = agent.reload()
        assert done.returncode == 0, done.stderr
        record_property("in_force_s", healed(agent, "check", old["check"], since))
        machine.path(GOOD).unlink()
        probes.go_on()
        agent.wait_page("/readyz", 200)
    judge(probes, record_property)
    machine.path("/var/www/other").unlink()
    agent.wait_page("/healthz", 503)
    assert settled(agent, "wnad") == {"wnad": old["wnad"]}


def test_refused_reload(agent: InstalledAgent, record_property: Record) -> None:
    """The command fails and the journal says which line; the agent goes on as before."""
    machine = agent.host
    before = settled(agent, *RESIDENT)
    with Probes(machine) as probes:
        agent.change("check web", typ="file")
        done = agent.reload()
        assert done.returncode != 0 and f"Job for {UNIT} failed" in done.stderr
        agent.change("check web", typ=None)
        probes.go_on()
    judge(probes, record_property)
    assert machine.journal("-u", UNIT, "--grep", r"agent\.conf:\d+: .*typ")
    assert agent.ready() and settled(agent, *RESIDENT) == before
    assert agent.reload().returncode == 0


def test_main_process_killed(agent: InstalledAgent, record_property: Record) -> None:
    """systemd starts it anew; its workers, which nobody else ends, are exchanged too."""
    old = settled(agent, *RESIDENT)
    with Probes(agent.host) as probes:
        since = time.monotonic()
        agent.host.kill(old["wnad"])
        record_property("healed_s", healed(agent, "wnad", old["wnad"], since))
        for role, pid in old.items():
            healed(agent, role, pid, since)
        agent.wait_page("/readyz", 200)
        probes.go_on()
    judge(probes, record_property, cut=5)
    assert agent.restarts() == 1
    assert not set(old.values()) & set(agent.members())


@pytest.mark.parametrize("role", ["core", "check", "cloud", "rds"])
def test_worker_killed(agent: InstalledAgent, record_property: Record, role: str) -> None:
    """It is started anew, and nobody else."""
    if role == "rds":
        agent.host.write("/etc/password", "secret\n", 0o600)
        agent.change("database", enabled=True, endpoint="db.example", user="wna",
                     password_file="/etc/password", tls="off")
        agent.restart()
        agent.wait_page("/healthz", 200)
    before = settled(agent, *RESIDENT, role)
    old = before[role]
    with Probes(agent.host) as probes:
        since = time.monotonic()
        agent.host.kill(old)
        record_property("healed_s", healed(agent, role, old, since))
        probes.go_on()
        agent.wait_job("checks", "ok")
        agent.wait_job("identity", "ok")
    judge(probes, record_property, cut=5 if role == "core" else 0)
    assert {**settled(agent, *RESIDENT, role), role: old} == before
    assert agent.restarts() == 0


def test_all_killed_at_once(agent: InstalledAgent, record_property: Record) -> None:
    """But what serves the shared files, which is as little the agent's as EFS's proxy."""
    old = agent.pid("wnad")
    with Probes(agent.host) as probes:
        since = time.monotonic()
        for pid in agent.all_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # a probe that has ended meanwhile
        record_property("healed_s", healed(agent, "wnad", old, since))
        agent.wait_page("/readyz", 200)
        probes.go_on()
    judge(probes, record_property, cut=5)
    assert agent.restarts() == 1


def test_watchdog(agent: InstalledAgent, record_property: Record) -> None:
    """A main process that hangs is ended and started anew."""
    machine = agent.host
    agent.drop_in("[Service]\nWatchdogSec=3s\n")
    agent.restart()
    agent.wait_page("/readyz", 200)
    old = agent.pid("wnad")
    with Probes(machine) as probes:
        since = time.monotonic()
        machine.kill(old, signal.SIGSTOP)
        record_property("healed_s", healed(agent, "wnad", old, since))
        agent.wait_page("/readyz", 200)
        probes.go_on()
    judge(probes, record_property, cut=5)
    assert "Watchdog timeout" in agent.log() and agent.restarts() == 1
