"""The bucket of packages and templates. Only the stack's endpoint may read the packages."""
from __future__ import annotations

import json
from pathlib import Path

from .aws import AwsError, Deployment, Stop, say, warn
from .looks import Problem

LAST = ("repodata/repomd.xml.asc", "repodata/repomd.xml")  # a reader finds only what is there


class Bucket:
    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment
        self.aws = deployment.aws
        self.opened = ""  # the endpoint that the policy names

    def exists(self) -> bool:
        try:
            self.aws.read("s3api", "head-bucket", "--bucket", self.d.bucket, "--expected-bucket-owner",
                          self.d.account)
        except AwsError as error:
            if error.code in ("404", "NoSuchBucket"):
                return False
            raise
        return True

    def look(self) -> list[Problem]:
        try:
            self.exists()
        except AwsError as error:
            if error.code in ("403", "301", "400", "AccessDenied", "PermanentRedirect"):
                return [Problem(f"the bucket name {self.d.bucket} is taken, or in another region",
                                "Choose another one: --bucket NAME")]
            raise
        return []

    def make(self) -> None:
        if not self.aws.dry and self.exists():
            return
        say(f"bucket: {self.d.bucket}")
        words = ["s3api", "create-bucket", "--bucket", self.d.bucket]
        if self.d.region != "us-east-1":
            words += ["--create-bucket-configuration", f"LocationConstraint={self.d.region}"]
        self.aws.make(*words)

    def publish(self, repository: Path) -> None:
        to = f"s3://{self.d.bucket}/al2023"
        excluded = [word for name in LAST for word in ("--exclude", name)]
        self.aws.make("s3", "sync", "--only-show-errors", str(repository), to, *excluded)
        for name in LAST:
            self.aws.make("s3", "cp", "--only-show-errors", str(repository / name), f"{to}/{name}")

    def open(self, endpoint: str) -> None:
        """Lets the stack's S3 endpoint, and nothing else, read the packages without credentials."""
        if not endpoint.startswith("vpce-") or endpoint == self.opened:
            return
        self._check_policy()
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
            "Resource": self._packages,
            "Condition": {"StringEquals": {"aws:SourceVpce": endpoint}}}]}
        self.aws.make("s3api", "put-bucket-policy", "--bucket", self.d.bucket, "--policy",
                      json.dumps(policy))
        self.opened = endpoint
        say(f"bucket: {endpoint} may read it")

    def _check_policy(self) -> None:
        """A policy that deploy has not written stays."""
        try:
            found = self.aws.read("s3api", "get-bucket-policy", "--bucket", self.d.bucket)
        except AwsError as error:
            if error.code == "NoSuchBucketPolicy":
                return
            raise
        statements = json.loads(found["Policy"])["Statement"]
        if any(one.get("Resource") != self._packages for one in statements):
            raise Stop(f"the bucket {self.d.bucket} has a policy of its own, which stays. Use another "
                       "bucket: --bucket NAME")

    @property
    def _packages(self) -> str:
        return f"arn:{self.d.partition}:s3:::{self.d.bucket}/al2023/*"

    def remove(self) -> None:
        """Its own objects; and the bucket, if nothing else is in it."""
        if not self.aws.dry and not self.exists():
            return
        for folder in ("al2023", "templates"):
            self.aws.make("s3", "rm", "--only-show-errors", "--recursive",
                          f"s3://{self.d.bucket}/{folder}/")
        try:
            self.aws.make("s3api", "delete-bucket", "--bucket", self.d.bucket)
            say(f"bucket: {self.d.bucket} is deleted")
        except AwsError as error:
            if error.code != "BucketNotEmpty":
                raise
            warn(f"the bucket {self.d.bucket} has other objects or versions, and stays")
