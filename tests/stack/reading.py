"""The stack template as plain Python, read by a few lines of its own: what checks the
template should not lean on the lab's interpreter, which is built from it.

Functions stay functions ({"Ref": "Vpc"}); `plain` puts a parameter's value in place of a Ref
to it, a resource's logical name in place of the others, and the chosen value in place of Fn::If.
A Template has only the resources and outputs whose conditions its parameters meet.
"""
from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / "userdata" / "stack.yaml"
USER_DATA = ROOT / "userdata" / "user-data.yaml"
# Values of parameters without a default.
GIVEN = {"AdminCidr": "203.0.113.0/24", "CaBundleSha256": "0" * 64,
         "RepositoryKey": base64.b64encode(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n").decode()}
LEFT_OUT = {"Ref": "AWS::NoValue"}


class Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML would take the last one."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"line {node.start_mark.line + 1}: twice: {twice}"
        return super().construct_mapping(node, deep)


def function(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """!Ref and the other short forms as the long ones."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


def named(resource: Any) -> set[str]:
    """What a resource, or a part of one, refers to, by DependsOn or a function."""
    if isinstance(resource, list):
        return set().union(*map(named, resource)) if resource else set()
    if not isinstance(resource, dict):
        return set()
    found: set[str] = set()
    for key, value in resource.items():
        if key == "Ref":
            found.add(value)
        elif key == "Fn::GetAtt":
            found.add(value[0])
        elif key == "Fn::Sub":
            text, more = value if isinstance(value, list) else (value, {})
            found |= set(re.findall(r"\$\{([A-Za-z0-9]+)", text)) | named(more)
        elif key == "DependsOn":
            found |= {value} if isinstance(value, str) else set(value)
        else:
            found |= named(value)
    return found


def longest(text: str) -> str:
    """User-data with the longest values: a parameter's limit for the key (CloudFormation User Guide,
    "CloudFormation quotas"), a signed URL, else an ARN."""
    size = {"RepositoryKey": 4096, "ReadyUrl": 2048}
    return re.sub(r"\$\{([^!}][^}]*)\}", lambda m: "x" * size.get(m[1], 130), text)


class Row(NamedTuple):
    """One entry of a network ACL. For ICMP `first` is the type and `last` the code."""
    acl: str
    way: str        # "In" or "Out"
    protocol: int
    first: int
    last: int
    cidr: str       # where it comes from (In) or goes to (Out)


class Template:
    """`given`: parameters that differ from their defaults."""

    def __init__(self, **given: str) -> None:
        self.text = STACK.read_text(encoding="utf-8")
        self.root: dict[str, Any] = yaml.load(self.text, Loader)
        self.parameters: dict[str, Any] = self.root["Parameters"]
        defaults = {n: p["Default"] for n, p in self.parameters.items() if "Default" in p}
        self.values: dict[str, Any] = {**defaults, **GIVEN, **given}
        assert set(self.values) <= set(self.parameters)
        self.resources = self._present("Resources")
        self.outputs = self._present("Outputs")

    def _present(self, section: str) -> dict[str, Any]:
        return {n: body for n, body in self.root[section].items()
                if "Condition" not in body or self.true({"Condition": body["Condition"]})}

    def true(self, condition: dict[str, Any]) -> bool:
        (name, said), = condition.items()
        if name == "Condition":
            return self.true(self.root["Conditions"][said])
        if name == "Fn::Equals":
            left, right = (str(self.plain(value)) for value in said)
            return left == right
        truths = [self.true(one) for one in said]
        return {"Fn::Not": not truths[0], "Fn::And": all(truths), "Fn::Or": any(truths)}[name]

    def of(self, kind: str) -> dict[str, Any]:
        """The resources of a type, by name."""
        return {n: r for n, r in self.resources.items() if r["Type"] == f"AWS::{kind}"}

    def properties(self, name: str) -> Any:
        return self.plain(self.resources[name].get("Properties", {}))

    def plain(self, value: Any) -> Any:
        if isinstance(value, list):
            found = [self.plain(item) for item in value]
            return [item for item in found if item != LEFT_OUT]
        if not isinstance(value, dict) or value == LEFT_OUT:
            return value
        if set(value) == {"Fn::If"}:
            condition, then, other = value["Fn::If"]
            return self.plain(then if self.true({"Condition": condition}) else other)
        if set(value) == {"Ref"}:
            return self.values.get(value["Ref"], value["Ref"])
        if set(value) == {"Fn::GetAtt"}:
            return ".".join(value["Fn::GetAtt"])
        inner = {key: self.plain(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item != LEFT_OUT}

    def waits_for(self, name: str) -> set[str]:
        """All resources that are made before this one."""
        found: set[str] = set()
        todo = [name]
        while todo:
            for other in named(self.resources[todo.pop()]) & set(self.resources) - found:
                found.add(other)
                todo.append(other)
        return found

    def rows(self) -> dict[str, Row]:
        """Each ACL entry by its logical name."""
        found = {}
        for name in self.of("EC2::NetworkAclEntry"):
            p = self.properties(name)
            ports = p.get("PortRange") or {"From": -1, "To": -1}
            first, last = ports["From"], ports["To"]
            if p["Protocol"] == 1:
                first, last = p["Icmp"]["Type"], p["Icmp"]["Code"]
            way = "Out" if p.get("Egress") else "In"
            found[name] = Row(p["NetworkAclId"], way, p["Protocol"], first, last, p["CidrBlock"])
        return found

    def acl_of(self, subnet: str) -> str:
        """The ACL that a subnet is associated with."""
        found = [p["NetworkAclId"] for p in map(self.properties, self.of(
            "EC2::SubnetNetworkAclAssociation")) if p["SubnetId"] == subnet]
        assert len(found) == 1, f"{subnet} has {len(found)} associations with an ACL"
        return str(found[0])
