"""What a machine is found to be, from inside and from outside."""
from __future__ import annotations

import http.client
import json
import time
from typing import Any

from parts.wait import Late, wait_until
from .guest_agent import PACE_S
from .machine import Machine
from .world import BootWorld, Instance

EFS = "/var/www/html/efs"
PACKAGE = "web-node-agent"
RUNNING = ("core", "cloud", "rds", "check", "mount", "sockets")  # a stack's node has no hooks
SOON_S = 120     # for what takes a real machine some seconds
SETTLED_S = 180  # a unit that could not do its work is tried again


def agent_there(machine: Machine, timeout: float) -> None:
    """Until the machine can be asked: systemd has come so far."""
    def there() -> bool:
        if not machine.running():
            raise RuntimeError(f"{machine.name} has ended: {machine.said()[-400:]}")
        return machine.agent.there()
    wait_until(there, f"{machine.name} can be asked", timeout, PACE_S)


def status(machine: Machine) -> dict[str, Any]:
    """LookupError while it does not run."""
    said = machine.sh("wnactl status --json", check=False)  # its exit status tells the verdict
    if not said.startswith("{"):
        raise LookupError(said)
    return dict(json.loads(said))


def queued(machine: Machine) -> int:
    """Samples that wait for CloudWatch."""
    return int(status(machine)["facts"]["push-queued"]["value"])


def page_is(instance: Instance, path: str) -> int:
    """The agent's answer to a node of the load balancer, 0 if there is none."""
    world = instance.world
    with next(iter(world.services.alb.nodes.values())).host.net():
        connection = http.client.HTTPConnection(
            instance.address, world.model.target_group.health_port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def wait_page(instance: Instance, path: str, wanted: int, timeout: float) -> float:
    """Until the agent answers so; how long it took."""
    began = time.monotonic()
    try:
        wait_until(lambda: page_is(instance, path) == wanted, f"{path} is {wanted}", timeout, PACE_S)
    except Late as late:
        machine = instance.machine
        said = machine.sh("wnactl status; journalctl -b --no-pager -n 40 -u 'web-node-agent*'",
                          check=False) if machine and machine.running() else "the machine is off"
        raise Late(f"{late}\n{said}") from None
    return time.monotonic() - began


def wait_target(instance: Instance, timeout: float = SOON_S) -> float:
    """Until the load balancer calls it healthy; when that was (Unix time)."""
    wait_until(lambda: instance.state() == "healthy", "the target is healthy", timeout)
    return time.time()


def page(world: BootWorld) -> tuple[int, str]:
    """The web page, as a visitor gets it through the load balancer."""
    client = world.internet.client
    with client.net():
        connection = http.client.HTTPConnection(
            next(iter(world.services.spots[h.host.name].public or ""
                      for h in world.services.alb.nodes.values())), 80, timeout=20)
        try:
            connection.request("GET", "/efs/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()


def metric(world: BootWorld, since: float) -> list[tuple[float, float | None, int]]:
    """The group's metric at CloudWatch, in the periods from then until now: start, average, samples."""
    policy = world.model.policy
    first = since - since % policy.period
    starts = [first + n * policy.period for n in range(int((time.time() - first) // policy.period) + 1)]
    with world.services.aws.host.net():
        client = world.services.aws.client("cloudwatch")
    return [(start, value, samples) for start, (value, samples)
            in zip(starts, world.services.aws.metric(client, policy, starts))]


def wait_metric(world: BootWorld, since: float) -> None:
    wait_until(lambda: any(samples for _, _, samples in metric(world, since)),
               "CloudWatch has the group's metric, signed", SOON_S)


def mounted(machine: Machine) -> list[str]:
    """What is mounted where the file system belongs, as the kernel tells it."""
    return [line for line in machine.sh("cat /proc/self/mountinfo").splitlines() if f" {EFS} " in line]


def check_well(world: BootWorld, instance: Instance, machine: Machine) -> None:
    """Everything that a healthy node has, looked at where a user would."""
    wait_until(lambda: machine.sh("systemctl list-units --failed --no-legend --plain") == "",
               "no unit has failed", SETTLED_S)
    assert machine.sh("systemctl is-active web-node-agent.service", check=False) == "active\n"
    shown = machine.sh("systemctl show -p Id -p ActiveState -p NRestarts "
                       + " ".join(f"web-node-agent-{job}" for job in RUNNING)).split("\n\n")
    for unit in shown:
        assert {"ActiveState=active", "NRestarts=0"} < set(unit.split()), unit
    assert len(shown) == len(RUNNING), shown
    mounts = mounted(machine)
    assert len(mounts) == 1 and " - nfs4 " in mounts[0] and "vers=4.1" in mounts[0], mounts
    assert machine.sh(f"rpm -V {PACKAGE}", check=False) == ""
    bad = [job for job in status(machine)["jobs"] if job["level"] != "ok"]
    assert not bad, bad
    code, text = page(world)
    assert code == 200 and instance.address in text, (code, text[:300])
