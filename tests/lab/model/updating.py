"""Updates of a running lab by a changed template: the edits, and which changes are possible. Pure;
World.update applies them. Other changes are refused: a lab that ignored them would not match its
template."""
from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from lab.template.tree import Tree
from .model import Model

Edit = list[Any]
# The parts that can be updated completely.
WHOLLY = ("acls", "groups", "route_tables", "prefix_lists", "policy", "launch", "roles", "outputs")
# The parts of which only some settings can be updated; the other settings are listed here.
TARGET_GROUP = ("name", "id", "full_name", "protocol", "algorithm")
GROUP = ("name", "id", "target_groups", "tags")
SUBNET = ("id", "cidr", "zone", "public", "maps_public_ip")
ENDPOINT = ("id", "service", "kind", "groups", "policy")


class Refused(RuntimeError):
    """`stack.yaml:LINE: Resource: what`."""


def apply(tree: Tree, edits: list[Edit]) -> None:
    """Edits by their first word: ["remove", resource], ["add", resource, type, properties],
    ["change", resource, path, old value, new value], ["drop", resource, path, old value]. The old
    value is checked because a path may have positions: after a change of the template they could
    mean another item."""
    for verb, *arguments in edits:
        if verb == "remove":
            tree.remove(*arguments)
        elif verb == "add":
            tree.add(*arguments)
        elif verb in ("change", "drop"):
            name, path, old, *new = arguments
            found = tree.get(name, path)
            if found != old:
                raise LookupError(f"{tree.file}: {name}: {path} is {found!r} and not {old!r}: "
                                  "the edit is of another template")
            if verb == "change":
                tree.set(name, path, new[0])
            else:
                tree.unset(name, path)
        else:
            raise LookupError(f"no such edit: {verb}")


def open_groups(tree: Tree) -> list[Edit]:
    """Edits that make every security group allow everything: only the ACLs remain."""
    return [["add", f"{name}Open{way}", f"AWS::EC2::SecurityGroup{way}", {
        "GroupId": {"Ref": name}, "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]
        for name in _of(tree, "AWS::EC2::SecurityGroup") for way in ("Ingress", "Egress")]


def open_acls(tree: Tree) -> list[Edit]:
    """A first row in each network ACL that allows everything: only the groups remain."""
    return [["add", f"{name}Open{'Out' if egress else 'In'}", "AWS::EC2::NetworkAclEntry", {
        "NetworkAclId": {"Ref": name}, "RuleNumber": 1, "Protocol": -1, "RuleAction": "allow",
        "CidrBlock": "0.0.0.0/0", "Egress": egress}]
        for name in _of(tree, "AWS::EC2::NetworkAcl") for egress in (False, True)]


def _of(tree: Tree, kind: str) -> list[str]:
    return [name for name, body in tree.section("Resources").items() if body.get("Type") == kind]


def _settings(file: str, old: Any, new: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(old, name) != getattr(new, name):
            raise Refused(f"{file}:{new.line}: {new.name}: its {name} cannot be changed on a lab "
                          "that is up; take it down, and up again")


def _kept(file: str, old: list[Any], new: list[Any], names: tuple[str, ...]) -> None:
    """Settings that must not change in resources that are in both models."""
    before = {thing.name: thing for thing in old}
    for thing in new:
        if thing.name in before:
            _settings(file, before[thing.name], thing, names)


def check(file: str, old: Model, new: Model) -> None:
    """Raises Refused for the first change that a running lab cannot make."""
    if list(old.subnets) != list(new.subnets):
        raise Refused(f"{file}: other subnets need a new lab")
    _kept(file, [*old.subnets.values()], [*new.subnets.values()], SUBNET)
    _kept(file, old.endpoints, new.endpoints, ENDPOINT)
    _settings(file, old.target_group, new.target_group, TARGET_GROUP)
    _settings(file, old.group, new.group, GROUP)
    for nat in old.nats:
        if nat not in new.nats:
            raise Refused(f"{file}:{nat.line}: {nat.name}: a NAT gateway cannot be changed or "
                          "taken away on a lab that is up; take it down, and up again")
    same = replace(new, subnets=old.subnets, endpoints=old.endpoints, nats=old.nats,
                   target_group=old.target_group, group=old.group,
                   **{name: getattr(old, name) for name in WHOLLY})
    for field in fields(Model):
        if getattr(same, field.name) != getattr(old, field.name):
            thing = getattr(new, field.name)
            line = getattr(thing, "line", None)
            raise Refused(f"{file}{f':{line}' if line else ''}: {field.name}: cannot be changed on "
                          "a lab that is up; take it down, and up again")
