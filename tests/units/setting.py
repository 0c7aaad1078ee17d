"""The node of the units suite: where its things are, and an agent with three jobs."""
from __future__ import annotations

from parts.agent import Agent
from parts import imds, names
from parts.imds import Imds
from rig.machine import Machine

GOOD = "/var/www/health"  # the agent's check looks for this file: the web server's page elsewhere
SHARED, PATH = "/srv/efs", "/var/www/html/efs"
CHECK = {"type": "file", "path": GOOD, "interval": "200ms"}
MOUNT = {"enabled": True, "path": PATH, "type": "fuse.bindfs", "source": SHARED, "expect_type": "fuse",
         "timeout": "5s", "retry_min": "200ms", "retry_max": "1s", "probe_interval": "500ms",
         "probe_timeout": "1s", "max_age": "2s"}


def three_jobs(machine: Machine) -> Agent:
    """Identity, the mount (bindfs in the place of EFS) and a check, all of which become well; not
    started."""
    machine.sh(f"ip address add {names.METADATA}/32 dev lo; mkdir -p {SHARED}; "
               f"echo hello > {SHARED}/hello.txt; touch {GOOD}")
    metadata = Imds(machine)
    metadata.start(names.METADATA)
    metadata.set(imds.instance(1, names.WEB[0], names.ZONES[0]))
    agent = Agent(machine)
    agent.configure({"imds": {"refresh": "2s", "state_refresh": "500ms"}, "mount": MOUNT,
                     "check web": CHECK, "database": {"enabled": False}, "metrics": {"enabled": False}})
    return agent
