"""A target group's health, as an Application Load Balancer keeps it: pure, time is
an argument. aws/alb.py makes the checks and carries out what is decided here.

Sources (Application Load Balancers User Guide):
- "Health checks for your target groups": each node checks each target by itself; one
  passing check makes a new target healthy; the thresholds count consecutive results;
  "each load balancer node routes requests only to the healthy targets in the enabled
  Availability Zones"; if all targets fail at the same time in all zones, the load
  balancer fails open and routes to all of them; states, reason codes and descriptions
  word for word.
- "Target groups", "Deregistration delay": a deregistering target gets no new request,
  what is in flight may end until the delay has passed; it is shown as draining for the
  whole delay even if nothing is in flight; then the target is unused.
- "Target group health": below the minimum of healthy targets, which is 1, a node sends
  to "all targets that are available to the load balancer node": with cross-zone off
  those of its own zone ("Cross-zone load balancing for target groups").

Undocumented, so assumed here:
- A node goes by what it has seen itself: two nodes may send to different targets for up
  to an interval, and one may fail open while the other does not.
- DescribeTargetHealth shows one state for what every node judges by itself. Shown is
  the worst: unhealthy if any node says so, else initial if any does, else healthy. So
  "healthy" means that every node sends to the target.
- A target that never passed and fails UnhealthyThresholdCount times becomes unhealthy,
  and then needs HealthyThresholdCount passes as any unhealthy one.
- Failing open does not include targets in state initial ("Before a target can receive
  requests from the load balancer, it must pass the initial health checks").
- Targets that drain are not checked any more.
Not here: slow start, sticky sessions, thresholds other than the default 1, DNS failover
of a node (with cross-zone on it cannot occur while any target is healthy).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable

from lab.model.model import TargetGroup

INITIAL, HEALTHY, UNHEALTHY, DRAINING, UNUSED = (
    "initial", "healthy", "unhealthy", "draining", "unused")
WORST = (HEALTHY, INITIAL, UNHEALTHY, DRAINING)

# reason code → description ("Health check reason codes")
DESCRIPTIONS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [{code}]",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.NotRegistered": "Target is not registered to the target group",
}


@dataclass(frozen=True)
class Result:
    """What came of one check: a status code, or why there is none."""
    code: int = 0
    reason: str = ""          # "Target.Timeout", "Target.FailedHealthChecks"


@dataclass(frozen=True)
class Health:
    """As DescribeTargetHealth gives it; no reason and description when healthy."""
    state: str
    reason: str = ""
    description: str = ""


def health(state: str, reason: str = "", code: int = 0) -> Health:
    return Health(state, reason, DESCRIPTIONS[reason].format(code=code) if reason else "")


def matches(matcher: str, code: int) -> bool:
    """The matcher: "200", "200,202", "200-299"."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


@dataclass
class Opinion:
    """What one node thinks of one target."""
    health: Health = field(default_factory=lambda: health(INITIAL, "Elb.InitialHealthChecking"))
    passes: int = 0
    fails: int = 0

    def feed(self, result: Result, group: TargetGroup) -> bool:
        """One check's result; whether the state has changed."""
        before = self.health.state
        if not result.reason and matches(group.matcher, result.code):
            self.passes, self.fails = self.passes + 1, 0
            if before == INITIAL or self.passes >= group.healthy:
                self.health = health(HEALTHY)
        else:
            self.passes, self.fails = 0, self.fails + 1
            if before == UNHEALTHY or self.fails >= group.unhealthy:
                self.health = health(
                    UNHEALTHY, result.reason or "Target.ResponseCodeMismatch", result.code)
        return self.health.state != before


@dataclass
class Target:
    id: str
    address: str
    zone: str
    opinions: dict[str, Opinion]          # by node
    drains_until: float | None = None

    def by_node(self, node: str) -> Health:
        """As this node sees it. That it drains is known to all."""
        if self.drains_until is not None:
            return health(DRAINING, "Target.DeregistrationInProgress")
        return self.opinions[node].health

    @property
    def shown(self) -> Health:
        return max(map(self.by_node, self.opinions), key=lambda h: WORST.index(h.state))


class Targets:
    """The targets of one group. `nodes`: the load balancer's, by their zones."""

    def __init__(self, group: TargetGroup, nodes: Iterable[str]) -> None:
        self.group = group
        self.nodes = list(nodes)
        self._targets: dict[str, Target] = {}

    def update(self, group: TargetGroup) -> None:
        """Other settings; they hold from the next result on (ModifyTargetGroup). A
        drain that is under way keeps its end."""
        self.group = group

    def register(self, target_id: str, address: str, zone: str) -> Target:
        """A new target; one that was draining begins anew."""
        target = Target(target_id, address, zone, {node: Opinion() for node in self.nodes})
        self._targets[target_id] = target
        return target

    def deregister(self, target_id: str, now: float) -> None:
        target = self._targets.get(target_id)
        if target and target.drains_until is None:
            target.drains_until = now + self.group.deregistration_delay

    def feed(self, node: str, target_id: str, result: Result) -> bool:
        """A node's check; whether its opinion has changed. A result that comes after
        the target went draining counts no more."""
        target = self._targets.get(target_id)
        if target is None or target.drains_until is not None:
            return False
        return target.opinions[node].feed(result, self.group)

    def expire(self, now: float) -> list[Target]:
        """Takes out the targets whose deregistration is complete, and returns them."""
        done = [t for t in self._targets.values()
                if t.drains_until is not None and now >= t.drains_until]
        for target in done:
            del self._targets[target.id]
        return done

    def next_expiry(self) -> float | None:
        return min((t.drains_until for t in self._targets.values()
                    if t.drains_until is not None), default=None)

    def get(self, target_id: str) -> Target | None:
        return self._targets.get(target_id)

    def all(self) -> list[Target]:
        return list(self._targets.values())

    def shown(self, target_id: str) -> Health:
        target = self._targets.get(target_id)
        return target.shown if target else health(UNUSED, "Target.NotRegistered")

    def routed(self, node: str) -> list[str]:
        """Where the node sends requests now: the healthy targets, or, if there is
        none, all that are unhealthy (failing open)."""
        near = [t for t in self._targets.values() if t.drains_until is None
                and (self.group.cross_zone or t.zone == node)]
        for state in (HEALTHY, UNHEALTHY):
            found = [t.id for t in near if t.opinions[node].health.state == state]
            if found:
                return found
        return []

    def fails_open(self, node: str) -> bool:
        """Whether the node sends to unhealthy targets for want of others."""
        sent = self.routed(node)
        return bool(sent) and self._targets[sent[0]].opinions[node].health.state == UNHEALTHY
