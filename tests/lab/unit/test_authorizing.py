"""Requests under the caller's own policies and the endpoint's (lab/aws/authorizing.py)."""
from __future__ import annotations

from typing import Any

import pytest

from lab.aws.authorizing import refusal
from lab.model.policy import principal_arn

CALLER = "arn:aws:sts::123456789012:assumed-role/web/i-1"
CONTEXT = {"aws:principalarn": principal_arn(CALLER), "cloudwatch:namespace": "WebNodeAgent"}
PUT, RESOURCE = "cloudwatch:PutMetricData", "arn:aws:autoscaling:r:1:group/web"
OWN = {"Effect": "Allow", "Action": ["cloudwatch:*", "autoscaling:*"], "Resource": "*"}
# The stack's values.
ENDPOINT = {"Effect": "Allow", "Principal": "*", "Action": PUT, "Resource": "*", "Condition": {
    "StringEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/web",
                     "cloudwatch:namespace": "WebNodeAgent"}}}
DENY = {"Effect": "Deny", "Principal": "*", "Action": PUT, "Resource": "*"}


def asked(own: list[dict[str, Any]], endpoint: list[dict[str, Any]] | None, action: str = PUT,
          resource: str = "*", **more: str) -> str:
    return refusal(own, endpoint, CALLER, action, resource, {**CONTEXT, **more})


@pytest.mark.parametrize("endpoint", [None, [ENDPOINT]])
def test_both_allow(endpoint: list[dict[str, Any]] | None) -> None:
    assert asked([OWN], endpoint) == ""


def test_an_endpoint_gives_nothing_that_the_role_does_not_have() -> None:
    assert asked([], [ENDPOINT]) == (
        f"User: {CALLER} is not authorized to perform: {PUT} because no identity-based policy "
        f"allows the {PUT} action")


def test_an_endpoint_lets_through_only_what_it_says() -> None:
    said = asked([OWN], [ENDPOINT], "cloudwatch:GetMetricData")
    assert said.endswith("because no VPC endpoint policy allows the cloudwatch:GetMetricData action")
    assert "VPC endpoint" in asked([OWN], [ENDPOINT], **{"cloudwatch:namespace": "Other"})
    assert "VPC endpoint" in asked([OWN], [ENDPOINT], **{"aws:principalarn": "arn:aws:iam::1:role/x"})
    assert "VPC endpoint" in asked([OWN], [])
    assert asked([OWN], None, "cloudwatch:GetMetricData") == ""


def test_an_explicit_deny_is_said_as_such() -> None:
    assert asked([OWN], [ENDPOINT, DENY]) == (
        f"User: {CALLER} is not authorized to perform: {PUT} with an explicit deny in a VPC "
        "endpoint policy")
    own_deny = {k: v for k, v in DENY.items() if k != "Principal"}
    assert asked([OWN, own_deny], None).endswith("with an explicit deny in an identity-based policy")


def test_the_resource_is_named() -> None:
    assert f"perform: autoscaling:Complete on resource: {RESOURCE} because no VPC endpoint" in asked(
        [OWN], [ENDPOINT], "autoscaling:Complete", RESOURCE)
