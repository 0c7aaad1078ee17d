"""The instances of the Auto Scaling group: number, zone, state, reason. Pure: time (monotonic) and
observations are arguments, actions are return values; aws/controller.py carries them out.

Sources (EC2 Auto Scaling User Guide):
- "Instance lifecycle": Pending, InService, Terminating; an instance enters InService, then it is
  registered with the target group.
- "Health checks": an instance in service is replaced at once if EC2 reports that it does not run
  or a user sets it Unhealthy. An instance with an unhealthy target is replaced if ELB checks are
  on, the grace period since InService is over, and one target has been healthy ("Verify the
  attachment status"); one at a time in a group below ten, and not while instances launch, warm up
  or wait for their first check. The new instance starts while the old one terminates.
- "Target groups": termination waits for the deregistration delay. Observed: for the whole delay,
  even without requests in flight.
- "Lifecycle hooks", "How lifecycle hooks work": a launching instance waits (Pending:Wait) before it
  enters InService and is registered; a terminating one (Terminating:Wait) after the deregistration
  delay. CONTINUE goes on. ABANDON of a launch terminates the instance, and another one is launched;
  of a termination it goes on at once. Without an answer within the heartbeat time-out, which a
  heartbeat begins anew, DefaultResult is taken; after 100 time-outs (48 hours at most) in any case.
- "Use an instance refresh …": aws/refresh.py; "… using warm pools": aws/warm_pool.py.
- "Availability Zone distribution", "Termination policies": a new instance goes to the zone with
  the fewest instances; the instance to terminate is in the zone with the most, then of the oldest
  launch template, then the closest to the next full hour of its run.

Simplified: among equals the first of the group's subnets and the longest-running instance, where
AWS takes any; no rebalancing of zones or instance protection; one hook for each transition; an
instance runs when its machine runs, without EC2's status checks. A failed launch is retried after
RETRY_S, doubled each time; AWS's back-off is not documented."""
from __future__ import annotations

from typing import Any, Iterable, Mapping

from lab.model.model import AutoScalingGroup, Model, ScalingPolicy
from . import activity as words
from .activity import Activity
from .member import HEALTHY, IN_SERVICE, PENDING, STOPPING, TERMINATING, UNHEALTHY
from .member import WARMED_PENDING, WARMED_TERMINATING, Launch, Member
from .refresh import DEFAULTS, Refresh
from .scaling import Alarm, scaled_in, scaled_out
from .warm_pool import Pool

HOUR_S = 3600
RETRY_S, RETRY_MAX_S = 5.0, 60.0


