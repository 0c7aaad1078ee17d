"""The stack in CloudFormation: made or changed, watched to its end, and its failures explained."""
from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from .aws import POLL_S, AwsError, Deployment, Stop, say
from .looks import Problem

WORKS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
         "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS",
         "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# A stack whose creation failed can only be deleted.
DEAD = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
FOLLOWS = ("Resource creation cancelled", "Resource update cancelled")


def parameters(found: dict[str, Any] | None) -> dict[str, str]:
    """Of a stack as describe() gives it."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in (found or {}).get("Parameters", [])}


def is_own(found: dict[str, Any]) -> bool:
    """Made from this template. A stack that is only planned has no parameters yet."""
    return found["StackStatus"] == "REVIEW_IN_PROGRESS" or "RepositoryBucket" in parameters(found)


class Stack:
    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment
        self.aws = deployment.aws

    def describe(self) -> dict[str, Any] | None:
        """None: there is no stack of this name."""
        try:
            found = self.aws.read("cloudformation", "describe-stacks", "--stack-name", self.d.stack)
        except AwsError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(found["Stacks"][0])

    def deleted(self) -> list[str]:
        """The ids of deleted stacks of this name. CloudFormation knows them for 90 days."""
        found = self.aws.read("cloudformation", "list-stacks", "--stack-status-filter", "DELETE_COMPLETE")
        return [one["StackId"] for one in found["StackSummaries"] if one["StackName"] == self.d.stack]

    def resource(self, name: str, stack: str = "") -> str:
        """The physical id of a resource, "" if it is not there yet. `stack`: the id of a deleted one."""
        try:
            found = self.aws.read("cloudformation", "describe-stack-resource", "--stack-name",
                                  stack or self.d.stack, "--logical-resource-id", name)
        except AwsError as error:
            if error.code == "ValidationError":
                return ""
            raise
        return str(found["StackResourceDetail"].get("PhysicalResourceId", ""))

    def look(self, again: bool) -> list[Problem]:
        found = self.describe()
        status = found["StackStatus"] if found else ""
        if found and not is_own(found):
            return [Problem(f"the stack {self.d.stack} was not made from this template",
                            "Choose another name: --stack NAME")]
        if status in DEAD and not again:
            return [Problem(f"the stack {self.d.stack} is {status}: {self.first_failure()}",
                            f"When that is mended: {self.d.again('up', '--again')} (deletes it first)")]
        if status == "UPDATE_ROLLBACK_FAILED":
            return [Problem(f"the stack {self.d.stack} is {status}: {self.first_failure()}",
                            f"aws cloudformation continue-update-rollback --region {self.d.region} "
                            f"--stack-name {self.d.stack}")]
        return []

    def first_failure(self) -> str:
        """What went wrong first: all later failures follow from it."""
        events = self.aws.read("cloudformation", "describe-stack-events", "--stack-name",
                               self.d.stack)["StackEvents"]
        for event in reversed(self._last_operation(events)):
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and not reason.startswith(FOLLOWS):
                return f"{event['LogicalResourceId']}: {' '.join(reason.split())}"
        return "no event tells why"

    def _last_operation(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Newest first; an operation begins with an event of the stack itself."""
        for number, event in enumerate(events):
            if event.get("PhysicalResourceId") == event.get("StackId") and \
                    event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
                return events[:number + 1]
        return events

    def upload(self) -> str:
        """The template is too large to be sent inline. Its URL."""
        name = f"templates/{hashlib.sha256(self.d.template.text.encode()).hexdigest()[:16]}.yaml"
        self.aws.make("s3", "cp", "--only-show-errors", str(self.d.template.path),
                      f"s3://{self.d.bucket}/{name}")
        return self.d.repository_url.rpartition("/")[0] + "/" + name

    def join(self, each: Any) -> dict[str, Any] | None:
        """The stack, after the end of an operation that is under way. `each`: as in wait()."""
        found = self.describe()
        if found and found["StackStatus"] in WORKS and not self.aws.dry:
            say(f"stack {self.d.stack}: {found['StackStatus']} already; it is waited for")
            found = self.wait(each)
        return found

    def apply(self, url: str, values: dict[str, str], found: dict[str, Any] | None) -> bool:
        """Begins to make or to change the stack. False: nothing has changed. `found`: as of join()."""
        if found and found["StackStatus"] in DEAD:
            if not self.d.options.again:
                raise Stop(f"the stack {self.d.stack} is {found['StackStatus']}: {self.first_failure()}\n"
                           f"When that is mended: {self.d.again('up', '--again')}")
            self.delete()
            found = None
        if found is None and self.d.template.has("ReadyServers") and "ReadyServers" not in values:
            # The template's rule: no more than are launched. CloudFormation cannot change it later.
            names = ("ReadyServers", "DesiredCapacity")
            values["ReadyServers"] = min((values.get(name) or self.d.template.defaults[name] or "0"
                                          for name in names), key=int)
        there = {one["ParameterKey"] for one in found.get("Parameters", [])} if found else set()
        parameters = [{"ParameterKey": name, "ParameterValue": value}
                      for name, value in sorted(values.items())]
        parameters += [{"ParameterKey": name, "UsePreviousValue": True}
                       for name in sorted(there - set(values)) if self.d.template.has(name)]
        verb = "update-stack" if found else "create-stack"
        words = ["cloudformation", verb, "--stack-name", self.d.stack, "--template-url", url,
                 "--capabilities", "CAPABILITY_IAM", "--parameters", json.dumps(parameters)]
        try:
            self.aws.make(*words)
        except AwsError as error:
            if "No updates are to be performed" in str(error):
                say(f"stack {self.d.stack}: as it should be")
                return False
            raise
        return True

    def set(self, name: str, value: str, found: dict[str, Any]) -> None:
        """Changes one parameter, with the template that the stack has."""
        values = [{"ParameterKey": one, "UsePreviousValue": True} for one in parameters(found) if one != name]
        self.aws.make("cloudformation", "update-stack", "--stack-name", self.d.stack,
                      "--use-previous-template", "--capabilities", "CAPABILITY_IAM", "--parameters",
                      json.dumps([*values, {"ParameterKey": name, "ParameterValue": value}]))

    def wait(self, each: Any) -> dict[str, Any]:
        """Waits for the end of the operation. `each` gets the state at every look; what it returns is
        told if the operation fails."""
        told, words = "", []
        while True:
            found = self.describe()
            status = found["StackStatus"] if found else "deleted"
            if status != told:
                say(f"stack {self.d.stack}: {status}, {self.d.took()}")
                told = status
            said = each(status)
            words = words or said
            if found is None or status not in WORKS:
                break
            time.sleep(POLL_S)
        if found is None or status not in GOOD:
            again = self.d.again("up", *(["--again"] if status in DEAD else []))
            raise Stop("\n".join([f"the stack {self.d.stack} is {status}: {self.first_failure()}", *words,
                                  f"When that is mended: {again}"]))
        return found

    def delete(self) -> None:
        say(f"stack {self.d.stack}: is deleted, some minutes")
        self.aws.make("cloudformation", "delete-stack", "--stack-name", self.d.stack)
        if self.aws.dry:
            return
        while (found := self.describe()) and found["StackStatus"] in ("DELETE_IN_PROGRESS", *GOOD):
            time.sleep(POLL_S)
        if found:
            raise Stop(f"the stack {self.d.stack} is {found['StackStatus']}: {self.first_failure()}\n"
                       f"When that is mended: {self.d.again('down')}")
