"""Roles and policies in the model, and refused ones."""
from __future__ import annotations

from typing import Any

import pytest

from lab.model import policy
from lab.model import model
from lab.template import interpreter as template
from lab.template.interpreter import TemplateError, Tree
from lab.unit import stack_tree

VERSION = "2012-10-17"
S3 = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
INLINE = "Policies.0.PolicyDocument.Statement.0"


def told(tree: Tree) -> TemplateError:
    with pytest.raises(TemplateError) as error:
        stack_tree.build(tree)
    assert error.value.line > 1
    return error.value


def attached(**properties: Any) -> Tree:
    tree = stack_tree.tree()
    tree.add("More", "AWS::IAM::Policy", {
        "PolicyName": "more", "Roles": [{"Ref": "WebRole"}],
        "PolicyDocument": {"Version": VERSION, "Statement": [S3]}, **properties})
    return tree


def test_a_policy_beside_the_role_is_one_of_its_own() -> None:
    before = stack_tree.build(stack_tree.tree()).roles["WebRole"].statements
    after = stack_tree.build(attached()).roles["WebRole"].statements
    assert after == [*before, {**S3, "Action": ["s3:GetObject"], "Resource": ["*"]}]
    assert policy.allows(after, "s3:GetObject") and not policy.allows(before, "s3:GetObject")


def test_the_secret_is_read_by_a_policy_beside_the_role() -> None:
    """As in the template: role and database do not wait for each other."""
    tree = stack_tree.tree()
    built = stack_tree.build(tree)
    read = ("secretsmanager:GetSecretValue", built.database.secret_arn)
    assert policy.allows(built.roles["WebRole"].statements, *read)
    tree.remove("WebRoleSecret")
    assert not policy.allows(stack_tree.build(tree).roles["WebRole"].statements, *read)


@pytest.mark.parametrize("properties, said", [
    ({"Roles": []}, "Roles is empty"),
    ({"Roles": ["nobody"]}, '"nobody" is no AWS::IAM::Role of this template'),
    ({"Roles": [{"Ref": "WebProfile"}]}, "is no AWS::IAM::Role of this template"),
    ({"PolicyName": "web-node-agent"}, "WebRole has a policy web-node-agent already"),
    ({"PolicyName": "database-secret"}, "WebRole has a policy database-secret already"),
    ({"Users": ["me"]}, "property Users is not known to the lab"),
    ({"PolicyDocument": {"Version": VERSION}}, "Statement is missing"),
    ({"PolicyDocument": {"Version": VERSION, "Statement": []}}, "is not a list of mappings"),
    ({"PolicyDocument": {"Version": VERSION, "Statement": ["x"]}}, "is not a list of mappings"),
    ({"PolicyDocument": "all"}, "PolicyDocument is not a mapping"),
    ({"PolicyDocument": {"Statement": [S3]}}, "Version is missing"),
])
def test_policies_that_are_none(properties: dict[str, Any], said: str) -> None:
    error = told(attached(**properties))
    assert said in error.what and error.resource == "More"


