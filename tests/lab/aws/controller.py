"""The lab's Auto Scaling service: a thread that reads the policy's metric once per period and
adjusts the group. The decisions are made in aws/scaling.py and aws/fleet.py, with AWS's sources;
this module carries them out.

- The metric comes from CloudWatch (moto) by signed GetMetricData as the service-linked role. A
  period is read when it has ended half a period ago: each agent pushes within the first fifth
  after the end. (CloudWatch's own delay is not documented.) The alarms' whole range is read each
  time: late points count.
- moto's RunInstances launches an instance; the callbacks make the machine. `launch` returns when
  the machine runs (EC2's "running"), not when it is ready: the target group's checks find that
  out. Both callbacks run in their own threads.
- The group in moto shows states, desired capacity, alarms and activities to `aws autoscaling
  describe-…` and `aws cloudwatch describe-alarms`. The controller carries out the users' requests
  to moto: SetDesiredCapacity, UpdateAutoScalingGroup, SuspendProcesses,
  TerminateInstanceInAutoScalingGroup, SetInstanceHealth, CompleteLifecycleAction,
  RecordLifecycleActionHeartbeat, StartInstanceRefresh, RollbackInstanceRefresh,
  CancelInstanceRefresh, PutWarmPool, DeleteWarmPool."""
from __future__ import annotations

import queue
import threading
import time
import traceback
import uuid
from typing import Any, Callable

from lab.model.model import Model
from lab.trouble import Troubles
from .activity import SET, ordered, precise
from .alb import Alb
from .aws import Aws, Made
from .fleet import Fleet
from .member import IN_SERVICE, STOPPING, Launch, Member
from .scaling import TargetTracking, decisive
from .targets import UNUSED
from .warm_pool import Pool

TICK_S = 0.25  # between two checks of the group; AWS's period is not documented
SETTLE = 0.5   # part of a period to wait until its data are complete
TARGET_IN_SERVICE, TARGET_TERMINATED = "InService", "Terminated"


