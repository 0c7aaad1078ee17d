"""The baked image: a stack of its own (packaging/image/image.yaml), in which EC2 Image Builder makes it.

An image outlives its stack's changes, as web servers may use it; `down` removes all of them.
"""
from __future__ import annotations

import argparse
import hashlib
import re
from typing import Any

from .aws import AwsError, Deployment, Stop, say, warn
from .local import ROOT, Local
from .looks import Problem
from .stack import Stack, parameters
from .template import Template


class Baking(Deployment):
    """The image's stack in place of the deployment's."""

    def __init__(self, deployment: Deployment) -> None:
        self.__dict__.update(vars(deployment))
        self.stack = f"{deployment.stack}-image"
        self.template = Template(ROOT / "packaging" / "image" / "image.yaml")
        # Of a build that failed nothing is worth keeping.
        self.options = argparse.Namespace(**{**vars(deployment.options), "again": True})
        self.asked = deployment

    def again(self, verb: str = "up", *more: str) -> str:
        return self.asked.again("image" if verb == "up" else verb)


class Image:
    def __init__(self, deployment: Deployment) -> None:
        self.d = Baking(deployment)
        self.aws = deployment.aws
        self.stack = Stack(self.d)

    def look(self) -> list[Problem]:
        problems = []
        found = self.stack.describe()
        if found and not _is_own(found):
            problems.append(Problem(f"the stack {self.d.stack} was not made from {self.d.template.path.name}",
                                    "Choose another name: --stack NAME"))
        try:
            networks = self.aws.read("ec2", "describe-vpcs", "--filters", "Name=is-default,Values=true")
            if not networks["Vpcs"]:
                problems.append(Problem("the region has no default VPC, in which the image is built",
                                        f"aws ec2 create-default-vpc --region {self.d.region}"))
        except AwsError as error:
            warn(f"not checked: the default VPC: {error}")
        return problems

    def make(self, values: dict[str, str], local: Local) -> str:
        """Its ID; an image of the same packages and of the same parent is there already."""
        pinned = local.parameters()
        parent = self._parent(values)
        index = local.repository / "repodata" / "repomd.xml"
        inputs = (self.d.template.text, parent, *pinned.values(), index.read_text("utf-8") if index.exists() else "")
        given = {"ParentImage": parent, "InstanceType": values["InstanceType"], **pinned,
                 "PackageBucket": self.d.bucket,
                 "Build": hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]}
        url = self.stack.upload()
        try:
            changed = self.stack.apply(url, given, self.stack.join(lambda _: []))
            if self.aws.dry:
                say("then: waits for the image, about 20 minutes")
                return ""
            found = self.stack.wait(lambda _: []) if changed else self.stack.describe() or {}
        except Stop as stop:
            raise Stop(f"{stop}\nWhat the build said: aws logs tail --region {self.d.region} --since 2h "
                       f"{self._logs}{given['Build']}") from None
        return str(next(one["OutputValue"] for one in found["Outputs"] if one["OutputKey"] == "Image"))

    @property
    def _logs(self) -> str:
        """Image Builder's log of a build is a group of this name and the recipe's Build."""
        return f"/aws/imagebuilder/{self.d.stack}-"

    def _parent(self, values: dict[str, str]) -> str:
        """The image of Amazon Linux that the template names."""
        name = values["ImageIdArm64" if values.get("Architecture") == "arm64" else "ImageId"]
        return str(self.aws.read("ssm", "get-parameter", "--name", name)["Parameter"]["Value"])

    def all(self) -> list[str]:
        """The images of this deployment, with those of earlier builds."""
        found = self.aws.read("ec2", "describe-images", "--owners", "self", "--filters",
                              f"Name=tag:web-node-agent,Values={self.d.stack}")
        return sorted(one["ImageId"] for one in found["Images"])

    def remove(self) -> None:
        found = self.stack.describe()
        if found and _is_own(found):
            self.stack.delete()
        for name in self.all():
            self.aws.make("ec2", "deregister-image", "--image-id", name, "--delete-associated-snapshots")
            say(f"image: {name} is deleted")
        groups = self.aws.read("logs", "describe-log-groups", "--log-group-name-prefix", self._logs)["logGroups"]
        for name in (one["logGroupName"] for one in groups):
            if re.fullmatch(re.escape(self._logs) + "[0-9a-f]{12}", name):
                self.aws.make("logs", "delete-log-group", "--log-group-name", name)

    def tell(self, name: str, used: str) -> None:
        """`used`: the image of the web servers."""
        there = self.all()
        if name not in there:
            raise Stop(f"the image {name} has been deleted. To make it again: aws cloudformation delete-stack "
                       f"--region {self.d.region} --stack-name {self.d.stack}, then {self.d.again()}")
        for old in there:
            if old not in (name, used):
                say(f"stays and costs: the image {old}, of an earlier build. Delete it: aws ec2 deregister-image "
                    f"--region {self.d.region} --image-id {old} --delete-associated-snapshots")
        say(f"image     {name}")
        say("the stack has it" if name == used else
            f"Take it: {self.d.asked.again('up', '--set', f'WebImage={name}')}")


def _is_own(found: dict[str, Any]) -> bool:
    return found["StackStatus"] == "REVIEW_IN_PROGRESS" or "PackageBucket" in parameters(found)
