"""IAM statements (lab/model/policy.py)."""
from __future__ import annotations

from typing import Any

import pytest

from lab.model.policy import CONTEXT, allows, check, principal_arn

SECRET = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:rds!db-1-AbCdEf"
METRICS: dict[str, Any] = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
           "Condition": {"StringEquals": {"cloudwatch:namespace": "WebNodeAgent"}}}
READ: dict[str, Any] = {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [SECRET]}
HOOKS: dict[str, Any] = {"Effect": "Allow", "Action": "autoscaling:Complete*",
         "Resource": "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/web"}
ROLE: list[dict[str, Any]] = [METRICS, READ, HOOKS]
SPACE = {"cloudwatch:namespace": "WebNodeAgent"}


def test_nothing_is_allowed_by_default() -> None:
    assert not allows([], "cloudwatch:PutMetricData")
    assert not allows(ROLE, "ec2:DescribeInstances")


def test_a_condition_must_hold_and_its_key_be_there() -> None:
    assert allows(ROLE, "cloudwatch:PutMetricData", "*", SPACE)
    assert not allows(ROLE, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "Other"})
    assert not allows(ROLE, "cloudwatch:PutMetricData")


def test_a_resource_is_that_one_only() -> None:
    assert allows(ROLE, "secretsmanager:GetSecretValue", SECRET)
    assert not allows(ROLE, "secretsmanager:GetSecretValue", SECRET[:-1] + "x")
    assert not allows(ROLE, "secretsmanager:GetSecretValue", "*")
    assert not allows(ROLE, "secretsmanager:PutSecretValue", SECRET)


def test_wildcards_and_case() -> None:
    arn = "arn:aws:autoscaling:r:1:autoScalingGroup:u-u-i-d:autoScalingGroupName/"
    assert allows(ROLE, "AutoScaling:completeLifecycleAction", arn + "web")
    assert not allows(ROLE, "autoscaling:CompleteLifecycleAction", arn + "webx")
    assert not allows(ROLE, "autoscaling:SetDesiredCapacity", arn + "web")
    assert allows([{"Effect": "Allow", "Action": "s3:Get?bject", "Resource": "*"}], "s3:GetObject")
    assert not allows([{"Effect": "Allow", "Action": "s3.GetObject", "Resource": "*"}],
                      "s3:GetObject")


def test_an_explicit_deny_wins() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for statements in ([*ROLE, deny], [deny, *ROLE]):
        assert allows(statements, "cloudwatch:PutMetricData", "*",
                      {**SPACE, "aws:securetransport": "true"})
        assert not allows(statements, "cloudwatch:PutMetricData", "*",
                          {**SPACE, "aws:securetransport": "false"})


@pytest.mark.parametrize("condition, context, holds", [
    ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
    ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
    ({"StringNotEquals": {"k": "a"}}, {}, True),
    ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
    ({"StringLike": {"K": ["x", "a*c"]}}, {"k": "abc"}, True),
    ({"ArnLike": {"k": "arn:*:x"}}, {"k": "arn:aws:y"}, False),
    ({"Null": {"k": "true"}}, {}, True), ({"Null": {"k": "true"}}, {"k": "a"}, False),
    ({"Null": {"k": "false"}}, {"k": "a"}, True),
    ({"NumericLessThan": {"k": "10"}}, {"k": "9"}, True),
    ({"NumericLessThan": {"k": "10"}}, {"k": "10"}, False),
    ({"IpAddress": {"k": "10.16.0.0/16"}}, {"k": "10.16.3.4"}, True),
    ({"NotIpAddress": {"k": ["10.16.0.0/16"]}}, {"k": "10.16.3.4"}, False),
    ({"StringEquals": {"k": "a"}, "Bool": {"m": "true"}}, {"k": "a", "m": "false"}, False)])
def test_operators(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}
    check([statement])
    assert allows([statement], "s3:GetObject", "*", context) is holds