class Controller:
    """Callbacks: launch(instance as EC2 made it, subnet's logical name), terminate(instance id),
    power(instance id, on: start or stop the machine), target_state(instance id, value of
    target-lifecycle-state in the metadata), stopped() (ids of machines that have ended, like EC2's
    status checks). `say` writes lines to a log."""

    def __init__(self, model: Model, aws: Aws, alb: Alb,
                 launch: Callable[[Made, str], None], terminate: Callable[[str], None],
                 power: Callable[[str, bool], None], target_state: Callable[[str, str], None],
                 stopped: Callable[[], set[str]],
                 say: Callable[[str], None], troubles: Troubles) -> None:
        self.model, self.aws, self.alb = model, aws, alb
        self._launch, self._terminate, self._power = launch, terminate, power
        self._target_state, self._stopped = target_state, stopped
        self._say, self._troubles = say, troubles
        self._lock = threading.RLock()
        self._offset = time.time() - time.monotonic()
        self._key = str(uuid.uuid4())
        self._fleet = Fleet(model, self._offset)
        self._tracking = TargetTracking(model.policy, model.group.id, self._key)
        self._points: list[dict[str, Any]] = []
        self._evaluated = 0.0
        self._events: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._suspended: set[str] = set()
        self._booting: set[str] = set()        # their callback `launch` has not returned yet
        self._leaving: dict[str, str] = {}     # instances that leave → step: "told", "ending"
        self._off: set[str] = set()            # stopped in the warm pool
        self._shown: Any = None
        self._cloudwatch: Any = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Launches the desired capacity; returns at once."""
        self._cloudwatch = self.aws.client("cloudwatch", self.aws.service())
        self._put_alarms()
        self._fleet.create(time.monotonic())
        self._thread(self._run, "controller")

    def close(self) -> None:
        """Stops the decisions. The caller ends the machines."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def update(self, model: Model) -> None:
        """A stack update of group and policy. A changed policy has new alarms, without data."""
        with self._lock:
            if model.policy != self.model.policy:
                self._tracking = TargetTracking(model.policy, model.group.id, self._key)
                self._points, self._evaluated = [], 0.0
            self.model = model
            self._fleet.update(model, time.monotonic())
            self._put_alarms()

    # queries

    def activities(self) -> list[dict[str, Any]]:
        """DescribeScalingActivities: in progress first, then newest first; times as text."""
        with self._lock:
            found = [a.record() for a in ordered(self._fleet.activities)]
        for record in found:
            for key in ("StartTime", "EndTime"):
                if key in record:
                    record[key] = precise(record[key])
        return found

    def instances(self) -> list[dict[str, Any]]:
        """id, address, subnet, zone, state (lifecycle), health, version (of the launch template),
        launched (Unix time)."""
        with self._lock:
            return [{"id": m.id, "address": m.address, "subnet": m.subnet, "zone": m.zone,
                     "state": m.shown, "health": m.health, "version": m.template,
                     "launched": m.launched_at + self._offset}
                    for m in self._fleet.members.values()]

    def alarms(self) -> dict[str, Any]:
        """The metric's points, newest last, and the policy's alarms."""
        with self._lock:
            policy = self.model.policy
            return {"namespace": policy.namespace, "metric": policy.metric_name,
                    "dimensions": policy.dimensions, "period": policy.period,
                    "target": policy.target, "points": list(self._points),
                    **{name: {"name": alarm.name, "state": alarm.state,
                              "threshold": alarm.threshold, "reason": alarm.reason}
                       for name, alarm in (("high", self._tracking.high),
                                           ("low", self._tracking.low))}}

    # requests

    def suspend(self, *processes: str) -> None:
        """SuspendProcesses: Launch, Terminate, HealthCheck, ReplaceUnhealthy, AlarmNotification;
        other processes have no effect."""
        with self._lock:
            self._suspended |= set(processes)

    def resume(self, *processes: str) -> None:
        with self._lock:
            self._suspended -= set(processes)

    def set_desired(self, capacity: int) -> None:
        """SetDesiredCapacity, by the admin."""
        with self.aws.host.net():
            self.aws.client("autoscaling").set_desired_capacity(
                AutoScalingGroupName=self.model.group.id, DesiredCapacity=capacity)

    # the thread

    def _thread(self, run: Callable[[], None], name: str) -> None:
        self._threads = [t for t in self._threads if t.is_alive()]
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            with self._troubles.guard("controller"):  # retried if a service does not answer
                self._turn()

    def _turn(self) -> None:
        self._read_metric()
        with self._lock:
            now = time.monotonic()
            self._share(now)
            while not self._events.empty():
                happened, *what = self._events.get()
                happened(*what, now)
            self._fleet.expire_hooks(now)
            targets = self.alb.states()
            self._fleet.check_health(targets, self._stopped(), now)
            self._fleet.step_refresh(targets, now)
            for launch in self._fleet.converge(now):
                self._begin(launch, now)
            for member in list(self._fleet.members.values()):
                if member.ending or member.returns:
                    self._see_off(member)
                    continue
                self._leaving.pop(member.id, None)  # it has come back
                if member.state == STOPPING and member.id not in self._off:
                    self._off.add(member.id)
                    self._halt(member.id)
                elif member.state == IN_SERVICE and member.id not in targets:
                    self.alb.register(member.id, member.address, member.zone)

    def _read_metric(self) -> None:
        """Reads each period once, when it is complete."""
        with self._lock:
            tracking, policy = self._tracking, self.model.policy
            starts = tracking.periods(time.time(), policy.period * SETTLE)
            if starts[-1] <= self._evaluated:
                return
            self._evaluated = starts[-1]
        found = self.aws.metric(self._cloudwatch, policy, starts)
        with self._lock:
            if tracking is not self._tracking:
                return
            self._points = [{"start": start, "average": value, "samples": samples}
                            for start, (value, samples) in zip(starts, found)]
            values = [value for value, _ in found]
            now, before = time.monotonic(), [a.state for a in tracking.alarms]
            for alarm in tracking.evaluate(values, now):
                self._fleet.react(alarm, decisive(alarm, values), now)
            for alarm, state in zip(tracking.alarms, before):
                if alarm.state != state:
                    self._say(f"controller: {alarm.name}: {state} -> {alarm.state}: {alarm.reason}")

    def _put_alarms(self) -> None:
        policy = self.model.policy
        with self.aws.host.net():
            for alarm in self._tracking.alarms:
                self._cloudwatch.put_metric_alarm(
                    AlarmName=alarm.name, Namespace=policy.namespace, Period=policy.period,
                    MetricName=policy.metric_name, Statistic=policy.statistic,
                    Dimensions=self.aws.dimensions(policy.dimensions), Threshold=alarm.threshold,
                    EvaluationPeriods=alarm.periods, AlarmActions=[policy.id],
                    ComparisonOperator="GreaterThanThreshold" if alarm.above
                    else "LessThanThreshold", AlarmDescription="DO NOT EDIT OR DELETE. For "
                    f"TargetTrackingScaling policy {policy.id}.")

    def _share(self, now: float) -> None:
        """Sends the state to moto, and gets the users' requests from moto."""
        fleet = self._fleet
        state: dict[str, Any] = {
            "desired": fleet.desired, "min": fleet.min, "max": fleet.max, "version": fleet.template,
            "refreshes": [r.record(fleet.group.id) for r in fleet.refreshes],
            "instances": {m.id: [m.shown, m.health] for m in fleet.members.values()},
            "waiting": {m.id: m.hook.name for m in fleet.members.values() if m.hook},
            "activities": [a.record() for a in ordered(fleet.activities)],
            "alarms": {a.name: [a.state, a.reason] for a in self._tracking.alarms}}
        if state["activities"] == self._shown:
            del state["activities"]
        else:
            self._shown = state["activities"]
        answer = self.aws.sync(state)
        pool = Pool(**answer["pool"]) if answer["pool"] else None
        if pool != fleet.pool:
            fleet.put_pool(pool, now)
        fleet.suspended = self._suspended | set(answer["suspended"])
        for order in answer["orders"]:
            match order["kind"]:
                case "desired":
                    fleet.want(order["desired"], SET, now)
                case "constraints":
                    fleet.template = order["version"]
                    fleet.constrain(order["min"], order["max"], order["desired"], now)
                case "terminate":
                    fleet.terminate(order["instance"], order["decrement"], now)
                case "health":
                    fleet.set_health(order["instance"], order["status"])
                case "refresh":
                    fleet.start_refresh(order["id"], order["version"], order["preferences"],
                                        order["configuration"], now)
                case "rollback":
                    if fleet.refresh:
                        fleet.refresh.roll_back("manual: a user request", fleet, now)
                case "cancel":
                    if fleet.refresh:
                        fleet.refresh.cancel()
                case "heartbeat":
                    fleet.heartbeat(order["instance"], now)
                case "complete":
                    self._say(f"controller: {order['instance']}: {order['hook']}: "
                              f"{order['result']}")
                    fleet.complete(order["instance"], order["result"], now)

    # machines

    def _do(self, name: str, what: Callable[[], None]) -> None:
        """In a thread of its own; a failure is told."""
        def work() -> None:
            try:
                what()
            except Exception:
                self._say(f"controller: {traceback.format_exc()}")
        self._thread(work, name)

    def _halt(self, instance: str) -> None:
        def work() -> None:
            try:
                self._power(instance, False)
            finally:
                self._events.put((self._fleet.halted, instance))
        self._do(f"stop {instance}", work)

    def _start(self, member: Member) -> None:
        """An instance of the warm pool goes into service."""
        self._say(f"controller: starting {member.id}: {member.activity.cause}")
        self._tell(member.id, TARGET_IN_SERVICE)
        off = member.id in self._off
        self._off.discard(member.id)

        def work() -> None:
            if off:
                self._power(member.id, True)
            self._events.put((self._running, member.id))
        self._do(f"start {member.id}", work)

    def _begin(self, launch: Launch, now: float) -> None:
        if launch.member:
            self._start(launch.member)
            return
        try:
            made = self.aws.launch(launch.subnet, launch.template)
        except Exception as error:
            self._say(f"controller: {traceback.format_exc()}")
            self._fleet.failed(launch, str(error), now)
            return
        instance = made.id
        self._fleet.launched(launch, instance, made.address, now)
        self._booting.add(instance)
        self._say(f"controller: launching {instance}, version {launch.template}, in {launch.subnet}: "
                  f"{launch.activity.cause}")

        def work() -> None:
            try:
                self._launch(made, launch.subnet)
                self._events.put((self._running, instance))
            except Exception as error:
                self._say(f"controller: {traceback.format_exc()}")
                self._events.put((self._failed, launch, str(error)))
        self._thread(work, f"launch {instance}")

    def _running(self, instance: str, now: float) -> None:
        self._booting.discard(instance)
        member = self._fleet.members[instance]
        into_pool = member.pooled
        self._fleet.running(instance, now)
        # Also while it waits for a launch hook: the state that it is on its way to.
        if not member.ending:
            self._tell(instance, self._fleet.pool.state if into_pool and self._fleet.pool
                       else TARGET_IN_SERVICE)

    def _failed(self, launch: Launch, message: str, now: float) -> None:
        self._booting.discard(launch.activity.instance)
        self._leaving.pop(launch.activity.instance, None)
        self._fleet.failed(launch, message, now)
        self.aws.terminated(launch.activity.instance)

    def _ended(self, instance: str, now: float) -> None:
        self._leaving.pop(instance, None)
        self._fleet.terminated(instance, now)
        self.aws.terminated(instance)

    def _tell(self, instance: str, state: str) -> None:
        """Sets the target state in the metadata; a machine that has just ended must not stop the
        loop."""
        try:
            self._target_state(instance, state)
        except Exception:
            self._say(f"controller: {traceback.format_exc()}")

    def _see_off(self, member: Member) -> None:
        """One step of a termination, or of a return to the warm pool: state in the metadata,
        deregistration and draining, end."""
        if member.id not in self._leaving:
            self._say(f"controller: {member.state} {member.id}: {member.activity.cause}")
            self._tell(member.id, self._fleet.pool.state if member.returns and self._fleet.pool
                       else f"Warmed:{TARGET_TERMINATED}" if member.pooled else TARGET_TERMINATED)
            self.alb.deregister(member.id)
            self._leaving[member.id] = "told"
        if not member.drained and not member.hook and self.alb.state(member.id) == UNUSED:
            self._fleet.drained(member.id, time.monotonic())
        if member.drained and self._leaving[member.id] == "told" \
                and member.id not in self._booting:
            self._leaving[member.id] = "ending"

            def work() -> None:
                try:
                    self._terminate(member.id)
                finally:
                    self._events.put((self._ended, member.id))
            self._do(f"terminate {member.id}", work)
