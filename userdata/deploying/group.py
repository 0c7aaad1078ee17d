"""The Auto Scaling group: its servers' last words, and what it has done."""
from __future__ import annotations

from typing import Any

from .aws import AwsError, Deployment
from .stack import Stack


class Group:
    def __init__(self, deployment: Deployment, stack: Stack) -> None:
        self.d = deployment
        self.aws = deployment.aws
        self.stack = stack
        self._name = ""

    @property
    def name(self) -> str:
        """Empty before the stack has made it."""
        self._name = self._name or self.stack.resource("Group")
        return self._name

    def describe(self) -> dict[str, Any]:
        found = self.aws.read("autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names",
                              self.name)["AutoScalingGroups"] if self.name else []
        return dict(found[0]) if found else {"Instances": []}

    def activities(self) -> list[dict[str, Any]]:
        """The newest first."""
        return list(self.aws.read("autoscaling", "describe-scaling-activities", "--auto-scaling-group-name",
                                  self.name, "--max-items", "100")["Activities"])

    def words(self, instances: list[str]) -> list[str]:
        """The last lines of the consoles, while the instances live or shortly after."""
        lines = []
        for one in instances[:2]:
            lines += [f"  the last words of {one}:", *(f"    {line}" for line in self._console(one)),
                      f"  all of them: aws ec2 get-console-output --region {self.d.region} "
                      f"--instance-id {one} --output text"]
        return lines

    def _console(self, instance: str) -> list[str]:
        why = "(nothing yet)"
        for latest in (["--latest"], []):  # the newest, which an ended instance does not have
            try:
                found = self.aws.read("ec2", "get-console-output", "--instance-id", instance, *latest)
            except AwsError as error:
                why = str(error)
                continue
            lines = [line.strip() for line in found.get("Output", "").splitlines() if line.strip()]
            if lines:
                return lines[-12:]
        return [why]