class Fleet:
    """`offset`: Unix time minus the monotonic one."""

    def __init__(self, model: Model, offset: float) -> None:
        self.offset = offset
        self.members: dict[str, Member] = {}
        self.activities: list[Activity] = []
        self.suspended: set[str] = set()
        self.desired = 0
        self.attached = False         # a target has been healthy: ELB checks count
        self.template = model.group.version   # of the launch template
        self.refreshes: list[Refresh] = []
        self.pool: Pool | None = None
        self._launching: list[Launch] = []
        self._causes: list[str] = []
        self._replacements = 0
        self._failures = 0
        self._retry_at = 0.0
        self.configure(model)

    def configure(self, model: Model) -> None:
        self.group: AutoScalingGroup = model.group
        self.policy: ScalingPolicy = model.policy
        self.min, self.max = model.group.min, model.group.max
        self._subnets = {name: model.subnets[name] for name in model.group.subnets}
        # "Define instance warmup time": the policy's, else the group's default, else
        # the default cooldown.
        self.warmup = next(w for w in (model.policy.warmup, model.group.warmup,
                                       model.group.default_cooldown) if w is not None)

    def put_pool(self, pool: Pool | None, now: float) -> None:
        """PutWarmPool; None: DeleteWarmPool with ForceDelete, which waits for no hook."""
        self.pool = pool
        for member in list(self.members.values()):
            if pool is None and member.pooled:
                self.retire(member, [words.SURPLUS], now)
                member.hook, member.drained = None, True

    def update(self, model: Model, now: float) -> None:
        """A stack update; the desired capacity stays within the new bounds."""
        if model.group.version != self.group.version:
            self.template = model.group.version
        self.configure(model)
        self.constrain(self.min, self.max, max(self.min, min(self.max, self.desired)), now)

    # desired capacity

    def create(self, now: float) -> None:
        self.want(self.group.desired, words.CREATED, now)

    def want(self, desired: int, why: str, now: float) -> None:
        """Changes the desired capacity; `why` becomes part of the activities' cause."""
        if desired != self.desired:
            self._say(words.CHANGING, now, why=why, old=self.desired, new=desired)
            self.desired = desired

    def constrain(self, least: int, most: int, desired: int, now: float) -> None:
        """UpdateAutoScalingGroup."""
        self.min, self.max = least, most
        self.want(desired, words.CONSTRAINTS.format(min=least, max=most, desired=desired), now)

    def react(self, alarm: Alarm, metric: float, now: float) -> None:
        if "AlarmNotification" in self.suspended:
            return
        service = self.serving
        warming = [m for m in service if not self.warm(m, now)]
        if alarm.above:
            wanted = scaled_out(len(service) - len(warming), self.desired, metric, self.policy,
                                self.max)
        elif warming or self._in(PENDING) or self._launching:
            return
        else:
            wanted = scaled_in(len(service) + len(self._in(TERMINATING)), self.desired, metric,
                               self.policy, self.min)
        self.want(wanted, words.ALARMED.format(alarm=alarm.name, policy=self.policy.policy_name),
                  now)

    def terminate(self, instance: str, decrement: bool, now: float) -> bool:
        """TerminateInstanceInAutoScalingGroup; returns False for an unknown instance."""
        member = self.members.get(instance)
        if member is None or member.ending:
            return False
        text = words.REQUESTED
        if decrement:
            text += words.SHRINKING.format(old=self.desired, new=self.desired - 1)
            self.desired -= 1
        self.retire(member, [text], now)
        return True

    def set_health(self, instance: str, status: str) -> None:
        """SetInstanceHealth; the next check replaces an unhealthy instance."""
        if instance in self.members:
            self.members[instance].health = status

    def check_health(self, targets: Mapping[str, str], stopped: set[str], now: float) -> None:
        """`targets`: the target group's states; `stopped`: machines that have ended."""
        if "HealthCheck" in self.suspended:
            return
        service = self.serving
        self.attached |= any(state == "healthy" for state in targets.values())
        why = {m.id: "EC2" if m.id in stopped else "user" for m in service
               if m.id in stopped or m.health == UNHEALTHY}
        busy = (self._launching or self._in(PENDING)
                or any(not self.warm(m, now) or targets.get(m.id) == "initial" for m in service)
                or any(m.health == UNHEALTHY for m in self._in(TERMINATING)))
        if self.group.health_check_type == "ELB" and self.attached and not busy:
            failed = [m.id for m in service if targets.get(m.id) == "unhealthy"
                      and m.id not in why and self.age(m, now) >= self.group.grace]
            why |= {instance: "ELB" for instance in failed[:max(1, self.desired // 10)]}
        for instance, kind in why.items():
            member = self.members[instance]
            member.health = UNHEALTHY
            if "ReplaceUnhealthy" not in self.suspended:
                self._replacements += 1
                self.retire(member, [words.UNHEALTHY[kind]], now)

    def well(self, member: Member, targets: Mapping[str, str]) -> bool:
        """Whether the group's health checks pass."""
        return member.health == HEALTHY and (
            self.group.health_check_type == "EC2" or targets.get(member.id) == "healthy")

    # instance refresh

    @property
    def refresh(self) -> Refresh | None:
        """The one that is under way."""
        return next((r for r in self.refreshes if r.active), None)

    def start_refresh(self, name: str, version: int | None, asked: dict[str, Any],
                      configuration: dict[str, Any] | None, now: float) -> None:
        """StartInstanceRefresh; `asked`: its preferences. One at a time: aws/refreshing.py."""
        warmup = self.group.grace if self.group.warmup is None else self.group.warmup
        self.refreshes.append(Refresh(
            name, version or self.template, self.template,
            {**DEFAULTS, "InstanceWarmup": warmup, **asked}, now + self.offset, configuration))

    def step_refresh(self, targets: Mapping[str, str], now: float) -> None:
        if self.refresh:
            self.refresh.step(self, targets, now)

    # actions

    def converge(self, now: float) -> list[Launch]:
        """Compares desired and actual capacity and returns the launches. Surplus instances enter
        the state Terminating."""
        actual = self.actual
        wanted = self.desired + (self.refresh.extra(self) if self.refresh else 0)
        found: list[Launch] = []
        if actual < wanted:
            if "Launch" in self.suspended or now < self._retry_at:
                return []
            found = [self._launch(actual, wanted, now) for _ in range(wanted - actual)]
        elif actual > wanted and "Terminate" not in self.suspended:
            for _ in range(min(actual - wanted, len(self.serving))):
                victim = self.oldest_first(self.serving, now)[0]
                self.retire(victim, [*self._causes, words.SHRUNK, words.SELECTED], now,
                            back=bool(self.pool and self.pool.reuse), old=actual, new=wanted)
        self._causes.clear()
        if self.pool:
            launching = sum(launch.pool for launch in self._launching)
            found += self.pool.converge(self, launching, now)
        return found

    def _launch(self, actual: int, wanted: int, now: float) -> Launch:
        if self.pool and (taken := self.pool.take(self, now, actual, wanted)):
            return taken
        if self._replacements:
            self._replacements -= 1
            text = words.REPLACED
        else:
            text = words.RENEWED if self.refresh and not self._causes else words.STARTED
        return self.begin(self.best_subnet(), words.LAUNCHING, text, now, old=actual, new=wanted)

    def begin(self, subnet: str, what: str, text: str, now: float, pool: bool = False,
              member: Member | None = None, **values: int) -> Launch:
        cause = self._sentence(text, now, **values)
        place = self._subnets[subnet]
        launch = Launch(subnet, Activity(
            self.group.id, what, "  ".join([*self._causes, cause]), now + self.offset, place.id,
            place.zone, member.id if member else "", status=words.PRE_IN_SERVICE),
            self.refresh.version if self.refresh else self.template, pool, member)
        self.activities.append(launch.activity)
        if member:
            member.activity = launch.activity
        else:
            self._launching.append(launch)
        return launch

    def best_subnet(self) -> str:
        """With the fewest instances; first of a refresh's version: they will stay."""
        there = [(m.subnet, m.template) for m in self.active] \
            + [(launch.subnet, launch.template) for launch in self._launching]
        version = self.refresh.version if self.refresh else self.template
        return min(self._subnets, key=lambda name: (
            there.count((name, version)), sum(subnet == name for subnet, _ in there)))

    def oldest_first(self, members: list[Member], now: float) -> list[Member]:
        """In the order of termination."""
        zones = [m.zone for m in self.serving]
        return sorted(members, key=lambda m: (-zones.count(m.zone), m.template,
                                              HOUR_S - (now - m.launched_at) % HOUR_S))

    def retire(self, member: Member, causes: Iterable[str], now: float, back: bool = False,
               **values: int) -> None:
        """Terminates it, or sends it `back` to the warm pool. `causes`: sentences, or texts of
        aws/activity.py."""
        told = [c if c.startswith("At ") else self._sentence(c, now, instance=member.id, **values)
                for c in causes]
        registered = member.state == IN_SERVICE
        if member.activity.end is None:  # its launch
            member.activity.cancelled(now + self.offset)
        what = words.OUT_OF_POOL if member.pooled else words.BACK if back else words.TERMINATING
        member.state = WARMED_TERMINATING if member.pooled else WARMED_PENDING if back else TERMINATING
        member.hook, member.drained, member.returns = None, False, back
        member.activity = Activity(
            self.group.id, what, "  ".join(told), now + self.offset,
            self._subnets[member.subnet].id, member.zone, member.id,
            status=words.DRAINING if registered else words.IN_PROGRESS)
        self.activities.append(member.activity)
        if not registered:
            self.drained(member.id, now)

    # observations

    def launched(self, launch: Launch, instance: str, address: str, now: float) -> Member:
        """EC2 has made the instance: Pending."""
        self._launching.remove(launch)
        launch.activity.instance = instance
        member = Member(instance, launch.subnet, self._subnets[launch.subnet].zone, address,
                        launch.activity, launch.template, now,
                        state=WARMED_PENDING if launch.pool else PENDING)
        self.members[instance] = member
        return member

    def failed(self, launch: Launch, message: str, now: float) -> None:
        """The launch failed: no instance, or its machine did not start."""
        if launch in self._launching:
            self._launching.remove(launch)
        member = self.members.pop(launch.activity.instance, None)
        if member and member.ending:
            member.activity.done(now + self.offset)
        launch.activity.failed(message, now + self.offset)
        self._retry_at = now + min(RETRY_S * 2 ** self._failures, RETRY_MAX_S)
        self._failures += 1

    def running(self, instance: str, now: float) -> bool:
        """The machine runs: InService or in the pool, unless it waits for a hook or is already
        terminating."""
        member = self.members[instance]
        if member.ending:
            return False
        if not self._wait(member, now, launching=True):
            self._serve(member, now)
        return True

    def _serve(self, member: Member, now: float) -> None:
        if member.pooled:
            if self.pool:
                self.pool.settle(member, now, self.offset)
            else:
                self.retire(member, [words.SURPLUS], now)
            return
        member.state, member.in_service_at = IN_SERVICE, now
        member.activity.done(now + self.offset)
        self._failures = 0

    def halted(self, instance: str, now: float) -> None:
        """A machine for the pool is off."""
        member = self.members.get(instance)
        if member and member.state == STOPPING:
            self._serve(member, now)

    def drained(self, instance: str, now: float) -> None:
        """Deregistration is complete: the machine may be ended, or be in the pool, unless it waits for
        a hook."""
        member = self.members[instance]
        member.activity.status = words.IN_PROGRESS
        if not self._wait(member, now, launching=False):
            self._leave(member, now)

    def _leave(self, member: Member, now: float) -> None:
        if member.returns:
            self._serve(member, now)
        else:
            member.drained, member.activity.status = True, words.IN_PROGRESS

    # hooks

    def _wait(self, member: Member, now: float, *, launching: bool) -> bool:
        """Whether the instance waits for a hook from now on."""
        hook = next((h for h in self.group.hooks if h.launching == launching), None)
        if hook:
            member.wait(hook, now)
        return hook is not None

    def heartbeat(self, instance: str, now: float) -> None:
        """RecordLifecycleActionHeartbeat."""
        if instance in self.members:
            self.members[instance].beat(now)

    def complete(self, instance: str, result: str, now: float) -> None:
        """CompleteLifecycleAction, or the hook's default."""
        member = self.members.get(instance)
        if member is None or member.hook is None:
            return
        launching, member.hook = member.hook.launching, None
        if not launching:
            self._leave(member, now)
        elif result == "CONTINUE":
            self._serve(member, now)
        else:
            member.activity.failed(words.ABANDONED, now + self.offset)
            self.retire(member, [words.NOT_READY], now)

    def expire_hooks(self, now: float) -> None:
        for member in list(self.members.values()):
            if member.hook and now >= member.hook_ends:
                self.complete(member.id, member.hook.default, now)

    def terminated(self, instance: str, now: float) -> None:
        self.members.pop(instance).activity.done(now + self.offset)

    # queries

    @property
    def serving(self) -> list[Member]:
        return self._in(IN_SERVICE)

    @property
    def active(self) -> list[Member]:
        return self._in(PENDING) + self.serving

    @property
    def actual(self) -> int:
        """The capacity that is there or on its way."""
        return len(self.active) + sum(not launch.pool for launch in self._launching)

    @property
    def moving(self) -> bool:
        """Whether an instance is launched or terminated."""
        return bool(self._launching or self._in(PENDING) or self._in(TERMINATING))

    def age(self, member: Member, now: float) -> float:
        return now - member.in_service_at if member.in_service_at is not None else 0.0

    def warm(self, member: Member, now: float) -> bool:
        return member.in_service_at is not None and self.age(member, now) >= self.warmup

    def _in(self, state: str) -> list[Member]:
        return [m for m in self.members.values() if m.state == state]

    def _sentence(self, text: str, now: float, **values: object) -> str:
        return words.sentence(now + self.offset, text, **values)

    def _say(self, text: str, now: float, **values: object) -> None:
        self._causes.append(self._sentence(text, now, **values))
