"""A new version of the launch template, server by server: an instance refresh, watched.

The group keeps its version until the refresh has succeeded. The first server that does not become
ready ends it: the group goes back, and no other server is replaced.
"""
from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any

from .aws import POLL_S, AwsError, Stop, say
from .group import Group

RUNS = ("Pending", "InProgress", "Baking")
ENDS = ("Cancelling", "RollbackInProgress")
INSTANCE = re.compile(r"\bi-[0-9a-f]+")
# "... taken out of service in response to an ELB system health check failure"
CAUSE = re.compile("health|status check|abandon")
TOLD = {"MidLifecycleAction": "waits for its agent", "Successful": "done", "Failed": "failed",
        "WaitingForELBConnectionDraining": "drains", "WaitingForConnectionDraining": "drains",
        "Cancelled": "failed"}


class Refresh:
    def __init__(self, group: Group) -> None:
        self.d = group.d
        self.aws = group.aws
        self.group = group

    def versions(self) -> tuple[str, str]:
        """The launch template's version of the group, and the newest one; empty without a group."""
        template = self.group.describe().get("LaunchTemplate")
        if not template:
            return "", ""
        found = self.aws.read("ec2", "describe-launch-templates", "--launch-template-ids",
                              template["LaunchTemplateId"])["LaunchTemplates"][0]
        return template["Version"], str(found["LatestVersionNumber"])

    def active(self) -> dict[str, Any] | None:
        return next((one for one in self._describe() if one["Status"] in RUNS + ENDS), None)

    def _describe(self, *more: str) -> list[dict[str, Any]]:
        return list(self.aws.read("autoscaling", "describe-instance-refreshes", "--auto-scaling-group-name",
                                  self.group.name, *more)["InstanceRefreshes"])

    def finish(self) -> None:
        """Watches a refresh that an earlier run has started."""
        one = self.active()
        if one:
            say("an instance refresh is under way; it is waited for")
            self.watch(one["InstanceRefreshId"])

    def prove(self) -> str:
        """The newest version, if the group has got it now; empty if it had it before."""
        version, newest = self.versions()
        if version == newest:
            return ""
        say(f"launch template: the servers have version {version}; version {newest} replaces them one by one")
        template = self.group.describe()["LaunchTemplate"]["LaunchTemplateId"]
        self.watch(self.aws.make(
            "autoscaling", "start-instance-refresh", "--auto-scaling-group-name", self.group.name,
            "--desired-configuration", json.dumps(
                {"LaunchTemplate": {"LaunchTemplateId": template, "Version": newest}}),
            # More than 100 %: a new server is ready before an old one leaves.
            "--preferences", json.dumps({"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110,
                                         "AutoRollback": True, "SkipMatching": True}))["InstanceRefreshId"])
        return newest

    def watch(self, refresh: str) -> None:
        """To its end; stops deploy unless it has succeeded."""
        told: set[str] = set()
        reason: list[str] = []
        while True:
            one = self._describe("--instance-refresh-ids", refresh)[0]
            activities = self._activities(one)
            for line in (*map(_line, activities), shown(one)):
                if line not in told:
                    told.add(line)
                    say(line)
            bad = None if reason else first_bad(activities)
            if bad:
                if one["Status"] in RUNS:
                    say("a new server does not become ready: the group goes back")
                    self._roll_back()
                instance, why = bad
                reason = [f"  {instance or 'a launch'}: {why}",
                          *(self.group.words([instance]) if instance else [])]
            if one["Status"] == "Successful":
                return
            if one["Status"] not in RUNS + ENDS:
                break
            time.sleep(POLL_S)
        details = one.get("RollbackDetails", {}).get("RollbackReason") or one.get("StatusReason", "")
        version, newest = self.versions()
        raise Stop("\n".join([
            f"the launch template's version {newest} has failed: {one['Status']}. The group has version "
            f"{version}, as before", *(reason or [f"  {details}"]),
            f"When that is mended: {self.d.again('up')}"]))

    def _roll_back(self) -> None:
        try:
            self.aws.make("autoscaling", "rollback-instance-refresh", "--auto-scaling-group-name",
                          self.group.name)
        except AwsError as error:
            if error.code != "ActiveInstanceRefreshNotFound":  # AWS was faster
                raise

    def _activities(self, refresh: dict[str, Any]) -> list[dict[str, Any]]:
        """Those since its start, the oldest first."""
        if "StartTime" not in refresh:
            return []
        since = _time(refresh["StartTime"])
        return [one for one in reversed(self.group.activities()) if _time(one["StartTime"]) >= since]


def first_bad(activities: list[dict[str, Any]]) -> tuple[str, str] | None:
    """The first new server that has not become ready, and why. Activities: the oldest first."""
    new = set()
    for one in activities:
        found = INSTANCE.search(one["Description"])
        instance = found[0] if found else ""
        cause = " ".join(one.get("Cause", "").split())
        if one["Description"].startswith("Launching"):
            new.add(instance)
            if one["StatusCode"] in ("Failed", "Cancelled"):
                return instance, one.get("StatusMessage") or cause
        elif instance in new and CAUSE.search(cause):
            return instance, cause
    return None


def shown(refresh: dict[str, Any]) -> str:
    return f"refresh   {refresh['Status']}, {refresh.get('PercentageComplete', 0)} % of the servers"


def _line(activity: dict[str, Any]) -> str:
    what = activity["Description"].partition(" Status Reason:")[0].rstrip(".")
    return f"group     {what}: {TOLD.get(activity['StatusCode'], 'begun')}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
