"""A minute between the new files and the restart. (Its name puts it first: it lasts longest.)"""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from parts.agent import Agent
from parts.versions import Versions
from parts.wait import hold_true, wait_until
from rig.machine import Machine
from rig.probes import Probes
from setting import healed, settled, three_jobs

MINUTE = 60


@pytest.mark.timeout(120)
def test_peers_of_another_build(machine: Machine, stage: Path, record_property: Callable[[str, object], None]
                                ) -> None:
    """wnactl and finders of the new build come to the old core, which has the port and hears none of
    them; /healthz stays as it was for as long as max_age, and the restart sets all right."""
    agent = three_jobs(machine)
    agent.change("agent", log_level="debug")
    for section in ("imds", "mount", "check web"):
        agent.change(section, max_age="90s")
    agent.start()
    agent.wait_page("/readyz", 200)
    old = settled(agent, "core", "check", "mount", "cloud")
    Versions(stage).install(machine, "9.1.0")
    assert machine.run("wnactl", "load").returncode == 0
    with Probes(machine) as probes:
        for role in ("check", "mount", "cloud"):
            machine.kill(old[role])
            healed(agent, role, old[role])
            wait_until(lambda: f"hub: wna-{role} is of another build" in agent.log("core"), "it is not heard")
        hold_true(lambda: agent.status()["version"] == "0.1.0", "wnactl is served", MINUTE)
    record_property("probes", str(probes))
    probes.judge()
    assert probes.lasted_s > MINUTE and old["core"] in machine.ps()
    agent.restart()
    agent.wait_page("/readyz", 200)
    assert agent.status()["version"] == "9.1.0"
