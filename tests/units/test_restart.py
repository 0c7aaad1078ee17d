"""Restarts, wanted and unwanted, as the load balancer sees them: no connect is refused, and no answer
is wrong."""
from __future__ import annotations

import os
import signal
import time
from typing import Callable

import pytest

from parts.agent import ROLES, UMBRELLA, Agent
from parts.wait import hold_true, wait_until
from rig.machine import Machine
from rig.probes import Probes
from setting import DATABASE, GOOD, SHARED, healed, settled, three_jobs

RUN = ("core", "check", "cloud", "mount")
CORE = "/usr/libexec/web-node-agent/wna-core"
CUT = 5  # connections that a core can have accepted at the moment of its death
Record = Callable[[str, object], None]


def test_restart(agent: Agent, record_property: Record) -> None:
    """However often: systemd allows five starts in ten seconds where a unit does not say otherwise."""
    with Probes(agent.host) as probes:
        for _ in range(6):
            old = settled(agent, *RUN)
            agent.restart()
            for role, pid in old.items():
                healed(agent, role, pid)
            probes.go_on(20)
        agent.wait_page("/readyz", 200)
    record_property("probes", str(probes))
    probes.judge()
    assert agent.reload().returncode == 0


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
        healed(agent, "check", old["check"])
        record_property("in_force_s", time.monotonic() - since)
        machine.path(GOOD).unlink()
        agent.wait_page("/readyz", 200)
        probes.go_on()
        new = settled(agent, *RUN)
        assert {role for role in RUN if new[role] != old[role]} == {"check", "core"}
        agent.change("database", **DATABASE)
        assert agent.reload().returncode == 0
        wait_until(lambda: agent.state("rds") == "active", "the database's job runs")
        agent.change("database", enabled=False)
        assert agent.reload().returncode == 0
        wait_until(lambda: agent.state("rds") == "inactive" and not agent.pids("rds"), "it is off")
        probes.go_on()
    record_property("probes", str(probes))
    probes.judge()


def test_reload_of_the_log_level(agent: Agent, record_property: Record) -> None:
    """Restarts no worker."""
    old = settled(agent, *RUN)
    with Probes(agent.host) as probes:
        agent.change("agent", log_level="debug")
        assert agent.reload().returncode == 0
        wait_until(lambda: "<" not in agent.log("check") and "check web:" in agent.log("check"),
                   "wna-check logs its results")
        probes.go_on()
    record_property("probes", str(probes))
    probes.judge()
    new = settled(agent, *RUN)
    assert {role for role in RUN if new[role] != old[role]} <= {"core"}
    assert "Reload failed" not in agent.log()


def test_reload_mounts_at_once(machine: Machine) -> None:
    """An attempt has failed and the next one is an hour away; the reload changes no key."""
    agent = three_jobs(machine)
    agent.change("mount", retry_min="1h", retry_max="1h")
    machine.sh(f"mv {SHARED} {SHARED}.away")
    agent.start()
    agent.wait_job("mount", "fail")
    wait_until(lambda: "again in" in agent.job("mount")["next"], "it waits for its next attempt")
    machine.sh(f"mv {SHARED}.away {SHARED}")
    keeper = settled(agent, "mount")
    hold_true(lambda: agent.job("mount")["level"] == "fail", "it waits", 1.5)
    assert agent.reload().returncode == 0
    agent.wait_job("mount", "ok", timeout=5)
    assert settled(agent, "mount") == keeper


def test_refused_reload(agent: Agent) -> None:
    """The command fails and says which line; nothing changes."""
    machine = agent.host
    before = settled(agent, *RUN)
    agent.change("check web", typ="file")
    done = agent.reload()
    assert done.returncode != 0
    assert machine.journal("-u", UMBRELLA, "--grep", r"agent\.conf:\d+: .*typ")
    assert settled(agent, *RUN) == before
    agent.change("check web", typ=None)
    assert agent.reload().returncode == 0


def test_killed(whole: Agent, record_property: Record) -> None:
    """Each is started anew, and no other. What serves the shared files lives on."""
    servers = sorted(whole.host.ps("bindfs"))
    assert servers
    for role in ROLES:
        before = settled(whole, *ROLES)
        with Probes(whole.host) as probes:
            since = time.monotonic()
            whole.host.kill(before[role])
            healed(whole, role, before[role])
            record_property(f"healed_{role}_s", time.monotonic() - since)
            probes.go_on(100)
        record_property(f"probes_{role}", str(probes))
        probes.judge(cut=CUT if role == "core" else 0)
        assert {**settled(whole, *ROLES), role: before[role]} == before
    assert sorted(whole.host.ps("bindfs")) == servers


def test_core_killed_again_and_again(agent: Agent, record_property: Record) -> None:
    with Probes(agent.host) as probes:
        for _ in range(5):
            old = agent.pid("core")
            agent.host.kill(old)
            healed(agent, "core", old)
            probes.go_on(1)
        probes.go_on()
    record_property("probes", str(probes))
    probes.judge(cut=5 * CUT)


def test_all_killed_at_once(whole: Agent, record_property: Record) -> None:
    """But what serves the shared files, which is as little the agent's as EFS's proxy."""
    for _ in range(3):
        old = settled(whole, *ROLES)
        with Probes(whole.host) as probes:
            since = time.monotonic()
            for pid in old.values():
                os.kill(pid, signal.SIGKILL)
            for role, pid in old.items():
                healed(whole, role, pid)
            record_property("healed_s", time.monotonic() - since)
            whole.wait_job("mount", "ok")
            probes.go_on()
        record_property("probes", str(probes))
        probes.judge(cut=CUT)


@pytest.mark.parametrize("how", ["kill", "restart of the core", "restart of all"])
def test_the_first_answer_is_true(agent: Agent, how: str) -> None:
    """503 before and after, and never 200 between."""
    agent.host.path(GOOD).unlink()
    agent.wait_page("/healthz", 503)
    probes = Probes(agent.host)
    probes.status = 503
    with probes:
        for _ in range(3):
            old = agent.pid("core")
            if how == "kill":
                agent.host.kill(old)
            else:
                agent.restart("core" if how == "restart of the core" else "")
            healed(agent, "core", old)
            probes.go_on(20)
    probes.judge(cut=3 * CUT if how == "kill" else 0)


def test_a_core_that_fails_for_a_while(agent: Agent, record_property: Record) -> None:
    """And is mended after five seconds: connects wait, none is refused, and the sockets have not failed.
    The node has failed meanwhile, and the first answer says it."""
    machine = agent.host
    good, pid = machine.path(CORE).read_bytes(), agent.pid("core")
    with Probes(machine) as probes:
        machine.path(CORE).unlink()
        machine.write(CORE, "#!/bin/false\n", 0o755)
        machine.kill(pid)
        wait_until(lambda: agent.state("core") != "active", "it has failed")
        probes.status = 503
        machine.path(GOOD).unlink()
        before = probes.answered
        hold_true(lambda: probes.answered == before, "there is no answer", 5)
        assert agent.restarts("core") > 5, "as often as systemd lets a unit start by default"
        machine.write(f"{CORE}.new", good, 0o755)
        machine.path(f"{CORE}.new").rename(machine.path(CORE))
        probes.mended()
        probes.go_on(500)
    record_property("probes", str(probes))
    probes.judge(cut=CUT)
    machine.write(GOOD, "")
    agent.wait_page("/readyz", 200)
