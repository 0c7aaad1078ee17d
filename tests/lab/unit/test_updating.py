"""Accepted and refused updates of a running lab."""
from __future__ import annotations

import re
from typing import Any

import pytest

from lab.command.mutations import MUTATIONS
from lab.model import model
from lab.model import updating
from lab.template.tree import Tree
from lab.unit import stack_tree


@pytest.fixture(scope="module")
def before() -> model.Model:
    return stack_tree.build(stack_tree.tree())


def edited(*edits: list[Any]) -> model.Model:
    tree = stack_tree.tree()
    updating.apply(tree, list(edits))
    return stack_tree.build(tree)


@pytest.mark.parametrize("edits", [
    [],
    [["remove", "WebAclAIn100"]],
    [["remove", "MonitoringEndpoint"]],
    [["change", "TargetGroup", "HealthCheckPort", {"Ref": "HealthCheckPort"}, "8098"]],
    [["change", "TargetGroup", "TargetGroupAttributes.1.Value", "true", "false"]],
    [["add", "Extra", "AWS::EC2::NetworkAclEntry", {
        "NetworkAclId": {"Ref": "WebAclA"}, "RuleNumber": 1, "Protocol": 6, "RuleAction": "allow",
        "CidrBlock": "10.16.1.0/24", "PortRange": {"From": 25, "To": 25}}]],
])
def test_what_can_be_changed_in_place(before: model.Model, edits: list[Any]) -> None:
    updating.check("stack.yaml", before, edited(*edits))


@pytest.mark.parametrize("edit, said", [
    (["change", "HttpListener", "Port", 80, 81], "alb"),
    (["change", "Database", "VPCSecurityGroups.0", {"Ref": "DatabaseGroup"}, {"Ref": "WebGroup"}],
     "database"),
    (["change", "MountTargetA", "SecurityGroups.0", {"Ref": "MountTargetGroup"},
      {"Ref": "WebGroup"}], "mount_targets"),
    (["change", "MonitoringEndpoint", "SecurityGroupIds.0", {"Ref": "EndpointGroup"},
      {"Ref": "WebGroup"}], "MonitoringEndpoint: its groups"),
])
def test_what_cannot_is_refused_in_one_line(before: model.Model, edit: list[Any], said: str) -> None:
    with pytest.raises(updating.Refused) as met:
        updating.check("stack.yaml", before, edited(edit))
    assert re.match(r"stack\.yaml(:\d+)?: .*cannot be changed on a lab that is up", str(met.value))
    assert said in str(met.value) and "\n" not in str(met.value)


def test_an_edit_says_what_it_expects() -> None:
    """A path with positions must not change an item that has moved."""
    for edit in (["change", "TargetGroup", "TargetGroupAttributes.0.Value", "true", "false"],
                 ["drop", "WebGroup", "SecurityGroupEgress.0", {"IpProtocol": "icmp"}],
                 ["change", "TargetGroup", "Nothing", "true", "false"],
                 ["burn", "TargetGroup"]):
        tree: Tree = stack_tree.tree()
        with pytest.raises(LookupError):
            updating.apply(tree, [edit])
        assert tree.root == stack_tree.tree().root


@pytest.mark.parametrize("zone", ["A", "C"])
def test_every_mutation_is_one_of_this_template(before: model.Model, zone: str) -> None:
    """No mutation is refused, and each changes the template."""
    for mutation in MUTATIONS:
        tree = stack_tree.tree()
        updating.apply(tree, mutation.in_zones(zone, "A" if zone == "C" else "C"))
        after = stack_tree.build(tree)
        updating.check("stack.yaml", before, after)
        assert after != before, mutation.name
