"""The lab's changes to moto (5.2): moto stores AWS's records, and the controller makes all
decisions. Imported by aws/server.py only. The changes and their reasons:

- Auto Scaling: moto launches and terminates at once, always in the first subnet, and cannot show
  Pending or Terminating. Here a request only records an order for the controller; launches, states
  and activities come from the controller (aws/controller.py), the lab's Auto Scaling service.
- DescribeScalingActivities: missing in moto; answered from the controller's list.
  CompleteLifecycleAction and RecordLifecycleActionHeartbeat: missing in moto; orders for the
  controller if the instance waits for this hook, else AWS's answer without a pending hook.
  Instance refreshes: aws/refreshing.py.
- Warm pool: moto stores its settings; here its instances are the controller's. (They are shown by
  DescribeAutoScalingGroups too, unlike AWS's.)
- DescribeAutoScalingGroups: moto shows the launch template's default version for each instance; here
  it is the instance's own.
- CloudWatch, GetMetricData: moto ignores the namespace if dimensions are given; a metric in a
  wrong namespace would count. Fixed. (GetMetricStatistics is not used: its periods begin at the
  first datum instead of on the period's grid, and it accepts data with more dimensions than
  requested.)
- EC2: VPC, subnets, groups and launch template get the ids of the stack (pin). Instances'
  addresses begin a quarter into the subnet, after the interfaces of the network, and are reused as
  late as possible: on AWS an early reuse is possible, but a test could not distinguish the new
  instance from the old one.
- Data beyond KEEP_DATA are deleted; AWS keeps them for days."""
from __future__ import annotations

import base64
import copy
import datetime
import threading
from collections import defaultdict
from typing import Any, Callable

from parts import moto_common  # noqa: F401  (before anything of moto)

from moto.autoscaling import models as scaling_models
from moto.autoscaling.models import (
    AutoScalingBackend, FakeAutoScalingGroup, InstanceState, TerminateInstanceActivity,
    autoscaling_backends)
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.core.responses import ActionResult
from moto.ec2.models import launch_templates, security_groups, subnets, vpcs
from moto.moto_server.werkzeug_app import create_backend_app

KEEP_DATA = 200_000

lock = threading.RLock()
orders: list[dict[str, Any]] = []       # the users' requests for the group, for the controller
activities: list[dict[str, Any]] = []   # in the form of DescribeScalingActivities
refreshes: dict[str, dict[str, Any]] = {}  # id → as in DescribeInstanceRefreshes, the oldest first
waiting: dict[str, str] = {}  # instance → hook whose action it waits for
completed: set[str] = set()   # of these, until the controller knows
pinned: dict[str, list[str]] = defaultdict(list)  # kind → the next ids

KINDS = {"vpc": (vpcs, "random_vpc_id"), "subnet": (subnets, "random_subnet_id"),
         "sg": (security_groups, "random_security_group_id"),
         "lt": (launch_templates, "random_launch_template_id")}