def test_not_action_and_not_resource() -> None:
    statement = {"Effect": "Allow", "NotAction": ["iam:*"], "NotResource": "arn:secret"}
    assert allows([statement], "s3:GetObject", "arn:other")
    assert not allows([statement], "iam:CreateUser", "arn:other")
    assert not allows([statement], "s3:GetObject", "arn:secret")


@pytest.mark.parametrize("statement, said", [
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*"}, "Principal"),
    ({"Effect": "Perhaps", "Action": "a:b", "Resource": "*"}, "Effect"),
    ({"Effect": "Allow", "Resource": "*"}, "Action"),
    ({"Effect": "Allow", "Action": "*"}, "Resource"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"DateLessThan": {}}},
     "DateLessThan"),
    ({"Effect": "Allow", "Action": "a:b", "NotAction": "a:c", "Resource": "*"}, "exclude"),
    ({"Effect": "Allow", "Action": [], "Resource": "*"}, "neither a text nor a list"),
    ({"Effect": "Allow", "Action": {"a": "b"}, "Resource": "*"}, "neither a text nor a list"),
    ({"Effect": "Allow", "Action": "PutMetricData", "Resource": "*"}, "SERVICE:NAME"),
    ({"Effect": "Allow", "Action": "*:PutMetricData", "Resource": "*"}, "SERVICE:NAME"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3"}, "arn:PARTITION"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": "x"}, "not a mapping"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"Bool": "x"}},
     "Bool is not a mapping"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"NullIfExists": {}}},
     "NullIfExists"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*",
      "Condition": {"NumericEquals": {"k": "many"}}}, "cannot be compared"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*",
      "Condition": {"NotIpAddress": {"k": ["10.0.0.0/8", "here"]}}}, "cannot be compared"),
    ({"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"Null": {"k": "x"}}},
     "neither true nor false"),
    ("everything", "not a mapping"),
    ({"Sid": "Me", "Effect": "Allow", "Action": "a:b", "Resource": "*",
      "Condition": {"StringEquals": {"k": "${aws:username}"}}}, "Me.*variables")])
def test_what_is_not_known_is_refused(statement: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check([statement])
    check(ROLE)


SESSION = "arn:aws:sts::123456789012:assumed-role/web/i-1"


@pytest.mark.parametrize("principal, meant", [
    ("*", True), ({"AWS": "*"}, True), ({"AWS": "123456789012"}, True),
    ({"AWS": "arn:aws:iam::123456789012:root"}, True),
    ({"AWS": ["123456789013", "arn:aws:iam::123456789012:role/web"]}, True),
    ({"AWS": "123456789013"}, False), ({"AWS": "arn:aws:iam::123456789012:role/webx"}, False),
    ({"AWS": "arn:aws:iam::123456789013:root"}, False)])
def test_whom_an_endpoints_policy_means(principal: Any, meant: bool) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "a:b", "Resource": "*"}
    check([statement], principal=True)
    for caller in (SESSION, principal_arn(SESSION)):
        assert allows([statement], "a:b", "*", {"aws:principalarn": caller}) is meant


@pytest.mark.parametrize("principal", [None, "me", {"Service": "ec2.amazonaws.com"}, {"AWS": []},
                                       {"AWS": "*", "Service": "*"}, {"AWS": "web"}])
def test_principals_that_are_none(principal: Any) -> None:
    with pytest.raises(ValueError, match="Principal|AWS"):
        check([{"Effect": "Allow", "Principal": principal, "Action": "a:b", "Resource": "*"}],
              principal=True)


def test_true_and_false_are_texts_to_iam() -> None:
    """YAML's true is the same as JSON's, which IAM compares as "true"."""
    statement = {"Effect": "Allow", "Action": "a:b", "Resource": "*",
                 "Condition": {"Bool": {"aws:SecureTransport": True}}}
    check([statement], keys=CONTEXT)
    assert allows([statement], "a:b", "*", {"aws:securetransport": "true"})
    with pytest.raises(ValueError, match="condition key aws:SourceVpc is not known"):
        check([{**statement, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}],
              keys=CONTEXT)
