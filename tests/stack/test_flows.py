"""The rules of userdata/stack.yaml: network ACLs and security groups against the document's and
against each other."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from flows import ANYWHERE, LINUX, UNKNOWN, needed, nothing, rules
from reading import ROOT, Row, Template

# VPC User Guide, "Amazon VPC quotas": 20 in each direction, the default deny included.
ACL_QUOTA = 20
ALL_TCP, OLD_CLIENTS = (0, 65535), (49152, 65535)
S3 = "S3Cidr"

# The parameters with the document's rules; all sets of rules; those with the most rows.
DOCUMENT_S = {"AdminCidr": ANYWHERE, "S3ThroughNat": "true"}
SETTINGS: list[dict[str, str]] = [
    {}, {"S3ThroughNat": "true"}, {"NatGateways": "1"}, {"EndpointZones": "1"},
    {"CertificateArn": "arn:aws:acm:ap-northeast-2:123456789012:certificate/0a-1b"},
    {"S3ThroughNat": "true", "NatGateways": "1",
     "CertificateArn": "arn:aws:acm:ap-northeast-2:123456789012:certificate/0a-1b"}]
MOST = SETTINGS[-1]

# The document's rows, (kind of subnet, way, number, ports, other side); "own" is the web
# subnet of the same zone. The second list has those that stand there differently, and as what.
DOCUMENT = [
    ("Public", "In", 100, (22, 22), ANYWHERE),
    ("Public", "In", 200, LINUX, "WebACidr"), ("Public", "In", 300, LINUX, "WebCCidr"),
    ("Public", "Out", 100, OLD_CLIENTS, ANYWHERE),
    ("Public", "Out", 200, (22, 22), "WebACidr"), ("Public", "Out", 300, (22, 22), "WebCCidr"),
    ("Web", "In", 100, (22, 22), "PublicACidr"), ("Web", "In", 200, (22, 22), "PublicCCidr"),
    ("Web", "Out", 100, LINUX, "PublicACidr"), ("Web", "Out", 200, LINUX, "PublicCCidr"),
    ("Public", "In", 1100, (80, 80), ANYWHERE),
    ("Public", "In", 1200, ALL_TCP, "WebACidr"), ("Public", "In", 1300, ALL_TCP, "WebCCidr"),
    ("Public", "In", 2100, LINUX, S3), ("Public", "In", 2200, (443, 443), "own"),
    ("Public", "Out", 2100, (443, 443), S3), ("Public", "Out", 2200, LINUX, "own"),
    ("Web", "In", 2100, LINUX, S3), ("Web", "Out", 2100, (443, 443), S3),
    ("Web", "Out", 3100, (3306, 3306), "DatabaseACidr"),
    ("Web", "Out", 3200, (3306, 3306), "DatabaseCCidr"),
    ("Database", "In", 3100, (3306, 3306), "WebACidr"),
    ("Database", "In", 3200, (3306, 3306), "WebCCidr"),
    ("Database", "Out", 3100, LINUX, "WebACidr"), ("Database", "Out", 3200, LINUX, "WebCCidr"),
    # Lost with the figures; as the description restates them.
    ("Public", "Out", 1200, (80, 80), "WebACidr"), ("Public", "Out", 1300, (80, 80), "WebCCidr"),
    ("Web", "In", 1100, (80, 80), "PublicACidr"), ("Web", "In", 1200, (80, 80), "PublicCCidr"),
    ("Web", "Out", 1100, UNKNOWN, "PublicACidr"), ("Web", "Out", 1200, UNKNOWN, "PublicCCidr"),
    ("Web", "In", 3100, LINUX, "DatabaseACidr"), ("Web", "In", 3200, LINUX, "DatabaseCCidr"),
]
REPLACED = {
    ("Public", "Out", 100): UNKNOWN,   # clients that are not Windows
    ("Public", "In", 1200): UNKNOWN,   # answers to ALB nodes, and no more
    ("Public", "In", 1300): UNKNOWN,
    ("Public", "In", 2100): UNKNOWN,   # answers to NAT gateways
}
DOCUMENT_GROUPS = [
    ("BastionGroup", "In", 22, ANYWHERE), ("BastionGroup", "Out", 22, "WebGroup"),
    ("WebGroup", "In", 22, "BastionGroup"),
    ("AlbGroup", "In", 80, ANYWHERE), ("AlbGroup", "Out", 80, "WebGroup"),
    ("WebGroup", "In", 80, "AlbGroup"), ("WebGroup", "Out", 443, "52.219.0.0/16"),
    ("WebGroup", "Out", 2049, "MountTargetGroup"), ("MountTargetGroup", "In", 2049, "WebGroup"),
    ("WebGroup", "Out", 3306, "DatabaseGroup"), ("DatabaseGroup", "In", 3306, "WebGroup"),
]
# Ours: the health check, the endpoints, ping, path MTU.
ADDED_GROUPS = [
    ("AlbGroup", "Out", 8099, "WebGroup"), ("WebGroup", "In", 8099, "AlbGroup"),
    ("WebGroup", "Out", 443, "EndpointGroup"), ("EndpointGroup", "In", 443, "WebGroup"),
    ("WebGroup", "Out", 443, "pl-78a54011"), ("WebGroup", "Out", 8, ANYWHERE),
    *((group, "In", 3, ANYWHERE) for group in ("AlbGroup", "BastionGroup", "WebGroup")),
]
# Only with S3ThroughNat.
BY_NAT = [("WebGroup", "Out", 443, "52.219.0.0/16"), ("WebGroup", "In", 3, ANYWHERE)]


@pytest.fixture(scope="module")
def document() -> Template:
    return Template(**DOCUMENT_S)


def settings(said: dict[str, str]) -> str:
    return " ".join("=".join(pair) for pair in said.items()) or "defaults"


def test_acl_rows_say_in_their_names_what_they_are() -> None:
    for stack in (Template(**said) for said in SETTINGS):
        for name, row in stack.rows().items():
            number = stack.properties(name)["RuleNumber"]
            assert name == f"{row.acl}{row.way}{number}"
            assert stack.properties(name)["RuleAction"] == "allow"
        assert len(set(stack.rows().values())) == len(stack.rows())


def test_acls_keep_to_the_quota(stack: Template) -> None:
    counts, most = (Counter((row.acl, row.way) for row in of.rows().values())
                    for of in (stack, Template(**MOST)))
    assert len(counts) == 12
    assert all(count + 1 <= ACL_QUOTA for count in most.values()), most
    readme = (ROOT / "userdata" / "README.md").read_text(encoding="utf-8")
    for kind in ("Public", "Web", "Database"):
        numbers = counts[f"{kind}AclA", "In"], counts[f"{kind}AclA", "Out"]
        assert numbers == (counts[f"{kind}AclC", "In"], counts[f"{kind}AclC", "Out"])
        cells = *numbers, most[f"{kind}AclA", "In"], most[f"{kind}AclA", "Out"]
        assert f"| `{kind}AclA`, `{kind}AclC` | {' | '.join(map(str, cells))} |" in readme


def test_each_subnet_has_an_acl_of_its_own(stack: Template) -> None:
    acls = {subnet: stack.acl_of(subnet) for subnet in stack.of("EC2::Subnet")}
    assert acls == {f"{kind}{zone}": f"{kind}Acl{zone}"
                    for kind in ("Public", "Web", "Database") for zone in "AC"}


@pytest.mark.parametrize("zone", ["A", "C"])
def test_rows_of_the_document_are_there(document: Template, zone: str) -> None:
    rows = document.rows()
    for kind, way, number, ports, side in DOCUMENT:
        cidr = document.plain({"Ref": f"Web{zone}Cidr" if side == "own" else side})
        expected = REPLACED.get((kind, way, number), ports)
        assert (kind, way, number) not in REPLACED or expected != ports
        acl = f"{kind}Acl{zone}"
        assert rows[f"{acl}{way}{number}"] == Row(acl, way, 6, *expected, cidr)


@pytest.mark.parametrize("said", SETTINGS, ids=settings)
def test_rows_are_those_that_the_security_groups_need(said: dict[str, str]) -> None:
    stack = Template(**said)
    rows, flows = set(stack.rows().values()), needed(stack)
    assert {row: flows[row] for row in flows if row not in rows} == {}, "missing"
    assert rows - set(flows) == set(), "for nobody"


def test_security_groups_have_the_document_s_rules_and_ours(document: Template) -> None:
    there = [rule for rule in rules(document) if not nothing(rule)]
    every = Counter(DOCUMENT_GROUPS + ADDED_GROUPS)
    assert Counter((r.group, r.way, r.first, r.peer) for r in there) == every
    for rule in there:
        code = {("icmp", 8): -1, ("icmp", 3): 4}.get((rule.protocol, rule.first))
        assert rule.last == (rule.first if code is None else code)
        assert rule.protocol == "tcp" or code is not None
    strict = rules(Template(AdminCidr=ANYWHERE))
    assert Counter((r.group, r.way, r.first, r.peer) for r in strict if not nothing(r)) \
        == every - Counter(BY_NAT)


def test_each_rule_of_a_group_has_a_description(document: Template) -> None:
    """EC2 API Reference, IpRange: up to 255 characters of this set."""
    def described(rule: dict[str, Any]) -> bool:
        return bool(re.fullmatch(r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}",
                                 rule.get("Description", "")))
    for kind in ("EC2::SecurityGroupIngress", "EC2::SecurityGroupEgress"):
        assert all(described(document.properties(name)) for name in document.of(kind))
    for name in document.of("EC2::SecurityGroup"):
        inline = document.properties(name)
        assert all(described(rule) for key in ("SecurityGroupIngress", "SecurityGroupEgress")
                   for rule in inline.get(key, []))


def test_one_parameter_closes_the_page_and_one_the_bastions(stack: Template) -> None:
    """In the groups and in the ACLs, requests and replies."""
    closed = Template(**MOST, AdminCidr="198.51.100.7/32", ClientCidr="192.0.2.0/24")
    assert {(r.group, r.first, r.peer) for r in rules(closed) if r.way == "In"
            and r.protocol == "tcp" and "/" in r.peer} == {
        ("BastionGroup", 22, "198.51.100.7/32"), ("AlbGroup", 80, "192.0.2.0/24"),
        ("AlbGroup", 443, "192.0.2.0/24")}
    for zone in "AC":
        rows = closed.rows()
        found = {(row.way, row.first, row.cidr) for row in rows.values()
                 if row.acl == f"PublicAcl{zone}" and row.protocol == 6
                 and not row.cidr.startswith(("10.16.", "52.219."))}
        assert found == {("In", 22, "198.51.100.7/32"), ("Out", 1024, "198.51.100.7/32"),
                         ("In", 80, "192.0.2.0/24"), ("In", 443, "192.0.2.0/24"),
                         ("Out", 1024, "192.0.2.0/24")}
    assert "Default" not in stack.parameters["AdminCidr"]


def test_one_nat_gateway_serves_both_zones() -> None:
    one = Template(NatGateways="1")
    assert list(one.of("EC2::NatGateway")) == ["NatA"] and list(one.of("EC2::EIP")) == ["NatEipA"]
    assert {p["NatGatewayId"] for p in map(one.properties, one.of("EC2::Route"))
            if "NatGatewayId" in p} == {"NatA"}
    assert one.plain(one.outputs["NatAddresses"]["Value"]) == "NatEipA.PublicIp"


def test_what_a_group_sends_to_a_group_that_one_takes(stack: Template) -> None:
    groups = stack.of("EC2::SecurityGroup")
    there = [rule for rule in rules(stack) if rule.peer in groups]
    out = {(r.group, r.peer, r.protocol, r.first, r.last) for r in there if r.way == "Out"}
    taken = {(r.peer, r.group, r.protocol, r.first, r.last) for r in there if r.way == "In"}
    assert out == taken and len(out) == 6


def test_no_group_has_the_egress_that_is_added_to_groups_without(stack: Template) -> None:
    # CloudFormation Template Reference, AWS::EC2::SecurityGroup: without egress rules all is let out.
    for name in stack.of("EC2::SecurityGroup"):
        egress = stack.properties(name).get("SecurityGroupEgress")
        assert egress, f"{name} has no egress rules of its own"
        assert all(rule["CidrIp"] != ANYWHERE or rule["IpProtocol"] == "icmp"
                   for rule in egress if "CidrIp" in rule)