def install() -> None:
    """Applies the changes; must be called once, before anything is created."""
    for kind, (module, name) in KINDS.items():
        setattr(module, name, _pinned(kind, getattr(module, name)))
    FakeAutoScalingGroup.set_desired_capacity = _note_capacity
    AutoScalingBackend.set_desired_capacity = _order_capacity
    AutoScalingBackend.terminate_instance = _order_termination
    AutoScalingBackend.update_attached_target_groups = lambda self, name: None
    original_update = AutoScalingBackend.update_auto_scaling_group
    original_health = AutoScalingBackend.set_instance_health
    original_read = CloudWatchBackend.get_metric_data
    original_put = CloudWatchBackend.put_metric_data

    def update(self: AutoScalingBackend, name: str, **more: Any) -> FakeAutoScalingGroup:
        with lock:
            group = original_update(self, name, **more)
            orders.append({"kind": "constraints", "min": group.min_size, "max": group.max_size,
                           "desired": group.desired_capacity, "version": version_of(group)})
            return group

    def set_health(self: AutoScalingBackend, instance_id: str, status: str) -> None:
        with lock:
            original_health(self, instance_id, status)
            orders.append({"kind": "health", "instance": instance_id, "status": status})

    def read(self: CloudWatchBackend, queries: list[dict[str, Any]], *more: Any,
             **named: Any) -> list[dict[str, Any]]:
        found = []
        for query in queries:
            view = copy.copy(self)
            if "MetricStat" in query:
                space = query["MetricStat"]["Metric"]["Namespace"]
                view.metric_data = [d for d in list(self.metric_data) if d.namespace == space]
            found += original_read(view, [query], *more, **named)
        return found

    def put(self: CloudWatchBackend, *more: Any, **named: Any) -> None:
        original_put(self, *more, **named)
        if len(self.metric_data) > KEEP_DATA:
            del self.metric_data[:KEEP_DATA // 2]

    AutoScalingBackend.update_auto_scaling_group = update
    AutoScalingBackend.set_instance_health = set_health
    AutoScalingResponse.describe_scaling_activities = _describe_activities
    AutoScalingResponse.complete_lifecycle_action = _complete_action
    AutoScalingResponse.record_lifecycle_action_heartbeat = _record_heartbeat
    InstanceState.launch_template = property(lambda self: {
        **self.auto_scaling_group.launch_template, "Version": str(self.version)})
    CloudWatchBackend.get_metric_data = read
    CloudWatchBackend.put_metric_data = put


def _pinned(kind: str, original: Callable[[], str]) -> Callable[[], str]:
    return lambda: pinned[kind].pop(0) if pinned[kind] else original()


def _note_capacity(self: FakeAutoScalingGroup, wanted: int | None) -> None:
    self.desired_capacity = self.min_size if wanted is None else wanted


def _order_capacity(self: AutoScalingBackend, group_name: str, wanted: int | None) -> None:
    group = self.autoscaling_groups[group_name]
    with lock:
        if wanted is not None and not group.min_size <= wanted <= group.max_size:
            bound = "above max value" if wanted > group.max_size else "below min value"
            raise scaling_models.ValidationError(
                f"New SetDesiredCapacity value {wanted} is {bound} "
                f"{group.max_size if wanted > group.max_size else group.min_size} "
                "for the AutoScalingGroup.")
        group.set_desired_capacity(wanted)
        orders.append({"kind": "desired", "desired": group.desired_capacity})


def _order_termination(self: AutoScalingBackend, instance_id: str, decrement: bool
                       ) -> TerminateInstanceActivity:
    with lock:
        state = next((s for g in self.autoscaling_groups.values() for s in g.instance_states
                      if s.instance.id == instance_id), None)
        if state is None:
            raise scaling_models.ValidationError(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        group = state.auto_scaling_group
        before = group.desired_capacity
        if decrement:
            group.desired_capacity -= 1
        orders.append({"kind": "terminate", "instance": instance_id, "decrement": decrement})
        return TerminateInstanceActivity(state.instance, before)


def version_of(group: FakeAutoScalingGroup) -> int:
    """The number of the launch template's version that the group uses."""
    return int(group.ec2_launch_template.get_version(group.launch_template_version).number)


def times(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Unix times as the answers need them."""
    return record | {key: datetime.datetime.fromtimestamp(record[key], datetime.timezone.utc)
                     for key in keys if record.get(key)}


def _describe_activities(self: AutoScalingResponse) -> ActionResult:
    asked = self._get_param("ActivityIds", [])
    name = self._get_param("AutoScalingGroupName")
    with lock:
        found = [times(a, "StartTime", "EndTime") for a in activities
                 if (not asked or a["ActivityId"] in asked)
                 and (not name or a["AutoScalingGroupName"] == name)]
    return ActionResult({"Activities": found[:self._get_int_param("MaxRecords", 100)]})


def _complete_action(self: AutoScalingResponse) -> ActionResult:
    result = self._get_param("LifecycleActionResult")
    if result not in ("CONTINUE", "ABANDON"):
        raise scaling_models.ValidationError(
            f"Lifecycle Action Result {result} is not valid: CONTINUE or ABANDON")
    return _order_action(self, "complete", result)


def _record_heartbeat(self: AutoScalingResponse) -> ActionResult:
    return _order_action(self, "heartbeat", "")


def _order_action(self: AutoScalingResponse, kind: str, result: str) -> ActionResult:
    instance, hook = self._get_param("InstanceId"), self._get_param("LifecycleHookName")
    with lock:
        if instance not in waiting or waiting[instance] != hook:
            raise scaling_models.ValidationError(
                f"No active Lifecycle Action found with instance ID {instance}")
        if kind == "complete":
            del waiting[instance]
            completed.add(instance)
        orders.append({"kind": kind, "instance": instance, "hook": hook, "result": result})
    return ActionResult({})


class Group:
    """The Auto Scaling group, for the controller's orders."""

    def __init__(self, account: str, region: str, name: str) -> None:
        self._account, self._region, self._name = account, region, name
        self._next: dict[str, int] = {}  # subnet → number of the last used address
        # Creates the EC2 backends now (the app also has one in us-east-1): each begins with a
        # default VPC, which would use pinned ids.
        self._backend
        create_backend_app("ec2")

    @property
    def _backend(self) -> AutoScalingBackend:
        return autoscaling_backends[self._account][self._region]

    @property
    def _group(self) -> FakeAutoScalingGroup:
        return self._backend.autoscaling_groups[self._name]

    def launch(self, subnet_id: str, version: int) -> dict[str, str]:
        """RunInstances with this version of the group's launch template; Pending until the
        controller changes it."""
        group, ec2 = self._group, self._backend.ec2_backend
        subnet = ec2.get_subnet(subnet_id)
        tags = {**group.get_propagated_tags(), **group.instance_tags,
                scaling_models.ASG_NAME_TAG: group.name}
        template = group.ec2_launch_template.get_version(version)
        reservation = ec2.run_instances(
            template.image_id, 1, None, [], instance_type=template.instance_type,
            tags={"instance": tags}, placement=subnet.availability_zone,
            launch_template={"LaunchTemplateId": group.ec2_launch_template.id,
                             "Version": version},
            is_instance_type_default=False, subnet_id=subnet_id, associate_public_ip=False,
            private_ip=self._address(subnet))
        instance = reservation.instances[0]
        instance.autoscaling_group = group
        with lock:
            state = InstanceState(instance, lifecycle_state="Pending")
            state.version = version
            group.instance_states.append(state)
        return {"instance": instance.id, "address": instance.private_ip,
                "user_data": base64.b64decode(str(template.data.get("UserData", ""))).decode()}

    def _address(self, subnet: Any) -> str:
        """The next free address. AWS reserves the first four and the last (VPC User Guide, "Subnet
        sizing")."""
        size = subnet.cidr.num_addresses
        usable = range(4, size - 1)
        for _ in usable:
            number = self._next.get(subnet.id, max(size // 4, 4))
            self._next[subnet.id] = number + 1 if number + 1 in usable else usable[0]
            if str(subnet.cidr[number]) not in subnet._subnet_ips:
                return str(subnet.cidr[number])
        raise ValueError(f"InsufficientFreeAddressesInSubnet: {subnet.id}")

    def terminated(self, instance_id: str) -> None:
        with lock:
            self._backend.ec2_backend.terminate_instances([instance_id])
            self._group.instance_states = [
                s for s in self._group.instance_states if s.instance.id != instance_id]

    def reserve(self, subnet_id: str, address: str) -> None:
        """Reserves the address of another interface of the lab."""
        self._backend.ec2_backend.get_subnet(subnet_id).request_ip(address, None)

    def attributes(self, values: dict[str, Any]) -> None:
        """Settings that moto's CreateAutoScalingGroup ignores."""
        for name, value in values.items():
            setattr(self._group, name, value)

    def sync(self, told: dict[str, Any]) -> dict[str, Any]:
        """Stores the controller's state and returns the users' new requests. A request is never
        overwritten before it was returned."""
        with lock:
            asked, orders[:] = list(orders), []
            group = self._group
            if not asked:
                group.desired_capacity = told["desired"]
                group.min_size, group.max_size = told["min"], told["max"]
                group.launch_template_version = str(told["version"])
                group.provided_launch_template_version = str(told["version"])
            for state in group.instance_states:
                shown = told["instances"].get(state.instance.id)
                if shown:
                    state.lifecycle_state, state.health_status = shown
            if "activities" in told:
                activities[:] = told["activities"]
            refreshes.update({r["InstanceRefreshId"]: r for r in told["refreshes"]})
            waiting.clear()
            waiting.update({i: h for i, h in told["waiting"].items() if i not in completed})
            completed.clear()
            alarms = cloudwatch_backends[self._account][self._region].alarms
            for name, (state, reason) in told.get("alarms", {}).items():
                if name in alarms and alarms[name].state_value != state:
                    alarms[name].update_state(reason, "{}", state)
            pool = group.warm_pool
            return {"orders": asked, "pool": pool and {
                "state": f"Warmed:{pool.pool_state or 'Stopped'}", "least": int(pool.min_size or 0),
                "prepared": None if pool.max_group_prepared_capacity in (None, -1)
                else int(pool.max_group_prepared_capacity),
                "reuse": bool((pool.instance_reuse_policy or {}).get("ReuseOnScaleIn"))},
                    "suspended": [p["ProcessName"] for p in group.suspended_processes]}
