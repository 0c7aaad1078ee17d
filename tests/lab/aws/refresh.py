"""An instance refresh of the group. Pure: time and observations are arguments; aws/fleet.py launches
and terminates.

Sources:
- EC2 Auto Scaling User Guide, "How an instance refresh works": instances are replaced in sets; the
  refresh goes on when the new instances are healthy and warm; the warm-up begins when the launch
  hook is completed and the instance is in service; a scale-out launches the desired configuration;
  its success makes this the group's; without skip matching an instance is replaced though it has
  the configuration already.
- API Reference, RefreshPreferences: the percentages are of the desired capacity. Without
  MaxHealthyPercentage an instance is terminated while its successor is launched. With it, if both
  bounds leave no room, an instance is launched before another one is terminated.
- API Reference, InstanceRefresh: the states; PercentageComplete counts new instances that are
  healthy and warm and goes back to zero during a rollback; InstancesToUpdate stays in a rollback.
- User Guide, "Undo changes with a manual or auto rollback": what has been deployed is replaced by the
  group's configuration. "Cancel an instance refresh": no further replacement, nothing is undone.

Not documented, assumed: the minimum is rounded up, the maximum down; one instance is replaced at a
time if the minimum leaves no room; an instance that waits for its launch hook is terminated at once
by a rollback; a refresh and a rollback end when the old instances are gone; a refresh without
progress fails after an hour, as AWS documents it for instances in Standby. An abandoned launch does
not fail a refresh: the group launches again. Not played: checkpoints, alarms; the lab has no instance in
Standby or with protection."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping

from . import activity as words
from .member import Member

if TYPE_CHECKING:
    from .fleet import Fleet

(PENDING, IN_PROGRESS, BAKING, SUCCESSFUL, FAILED, CANCELLING, CANCELLED, ROLLING_BACK, ROLLBACK_FAILED,
 ROLLED_BACK) = ("Pending", "InProgress", "Baking", "Successful", "Failed", "Cancelling", "Cancelled",
                 "RollbackInProgress", "RollbackFailed", "RollbackSuccessful")
ACTIVE = (PENDING, IN_PROGRESS, BAKING, CANCELLING, ROLLING_BACK)
# User Guide, "Understand the default values for an instance refresh"
DEFAULTS = {"MinHealthyPercentage": 90, "SkipMatching": False, "AutoRollback": False, "BakeTime": 0}
STUCK_S = 3600.0


@dataclass
class Refresh:
    """`version`: of the launch template, for new instances; `before`: the group's. `preferences`: as
    in the API, with all defaults. `start`: Unix time."""
    id: str
    version: int
    before: int
    preferences: dict[str, Any]
    start: float
    desired: dict[str, Any] | None = None          # DesiredConfiguration
    status: str = PENDING
    reason: str = ""
    end: float | None = None
    total: int = 0                                 # instances to replace
    updated: int = 0                               # of these
    rollback: dict[str, Any] = field(default_factory=dict)
    _kept: set[str] = field(default_factory=set)   # instances from before that stay
    _old: set[str] = field(default_factory=set)    # instances to replace
    _made: set[str] = field(default_factory=set)   # instances of the desired configuration
    _moved_at: float = 0.0
    _bakes_until: float = 0.0

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    def step(self, fleet: Fleet, targets: Mapping[str, str], now: float) -> None:
        if self.status == PENDING:
            self._begin(fleet, now)
            return
        if self.status != ROLLING_BACK:
            self._made |= {m.id for m in fleet.active if m.id not in self._kept | self._old
                           and m.template == self.version}
        ready = self._ready(fleet, targets, now)
        done = min(self.total, sum(member.id in self._made for member in ready))
        if done != self.updated:
            self.updated, self._moved_at = done, now
        if self.status == CANCELLING:
            if not fleet.moving:
                self._over(CANCELLED, "cancelled by a user request", fleet, now)
        elif self.status == BAKING:
            if now >= self._bakes_until:
                self._over(SUCCESSFUL, "", fleet, now)
        else:
            self._replace(fleet, ready, now)
            self._check(fleet, len(ready), now)

    def extra(self, fleet: Fleet) -> int:
        """Instances beyond the desired capacity, for now."""
        if self.status == CANCELLING:  # those that are on their way
            return max(0, fleet.actual - fleet.desired)
        _, most = self._bounds(fleet.desired)
        left = sum(self._outdated(member) for member in fleet.active)
        return max(0, min(most - fleet.desired, left))

    def roll_back(self, why: str, fleet: Fleet, now: float) -> None:
        self.rollback = {
            "RollbackReason": why, "RollbackStartTime": now + fleet.offset,
            "PercentageCompleteOnRollback": self.percent,
            "InstancesToUpdateOnRollback": self.total - self.updated}
        self._kept |= self._old & fleet.members.keys()
        self._old = {name for name in fleet.members if name not in self._kept}
        self._made |= self._old
        self.version, self._moved_at = self.before, now
        self.status, self.reason = ROLLING_BACK, why

    def cancel(self) -> None:
        self.status, self.reason = CANCELLING, "cancelled by a user request"

    # steps

    def _begin(self, fleet: Fleet, now: float) -> None:
        skip = self.preferences["SkipMatching"]
        self._kept = {m.id for m in fleet.active if skip and m.template == self.version}
        self._old = {m.id for m in fleet.members.values() if m.id not in self._kept}
        self.total = sum(m.id in self._old for m in fleet.active)
        self.status, self._moved_at = IN_PROGRESS, now
        if not self.total:  # "Use an instance refresh with skip matching": at once
            self._over(SUCCESSFUL, "", fleet, now)

    def _replace(self, fleet: Fleet, ready: list[Member], now: float) -> None:
        """Terminates what the minimum allows."""
        least, _ = self._bounds(fleet.desired)
        spare = len(ready) - least
        for member in fleet.oldest_first([m for m in fleet.members.values() if self._outdated(m)
                                          and not m.ending and not m.returns], now):
            if member.in_service_at is not None:
                if spare <= 0 or member not in ready:
                    continue
                spare -= 1
            fleet.retire(member, [words.REFRESHED, words.SELECTED], now)

    def _check(self, fleet: Fleet, ready: int, now: float) -> None:
        """The end, if nothing is left to do, or nothing has happened for long."""
        waiting = [m.id for m in fleet.members.values() if self._outdated(m)] or [
            m.id for m in fleet.active if m.id in self._made or m.template == self.version]
        back = self.status == ROLLING_BACK
        if any(self._outdated(m) for m in fleet.members.values()) or ready < fleet.desired:
            self.reason = f"Waiting for remaining instances to be available. For example: {waiting[-1]}" \
                if waiting else "Waiting for remaining instances to be launched."
            if now - self._moved_at < STUCK_S:
                return
            why = "no instance was replaced within an hour"
            if back:
                self._over(ROLLBACK_FAILED, why, fleet, now)
            elif self.preferences["AutoRollback"]:
                self.roll_back(f"automatic: {why}", fleet, now)
            else:
                self._over(FAILED, why, fleet, now)
        elif back:
            self._over(ROLLED_BACK, self.reason, fleet, now)
        else:
            self.updated = self.total
            self._bakes_until = now + self.preferences["BakeTime"]
            self.status, self.reason = BAKING, "Waiting for the bake time"
            if not self.preferences["BakeTime"]:
                self._over(SUCCESSFUL, "", fleet, now)

    def _over(self, status: str, why: str, fleet: Fleet, now: float) -> None:
        self.status, self.reason, self.end = status, why, now + fleet.offset
        if status == SUCCESSFUL:
            fleet.template = self.version

    # numbers

    def _bounds(self, desired: int) -> tuple[int, int]:
        """The least number of ready instances, and the most instances."""
        least = math.ceil(desired * self.preferences["MinHealthyPercentage"] / 100)
        most = self.preferences.get("MaxHealthyPercentage")
        if most is None:
            return min(least, desired - 1), desired
        most = desired * most // 100
        return least, most if least < desired or most > desired else desired + 1

    def _outdated(self, member: Member) -> bool:
        return member.id in self._old or (
            member.id not in self._kept and member.template != self.version)

    def _ready(self, fleet: Fleet, targets: Mapping[str, str], now: float) -> list[Member]:
        """Instances that are healthy and warm."""
        warmup = self.preferences["InstanceWarmup"]
        return [m for m in fleet.serving if fleet.well(m, targets) and fleet.age(m, now) >= warmup]

    @property
    def percent(self) -> int:
        if self.total:
            return 100 * self.updated // self.total
        return 100 if self.status == SUCCESSFUL else 0

    def record(self, group: str) -> dict[str, Any]:
        """As in DescribeInstanceRefreshes; times are Unix times."""
        left = self.rollback.get("InstancesToUpdateOnRollback", self.total - self.updated)
        return {
            "InstanceRefreshId": self.id, "AutoScalingGroupName": group, "Strategy": "Rolling",
            "Status": self.status, "StartTime": self.start, "PercentageComplete": self.percent,
            "InstancesToUpdate": left, "Preferences": self.preferences,
            **({"StatusReason": self.reason} if self.reason else {}),
            **({"EndTime": self.end} if self.end is not None else {}),
            **({"DesiredConfiguration": self.desired} if self.desired else {}),
            **({"RollbackDetails": self.rollback} if self.rollback else {})}
