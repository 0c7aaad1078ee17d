"""The node of the units suite: where its things are, agents with three jobs and with all services, and
their processes."""
from __future__ import annotations

from parts.agent import Agent
from parts import imds, names
from parts.imds import Imds
from parts.wait import wait_until
from rig.machine import Machine

GOOD = "/var/www/health"  # the agent's check looks for this file: the web server's page elsewhere
SHARED, PATH = "/srv/efs", "/var/www/html/efs"
PASSWORD = "/etc/password"
CHECK = {"type": "file", "path": GOOD, "interval": "200ms"}
MOUNT = {"enabled": True, "path": PATH, "type": "fuse.bindfs", "source": SHARED, "expect_type": "fuse",
         "timeout": "5s", "retry_min": "200ms", "retry_max": "1s", "probe_interval": "500ms",
         "probe_timeout": "1s", "max_age": "2s"}
DATABASE = {"enabled": True, "endpoint": "db.example", "user": "wna", "password_file": PASSWORD,
            "tls": "off"}  # no such name: its job is not well


def three_jobs(machine: Machine) -> Agent:
    """Identity, the mount (bindfs in the place of EFS) and a check, all of which become well; not
    started."""
    machine.sh(f"ip address add {names.METADATA}/32 dev lo; mkdir -p {SHARED}; "
               f"echo hello > {SHARED}/hello.txt; touch {GOOD}; "
               f"echo secret > {PASSWORD}; chmod 640 {PASSWORD}; chgrp wna-rds {PASSWORD}")
    metadata = Imds(machine)
    metadata.start(names.METADATA)
    metadata.set(imds.instance(1, names.WEB[0], names.ZONES[0]))
    agent = Agent(machine)
    agent.configure({"imds": {"refresh": "2s", "state_refresh": "500ms"}, "mount": MOUNT,
                     "check web": CHECK, "database": {"enabled": False}, "metrics": {"enabled": False}})
    return agent


def all_services(machine: Machine) -> Agent:
    """Those of the three jobs, and wna-rds, wna-hooks and wna-sockets; not started."""
    agent = three_jobs(machine)
    agent.change("database", **DATABASE)
    agent.change("hooks", enabled=True)
    return agent


def healed(agent: Agent, role: str, old: int) -> None:
    """Waits until another process has a process's place."""
    def another() -> bool:
        pids = agent.pids(role)
        return bool(pids) and old not in pids
    wait_until(another, f"another {role}", 30)


def settled(agent: Agent, *roles: str) -> dict[str, int]:
    """Each role's process, once there is exactly one."""
    wait_until(lambda: all(len(agent.pids(role)) == 1 for role in roles), f"one of each: {roles}")
    return {role: agent.pid(role) for role in roles}
