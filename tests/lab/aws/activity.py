"""The activity history in AWS's words. Pure.

Sources: EC2 Auto Scaling User Guide, "Verify a scaling activity" (the wording of a target-tracking
activity and its cause, two spaces between its sentences; the order: in progress first, then by
start time), "Health checks" ("an instance was taken out of service in response to an ELB system
health check failure"); API Reference, Activity (status codes). The other sentences are from
activities that AWS users have published: the creation of the group, a replacement's launch, an
instance refresh, a user's request, and "Waiting For ELB Connection Draining." The texts about a warm
pool are the lab's own.
"""
from __future__ import annotations

import datetime
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

PRE_IN_SERVICE, DRAINING, IN_PROGRESS, WAITING, SUCCESSFUL, FAILED, CANCELLED = (
    "PreInService", "WaitingForELBConnectionDraining", "InProgress", "MidLifecycleAction",
    "Successful", "Failed", "Cancelled")
PROGRESS = {PRE_IN_SERVICE: 30, DRAINING: 50, IN_PROGRESS: 50, WAITING: 50, SUCCESSFUL: 100,
            FAILED: 100, CANCELLED: 100}
LAUNCHING, TERMINATING = "Launching a new EC2 instance", "Terminating EC2 instance"
INTO_POOL, FROM_POOL = f"{LAUNCHING} into warm pool", f"{LAUNCHING} from warm pool"
OUT_OF_POOL, BACK = f"{TERMINATING} from warm pool", f"{TERMINATING} and returning it to warm pool"

CREATED = "a user request created an AutoScalingGroup"
SET = "a user request explicitly set group desired capacity"
CONSTRAINTS = ("a user request update of AutoScalingGroup constraints to "
               "min: {min}, max: {max}, desired: {desired}")
ALARMED = "a monitor alarm {alarm} in state ALARM triggered policy {policy}"
CHANGING = "{why} changing the desired capacity from {old} to {new}"
STARTED = ("an instance was started in response to a difference between desired and actual "
           "capacity, increasing the capacity from {old} to {new}")
REPLACED = "an instance was launched in response to an unhealthy instance needing to be replaced"
RENEWED = "an instance was launched in response to an instance refresh"
REFRESHED = "an instance was taken out of service in response to an instance refresh"
PREPARED = "an instance was launched into the warm pool to prepare capacity"
TAKEN = "an instance was taken from the warm pool, increasing the capacity from {old} to {new}"
SURPLUS = "an instance was taken out of the warm pool, which has more than it needs"
SHRUNK = ("an instance was taken out of service in response to a difference between desired and "
          "actual capacity, shrinking the capacity from {old} to {new}")
SELECTED = "instance {instance} was selected for termination"
UNHEALTHY = {
    "ELB": "an instance was taken out of service in response to an ELB system health check failure",
    "EC2": "an instance was taken out of service in response to an EC2 health check indicating it "
           "has been terminated or stopped",
    "user": "an instance was taken out of service in response to a user health-check"}
NOT_READY = ("instance {instance} was taken out of service in response to an abandoned lifecycle "
             "action")
ABANDONED = ("Instance failed to complete user's Lifecycle Action: Lifecycle Action was abandoned: "
             "Lifecycle Action Completed with ABANDON Result")
REQUESTED = "instance {instance} was taken out of service in response to a user request"
SHRINKING = ", shrinking the capacity from {old} to {new}"


def stamp(at: float) -> str:
    """Unix time in the format of causes."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(at: float) -> str:
    """Unix time in the format of StartTime and EndTime."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def sentence(at: float, text: str, **values: object) -> str:
    return f"At {stamp(at)} {text.format(**values)}."


@dataclass
class Activity:
    group: str
    what: str                      # LAUNCHING or TERMINATING
    cause: str
    start: float                   # Unix time
    subnet_id: str
    zone: str
    instance: str = ""
    end: float | None = None
    status: str = IN_PROGRESS
    message: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def description(self) -> str:
        text = f"{self.what}: {self.instance}" if self.instance else self.what
        if self.status == DRAINING:
            text += " - Waiting For ELB Connection Draining."
        return text if self.status != FAILED else f"{text}.  Status Reason: {self.message}"

    def done(self, at: float) -> None:
        self.status, self.end = SUCCESSFUL, at

    def failed(self, message: str, at: float) -> None:
        self.status, self.message, self.end = FAILED, message, at

    def cancelled(self, at: float) -> None:
        self.status, self.end = CANCELLED, at

    def record(self) -> dict[str, Any]:
        """An activity as in DescribeScalingActivities; times are Unix times."""
        return {
            "ActivityId": self.id, "AutoScalingGroupName": self.group,
            "Description": self.description, "Cause": self.cause, "StartTime": self.start,
            **({"EndTime": self.end} if self.end is not None else {}),
            "StatusCode": self.status,
            **({"StatusMessage": self.message} if self.message else {}),
            "Progress": PROGRESS[self.status],
            "Details": json.dumps({"Subnet ID": self.subnet_id, "Availability Zone": self.zone})}


def ordered(activities: list[Activity]) -> list[Activity]:
    """Activities in progress first, then by start time, newest first."""
    return sorted(activities, key=lambda a: (a.end is not None, -a.start))
