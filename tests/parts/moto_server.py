"""CloudWatch, IAM and STS: moto behind TLS with the lab's certificate, every
request's signature verified. Roles first, then authentication on: the account,
its users and its role are made while moto asks for nothing, then
INITIAL_NO_AUTH_ACTION_COUNT is set to 0 for good.

Where moto 5.2 differs from AWS, beside what moto_common.py says: actions are named
after the signing name, so that policies have to say monitoring:PutMetricData where
AWS says cloudwatch:PutMetricData.

Arguments: control socket, address, certificate, key. Control: see do().
"""
from __future__ import annotations

import json
import sys
from typing import Any

from . import moto_common  # before anything of moto
from . import control

from moto import settings
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

ACCOUNT = "123456789012"
ROLE = "practice-web-role"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def policy(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


class Account:
    """Made directly in moto's backends: no request can be signed yet."""

    def __init__(self) -> None:
        iam = iam_backends[ACCOUNT]["aws"]
        iam.create_role(role_name=ROLE, assume_role_policy_document=json.dumps(TRUST), path="/",
                        permissions_boundary=None, description="", tags=[],
                        max_session_duration="43200")
        iam.put_role_policy(ROLE, "metrics", policy("monitoring:PutMetricData"))
        iam.create_role(role_name="powerless", assume_role_policy_document=json.dumps(TRUST),
                        path="/", permissions_boundary=None, description="", tags=[],
                        max_session_duration="43200")
        iam.put_role_policy("powerless", "other", policy("ec2:DescribeTags"))
        self.users = {}
        for user, document in (("operator", policy("monitoring:*")),
                               ("node", policy("monitoring:PutMetricData"))):
            iam.create_user(region_name="us-east-1", user_name=user)
            iam.put_user_policy(user, "own", document)
            key = iam.create_access_key(user)
            self.users[user] = {"access_key": key.access_key_id,
                                "secret": key.secret_access_key, "token": ""}

    def assume(self, role: str) -> dict[str, str]:
        """Session credentials as the metadata service hands them to an instance."""
        role_arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        session = sts_backends[ACCOUNT]["aws"].assume_role(
            region_name="us-east-1", role_session_name="i-0", role_arn=role_arn,
            policy=None, duration=3600, external_id=None)
        return {"access_key": session.access_key_id, "secret": session.secret_access_key,
                "token": session.session_token}


def main() -> None:
    path, address, certificate, key = sys.argv[1:5]
    settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
    account = Account()
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

    recorder = moto_common.serve(address, certificate, key)

    def do(order: dict[str, Any]) -> Any:
        match order["op"]:
            case "assume":  # role → session credentials
                return account.assume(order.get("role", ROLE))
            case "user":  # name → long-lived keys
                return account.users[order["name"]]
            case "log":
                return recorder.since(order.get("start", 0))
        return {"error": "unknown op"}

    control.serve(path, do)


if __name__ == "__main__":
    main()
