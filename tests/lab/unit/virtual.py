"""An Auto Scaling group in virtual time: the lab's pure functions, with simulated machines that
boot, pass their checks and share a load."""
from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Callable

from lab.aws.fleet import Fleet
from lab.aws.member import IN_SERVICE, STOPPING, TERMINATING, Launch
from lab.aws.scaling import TargetTracking, decisive
from lab.model.model import AutoScalingGroup, ScalingPolicy, Subnet

EPOCH = 1_581_446_050.0  # 2020-02-11T18:34:10Z
POLICY = ScalingPolicy(
    name="CpuPolicy", id="arn", policy_name="cpu", group="Group", target=50.0,
    metric_name="CPUUtilization", namespace="WebNodeAgent",
    dimensions={"AutoScalingGroupName": "web"}, statistic="Average", unit=None, period=10,
    disable_scale_in=False, warmup=None, line=1)
GROUP = AutoScalingGroup(
    name="Group", id="web", min=2, max=4, desired=2, subnets=["WebA", "WebC"], launch="L", version=1,
    health_check_type="ELB", grace=60, warmup=30, default_cooldown=300,
    target_groups=["TargetGroup"], tags={}, line=1)


def subnet(name: str) -> Subnet:
    return Subnet(name=name, id=f"subnet-{name}", cidr="10.16.3.0/24", zone=f"zone-{name[-1]}",
                  acl="", route_table="", public=False, maps_public_ip=False, line=1)


def model(policy: ScalingPolicy = POLICY, **group: Any) -> Any:
    return SimpleNamespace(group=replace(GROUP, **group), policy=policy,
                           subnets={name: subnet(name) for name in GROUP.subnets})

class World:
    """A group of machines in virtual time: they boot, pass checks, and share a load."""

    def __init__(self, boot: float = 20.0, delay: float = 5.0, policy: ScalingPolicy = POLICY,
                 **group: Any) -> None:
        self.now, self.boot, self.delay = 0.0, boot, delay
        self.fleet = Fleet(model(policy, **group), EPOCH)
        self.tracking = TargetTracking(policy, "web", "key")
        self.load: Callable[[float], float | None] = lambda now: 0.0  # per cent of one machine
        self.sick: set[str] = set()
        self.stopped: set[str] = set()
        self.broken_launches = 0
        self.seen: list[float | None] = []
        self.sizes: list[tuple[float, int]] = []
        self._events: list[tuple[float, Callable[[], object]]] = []
        self._number = 0
        self._ready: float | None = None
        self.fleet.create(0.0)

    def serving(self) -> list[str]:
        return [m.id for m in self.fleet.members.values() if m.state == IN_SERVICE]

    def targets(self) -> dict[str, str]:
        return {name: "unhealthy" if name in self.sick else "healthy" for name in self.serving()}

    def finish_boots(self, after: float) -> None:
        """Each machine completes its launch hook, so many seconds after its start."""
        self._ready = after

    def _run_machine(self, name: str) -> None:
        if name not in self.fleet.members:  # terminated while it booted
            return
        self.fleet.running(name, self.now)
        if self._ready is not None:
            self._after(self._ready,
                        lambda: self.fleet.complete(name, "CONTINUE", self.now))

    def _after(self, seconds: float, do: Callable[[], object]) -> None:
        self._events.append((self.now + seconds, do))

    def _launch(self, launch: Launch) -> None:
        if launch.member:  # from the warm pool
            name = launch.member.id
            stopped = self.fleet.pool and self.fleet.pool.state == "Warmed:Stopped"
            self._after(self.boot / 4 if stopped else 0.0, lambda: self._run_machine(name))
            return
        self._number += 1
        name = f"i-{self._number}"
        self.fleet.launched(launch, name, "10.16.3.1", self.now)
        if self.broken_launches:
            self.broken_launches -= 1
            self._after(1.0, lambda: self.fleet.failed(launch, "no machine", self.now))
        else:
            self._after(self.boot, lambda: self._run_machine(name))

    def step(self) -> None:
        """One second."""
        for due, do in [e for e in self._events if e[0] <= self.now]:
            self._events.remove((due, do))
            do()
        if self.now % 10 == 0 and self.now:
            asked = self.load(self.now)
            machines = len(self.serving()) or 1
            self.seen.append(None if asked is None else min(100.0, asked / machines))
            for found in self.tracking.evaluate(self.seen[-17:], self.now):
                self.fleet.react(found, decisive(found, self.seen[-17:]), self.now)
        self.fleet.expire_hooks(self.now)
        self.fleet.check_health(self.targets(), self.stopped, self.now)
        self.fleet.step_refresh(self.targets(), self.now)
        for launch in self.fleet.converge(self.now):
            self._launch(launch)
        for member in list(self.fleet.members.values()):
            if (member.state == TERMINATING or member.returns) and not member.drained:
                if not member.hook and self.now >= member.activity.start - EPOCH + self.delay:
                    self.fleet.drained(member.id, self.now)
            elif member.state == STOPPING:
                self._after(2.0, lambda name=member.id: self.fleet.halted(name, self.now))
            elif member.drained:
                self.fleet.terminated(member.id, self.now)
        if not self.sizes or self.sizes[-1][1] != len(self.serving()):
            self.sizes.append((self.now, len(self.serving())))
        self.now += 1.0

    def run(self, seconds: float) -> "World":
        end = self.now + seconds
        while self.now < end:
            self.step()
        return self

    def causes(self) -> list[str]:
        return [a.cause for a in self.fleet.activities]
