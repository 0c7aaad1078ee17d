"""Instance refreshes in the Auto Scaling API, which moto does not have: requests are orders for the
controller, answers come from its list (aws/refresh.py). Imported by aws/server.py only.

Sources: Auto Scaling API Reference, StartInstanceRefresh, DescribeInstanceRefreshes,
RollbackInstanceRefresh, CancelInstanceRefresh; User Guide, "Undo changes with a manual or auto
rollback", "Replace root volumes during instance refresh" (it needs a mixed instances policy, which the
lab's groups do not have). Messages of errors that AWS users have published: AutoRollback without a desired
configuration, a refresh that is under way, no refresh to cancel; the others are the lab's own."""
from __future__ import annotations

import time
import uuid
from typing import Any

from . import in_moto  # before anything of moto

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from .refresh import ACTIVE, ROLLING_BACK

NOT_PLAYED = ("CheckpointPercentages", "CheckpointDelay", "AlarmSpecification")
UNVERSIONED = ("$Latest", "$Default")


class InProgress(AutoscalingClientError):
    code = "InstanceRefreshInProgress"
    message = ("An Instance Refresh is already in progress and blocks the execution of this Instance "
               "Refresh.")


class NotFound(AutoscalingClientError):
    code = "ActiveInstanceRefreshNotFound"


class Irreversible(AutoscalingClientError):
    code = "IrreversibleInstanceRefresh"


def install() -> None:
    AutoScalingResponse.start_instance_refresh = _start
    AutoScalingResponse.describe_instance_refreshes = _describe
    AutoScalingResponse.rollback_instance_refresh = _roll_back
    AutoScalingResponse.cancel_instance_refresh = _cancel


def _group(asked: AutoScalingResponse) -> FakeAutoScalingGroup:
    name = asked._get_param("AutoScalingGroupName")
    group = asked.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
    return group


def _active() -> dict[str, Any] | None:
    return next((r for r in in_moto.refreshes.values() if r["Status"] in ACTIVE), None)


def _checked(preferences: dict[str, Any], desired: dict[str, Any] | None) -> dict[str, Any]:
    for name in NOT_PLAYED:
        if name in preferences:
            raise ValidationError(f"{name}: the lab does not play it")
    least, most = (preferences.get(f"{name}HealthyPercentage") for name in ("Min", "Max"))
    if most is not None and (least is None or not 100 <= most <= 200 or most - least > 100):
        raise ValidationError("MaxHealthyPercentage is 100 to 200 and at most 100 more than "
                              "MinHealthyPercentage, which must be given")
    if preferences.get("AutoRollback") and not desired:
        raise ValidationError(
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter "
            "is empty. Set AutoRollback to false or specify a desired configuration and try again.")
    return preferences


def _irreversible(group: FakeAutoScalingGroup, refresh: dict[str, Any]) -> str:
    """Why there is no way back; "" if there is one."""
    version = group.launch_template_version
    if not refresh.get("DesiredConfiguration"):
        return "it has no desired configuration"
    if version in UNVERSIONED:
        return f"the group uses the version {version}"
    if group.image_id.startswith("resolve:ssm:"):
        return "the group's launch template has a parameter in place of an image's ID"
    return ""


def _start(self: AutoScalingResponse) -> ActionResult:
    group, strategy = _group(self), self._get_param("Strategy", "Rolling")
    desired = self._get_param("DesiredConfiguration")
    if strategy != "Rolling":
        raise ValidationError(f"Strategy {strategy}: the group has no mixed instances policy")
    preferences = _checked(self._get_param("Preferences", {}), desired)
    version = None
    if desired:
        asked = desired.get("LaunchTemplate", {})
        template = group.ec2_launch_template
        if template.id != asked.get("LaunchTemplateId", template.id) \
                or template.name != asked.get("LaunchTemplateName", template.name):
            raise ValidationError("the lab has one launch template")
        version = template.get_version(asked.get("Version", "$Default")).number
    with in_moto.lock:
        if _active():
            raise InProgress()
        found = {"InstanceRefreshId": str(uuid.uuid4()), "AutoScalingGroupName": group.name,
                 "Status": "Pending", "StartTime": time.time(), "Strategy": strategy,
                 "Preferences": preferences,
                 **({"DesiredConfiguration": desired} if desired else {})}
        if preferences.get("AutoRollback") and (why := _irreversible(group, found)):
            raise ValidationError(f"AutoRollback: {why}")
        in_moto.refreshes[found["InstanceRefreshId"]] = found
        in_moto.orders.append({"kind": "refresh", "id": found["InstanceRefreshId"], "version": version,
                               "preferences": preferences, "configuration": desired})
    return ActionResult({"InstanceRefreshId": found["InstanceRefreshId"]})


def _describe(self: AutoScalingResponse) -> ActionResult:
    group, asked = _group(self), self._get_param("InstanceRefreshIds", [])
    with in_moto.lock:
        found = [in_moto.times(r, "StartTime", "EndTime")
                 for r in reversed(in_moto.refreshes.values())
                 if r["AutoScalingGroupName"] == group.name
                 and (not asked or r["InstanceRefreshId"] in asked)]
    for record in found:
        if "RollbackDetails" in record:
            record["RollbackDetails"] = in_moto.times(record["RollbackDetails"], "RollbackStartTime")
    return ActionResult({"InstanceRefreshes": found[:self._get_int_param("MaxRecords", 50)]})


def _order(group: FakeAutoScalingGroup, kind: str) -> ActionResult:
    with in_moto.lock:
        found = _active()
        if found is None or (kind == "rollback" and found["Status"] == ROLLING_BACK):
            raise NotFound("No in progress or pending Instance Refresh found for Auto Scaling group "
                           f"{group.name}")
        if kind == "rollback" and (why := _irreversible(group, found)):
            raise Irreversible(f"The refresh cannot be rolled back: {why}")
        in_moto.orders.append({"kind": kind})
    return ActionResult({"InstanceRefreshId": found["InstanceRefreshId"]})


def _roll_back(self: AutoScalingResponse) -> ActionResult:
    return _order(_group(self), "rollback")


def _cancel(self: AutoScalingResponse) -> ActionResult:
    return _order(_group(self), "cancel")
