"""Target tracking: the two alarms and the resulting capacity. Pure: the metric's points, the time
and the group's numbers are arguments.

Documented:
- CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data" and "Avoiding
  premature transitions to alarm state": an alarm reads more periods than it evaluates, uses the
  most recent points that exist, and goes to INSUFFICIENT_DATA if there is none; with few points,
  all breaching, the oldest of them as old as the evaluated periods, it goes to ALARM.
- CloudWatch User Guide, "Using Amazon CloudWatch alarms": an alarm with an Auto Scaling action
  invokes it again once per minute while it stays in ALARM.
- EC2 Auto Scaling User Guide, "Target tracking scaling policies": capacity in proportion to the
  metric, rounded up (add 2 for 1.5, remove 1 for 1.5); instances that warm up do not count when
  scaling out, and block scaling in; terminating instances count when scaling in; insufficient data
  scale nothing.
- Application Auto Scaling User Guide, "How target tracking works": scaling in waits for a value
  well below the target, "usually more than 10% lower".

Observed, not documented: AlarmHigh 3 of 3 periods above the target; AlarmLow 15 of 15 below 90 %
of it (published descriptions of such alarms show EvaluationPeriods 3 and 15; the low threshold is
90 % in most, 85 % in some).

Assumed: the range is two periods more than the alarm's, as in the guide's examples (the guide says
that the number varies); capacity is computed from the most recent point when scaling out, and from
the highest of the alarm's points when scaling in: one idle moment must not shrink a group of the
right size; scaling in goes to the computed capacity in one step (the guide says only "more
gradually")."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

from lab.model.model import ScalingPolicy

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_FACTOR = 0.9
MORE_PERIODS = 2
REPEAT_S = 60.0
Points = Sequence["float | None"]  # one per period, the newest last; None: missing


@dataclass
class Alarm:
    """`above`: a point breaches above the threshold, otherwise below it. N of N periods."""
    name: str
    threshold: float
    above: bool
    periods: int
    state: str = INSUFFICIENT_DATA
    since: float = 0.0
    reason: str = "Unchecked: Initial alarm creation"
    _invoked: float | None = None

    @property
    def range(self) -> int:
        return self.periods + MORE_PERIODS

    def breaches(self, value: float) -> bool:
        return value > self.threshold if self.above else value < self.threshold

    def decide(self, points: Points) -> str:
        """The state for these points."""
        window = list(points)[-self.range:]
        real = [p for p in window if p is not None]
        if not real:
            return INSUFFICIENT_DATA
        latest = real[-self.periods:]
        if not all(self.breaches(p) for p in latest):
            return OK
        if len(latest) == self.periods:
            return ALARM
        oldest = next(i for i, p in enumerate(window) if p is not None)
        # Too few points: the next one may change the state.
        return ALARM if len(window) - oldest >= self.periods else self.state

    def evaluate(self, points: Points, now: float) -> bool:
        """Call once per period; returns whether the alarm's action is invoked now."""
        state = self.decide(points)
        if state != self.state:
            self.state, self.since, self._invoked = state, now, None
            self.reason = self._explain(points)
        if state != ALARM or (self._invoked is not None and now - self._invoked < REPEAT_S):
            return False
        self._invoked = now
        return True

    def _explain(self, points: Points) -> str:
        """CloudWatch's StateReason, without the points' times."""
        real = [p for p in list(points)[-self.range:] if p is not None][-self.periods:]
        if not real:
            return ("Insufficient Data: no datapoints were received for the last "
                    f"{self.range} periods.")
        fits = [p for p in reversed(real) if self.breaches(p) == (self.state == ALARM)]
        verb = ("was" if len(fits) == 1 else "were") + ("" if self.state == ALARM else " not")
        shown = ", ".join(f"{p:.2f}" for p in fits)
        return (f"Threshold Crossed: {len(fits)} out of the last {len(real)} datapoints [{shown}] "
                f"{verb} {'greater' if self.above else 'less'} than the threshold "
                f"({self.threshold:.1f}).")


class TargetTracking:
    """The two alarms of a policy. `key`: the suffix of AWS's alarm names."""

    def __init__(self, policy: ScalingPolicy, group: str, key: str) -> None:
        self.policy = policy
        self.high = Alarm(f"TargetTracking-{group}-AlarmHigh-{key}", policy.target, True,
                          HIGH_PERIODS)
        self.low = Alarm(f"TargetTracking-{group}-AlarmLow-{key}", policy.target * LOW_FACTOR,
                         False, LOW_PERIODS)

    @property
    def alarms(self) -> tuple[Alarm, Alarm]:
        return self.high, self.low

    def periods(self, wall: float, settle: float) -> list[float]:
        """The starts of the periods that have ended at least `settle` seconds before this Unix
        time, the newest last."""
        period = self.policy.period
        newest = math.floor((wall - settle) / period) * period - period
        return [newest - period * back for back in reversed(range(self.low.range))]

    def evaluate(self, points: Points, now: float) -> list[Alarm]:
        """The alarms that invoke the policy now."""
        return [alarm for alarm in self.alarms if alarm.evaluate(points, now)]


def decisive(alarm: Alarm, points: Points) -> float:
    """The metric value for the new capacity, from an alarm in ALARM."""
    real = [p for p in points if p is not None][-alarm.periods:]
    return real[-1] if alarm.above else max(real)


def proportional(capacity: int, metric: float, target: float) -> int:
    """The number of instances that brings the metric to the target or just below it."""
    return math.ceil(capacity * metric / target - 1e-9)


def scaled_out(ready: int, desired: int, metric: float, policy: ScalingPolicy, most: int) -> int:
    """The new desired capacity. `ready`: instances in service and warmed up; the others are
    already part of `desired`, which is never lowered here."""
    return max(desired, min(most, proportional(ready, metric, policy.target)))


def scaled_in(current: int, desired: int, metric: float, policy: ScalingPolicy, least: int
              ) -> int:
    """The new desired capacity, at least 1: without an instance there is no metric. `current`:
    instances in service or terminating."""
    if policy.disable_scale_in:
        return desired
    return min(desired, max(least, 1, proportional(current, metric, policy.target)))
