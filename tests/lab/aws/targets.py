"""A target group's health, as in an Application Load Balancer. Pure, time is an argument.
aws/alb.py makes the checks and carries out the decisions.

Sources (Application Load Balancers User Guide):
- "Health checks for your target groups": each node checks each target by itself; one passing check
  makes a new target healthy; the thresholds count consecutive results; "each load balancer node
  routes requests only to the healthy targets in the enabled Availability Zones"; if all targets
  fail at the same time in all zones, the load balancer fails open and routes to all of them;
  states, reason codes and descriptions word for word.
- "Target groups", "Deregistration delay": a deregistering target gets no new request; requests in
  flight may end until the delay has passed; the target is shown as draining for the whole delay
  even without requests in flight; then it is unused.
- "Target group health": below the minimum of healthy targets, 1, a node sends to "all targets that
  are available to the load balancer node": with cross-zone off those of its own zone ("Cross-zone
  load balancing for target groups").

Undocumented, assumed here:
- A node uses its own results: two nodes may send to different targets for up to an interval, and
  one may fail open while the other does not.
- DescribeTargetHealth shows one state for all nodes. Here it is the worst: unhealthy if any node
  says so, else initial if any does, else healthy. "healthy" then means that every node sends to
  the target.
- A target that never passed and fails UnhealthyThresholdCount times becomes unhealthy, and then
  needs HealthyThresholdCount passes like any unhealthy target.
- Failing open does not include targets in state initial ("Before a target can receive requests
  from the load balancer, it must pass the initial health checks").
- Draining targets are not checked.

Not implemented: slow start, sticky sessions, thresholds other than the default 1, DNS failover of
a node (with cross-zone on it cannot occur while any target is healthy)."""
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
    """The result of one check: a status code, or a reason."""
    code: int = 0
    reason: str = ""          # "Target.Timeout", "Target.FailedHealthChecks"


@dataclass(frozen=True)
class Health:
    """As in DescribeTargetHealth; without reason and description when healthy."""
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
    """The state of one target for one node."""
    health: Health = field(default_factory=lambda: health(INITIAL, "Elb.InitialHealthChecking"))
    passes: int = 0
    fails: int = 0

    def feed(self, result: Result, group: TargetGroup) -> bool:
        """Adds a check's result; returns whether the state has changed."""
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
        """The state for this node. Draining applies to all nodes."""
        if self.drains_until is not None:
            return health(DRAINING, "Target.DeregistrationInProgress")
        return self.opinions[node].health

    @property
    def shown(self) -> Health:
        return max(map(self.by_node, self.opinions), key=lambda h: WORST.index(h.state))


class Targets:
    """The targets of one group. `nodes`: the load balancer's nodes, with their zones."""

    def __init__(self, group: TargetGroup, nodes: Iterable[str]) -> None:
        self.group = group
        self.nodes = list(nodes)
        self._targets: dict[str, Target] = {}

    def update(self, group: TargetGroup) -> None:
        """New settings, used from the next result on (ModifyTargetGroup). A drain in progress
        keeps its end."""
        self.group = group

    def register(self, target_id: str, address: str, zone: str) -> Target:
        """Adds a target; a draining target starts again."""
        target = Target(target_id, address, zone, {node: Opinion() for node in self.nodes})
        self._targets[target_id] = target
        return target

    def deregister(self, target_id: str, now: float) -> None:
        target = self._targets.get(target_id)
        if target and target.drains_until is None:
            target.drains_until = now + self.group.deregistration_delay

    def feed(self, node: str, target_id: str, result: Result) -> bool:
        """Adds a node's result; returns whether its state has changed. Results for a draining
        target are ignored."""
        target = self._targets.get(target_id)
        if target is None or target.drains_until is not None:
            return False
        return target.opinions[node].feed(result, self.group)

    def expire(self, now: float) -> list[Target]:
        """Removes and returns the targets whose deregistration is complete."""
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
        """The targets that get this node's requests: the healthy ones, or, without any, all
        unhealthy ones (failing open)."""
        near = [t for t in self._targets.values() if t.drains_until is None
                and (self.group.cross_zone or t.zone == node)]
        for state in (HEALTHY, UNHEALTHY):
            found = [t.id for t in near if t.opinions[node].health.state == state]
            if found:
                return found
        return []

    def fails_open(self, node: str) -> bool:
        """Whether the node sends to unhealthy targets because none is healthy."""
        sent = self.routed(node)
        return bool(sent) and self._targets[sent[0]].opinions[node].health.state == UNHEALTHY