@pytest.mark.parametrize("path, value, said", [
    (f"{INLINE}.Condition", {"DateLessThan": {"aws:CurrentTime": "x"}},
     "PushOneNamespace: unknown condition operator DateLessThan"),
    (f"{INLINE}.Condition", {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
     "condition key aws:SourceVpce is not known"),
    (f"{INLINE}.Action", "PutMetricData", '"PutMetricData" is not of the form SERVICE:NAME'),
    (f"{INLINE}.Action", "cloud*:PutMetricData", "is not of the form SERVICE:NAME"),
    (f"{INLINE}.Resource", "web", '"web" is not of the form arn:PARTITION'),
    (f"{INLINE}.NotAction", "s3:*", "Action and NotAction exclude each other"),
    (f"{INLINE}.Principal", "*", "unknown element Principal"),
    ("ManagedPolicyArns", ["arn:aws:iam::aws:policy/X"], "managed policies are not"),
    ("AssumeRolePolicyDocument.Version", "2008-10-17", "it knows 2012-10-17"),
    ("AssumeRolePolicyDocument.Statement.0.Principal.Service", "lambda.amazonaws.com",
     '"lambda.amazonaws.com" is not known to the lab'),
    ("AssumeRolePolicyDocument.Statement.0.Principal", {"AWS": "*"}, "Service is missing"),
    ("AssumeRolePolicyDocument.Statement.0.Effect", "Deny", '"Deny" is not known'),
    ("AssumeRolePolicyDocument.Statement.0.Condition", {}, "property Condition is not known"),
    ("AssumeRolePolicyDocument.Statement", [], "is not a list of mappings"),
])
def test_roles_that_the_lab_would_not_play(path: str, value: Any, said: str) -> None:
    tree = stack_tree.tree()
    tree.set("WebRole", path, value)
    error = told(tree)
    assert said in error.what and error.resource == "WebRole"


def test_the_line_is_the_statements_own() -> None:
    text = stack_tree.PATH.read_text().splitlines()
    line = next(i for i, t in enumerate(text, 1) if "- Sid: PushOneNamespace" in t)
    tree = stack_tree.tree()
    tree.set("WebRole", f"{INLINE}.Action", "everything")
    assert told(tree).line == line


@pytest.mark.parametrize("roles", [[], [{"Ref": "WebRole"}, {"Ref": "Second"}]])
def test_an_instance_profile_has_one_role(roles: list[Any]) -> None:
    tree = stack_tree.tree()
    document = tree.get("WebRole", "AssumeRolePolicyDocument")
    tree.add("Second", "AWS::IAM::Role", {"AssumeRolePolicyDocument": document})
    stack_tree.build(tree)
    tree.set("WebProfile", "Roles", roles)
    error = told(tree)
    assert error.resource == "WebProfile"
    assert error.what in ("Roles is empty", "an instance profile has one role, not 2")


ENDPOINT = "PolicyDocument.Statement.0"


@pytest.mark.parametrize("name, path, value, said", [
    ("MonitoringEndpoint", f"{ENDPOINT}.Principal", "everybody", "Principal is neither * nor AWS"),
    ("MonitoringEndpoint", f"{ENDPOINT}.Principal", {"AWS": "me"}, 'Principal "me" is no account'),
    ("MonitoringEndpoint", f"{ENDPOINT}.Condition", {"StringEquals": {"aws:PrincipalOrgID": "o"}},
     "condition key aws:PrincipalOrgID is not known"),
    ("S3Endpoint", f"{ENDPOINT}.Effect", "Maybe", "Effect must be Allow or Deny"),
    ("FileSystem", "FileSystemPolicy.Statement.0.Condition", {"Sometimes": {}},
     "WebServers: unknown condition operator Sometimes"),
])
def test_resource_policies_are_understood_too(name: str, path: str, value: Any, said: str) -> None:
    tree = stack_tree.tree()
    tree.set(name, path, value)
    error = told(tree)
    assert said in error.what and error.resource == name


def test_an_endpoints_policy_is_in_the_model() -> None:
    tree = stack_tree.tree()
    stack = template.interpret(tree, stack_tree.GIVEN)
    through = {e.service: e for e in model.build(stack).endpoints}["monitoring"].policy
    caller = {"aws:principalarn": stack.attribute("WebRole", "Arn"),
              "aws:principalaccount": stack.account, "cloudwatch:namespace": "WebNodeAgent"}
    assert through and policy.allows(through, "cloudwatch:PutMetricData", "*", caller)
    assert not policy.allows(through, "cloudwatch:PutMetricData", "*", {
        **caller, "cloudwatch:namespace": "Other"})
    assert not policy.allows(through, "cloudwatch:PutMetricData", "*", {
        "aws:principalarn": "arn:aws:iam::999999999999:role/x",
        "aws:principalaccount": "999999999999", "cloudwatch:namespace": "WebNodeAgent"})
    assert not policy.allows(through, "cloudwatch:GetMetricData", "*", caller)
    tree.unset("MonitoringEndpoint", "PolicyDocument")
    assert {e.service: e for e in stack_tree.build(tree).endpoints}["monitoring"].policy is None


def test_hooks_and_their_endpoint_come_together() -> None:
    built, hooked = (stack_tree.build(stack_tree.tree(), LifecycleHooks=value)
                     for value in ("false", "true"))
    assert {(h.name, h.launching, h.default) for h in hooked.group.hooks} == {
        ("web-node-launch", True, "ABANDON"), ("web-node-terminate", False, "CONTINUE")}
    assert not built.group.hooks
    for found, there in ((built, False), (hooked, True)):
        rights = {a for s in found.roles[found.launch.role].statements for a in s["Action"]}
        assert ("autoscaling:CompleteLifecycleAction" in rights) == there
        assert ("autoscaling" in {e.service for e in found.endpoints}) == there
