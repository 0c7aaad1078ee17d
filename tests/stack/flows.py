"""From security groups to network ACLs: which rows the allowed flows need.

A flow between two subnets needs four rows: the request leaves one subnet and enters
the other, the answers leave that one and enter the first. Within a subnet none
(VPC User Guide, "Network ACL basics"). Through NAT the first and the last packet of
the flow cross the public subnet of the zone too.
"""
from __future__ import annotations

from typing import Any, Iterator, NamedTuple

from reading import Row, Template

ANYWHERE = "0.0.0.0/0"
TCP, ICMP = 6, 1
ECHO, REPLY = (8, -1), (0, -1)
FRAGMENTATION_NEEDED = (3, 4)  # VPC User Guide, "Path MTU Discovery"
# Which ports answers go to: Linux's own range (net.ipv4.ip_local_port_range), or that of
# ALB nodes, NAT gateways and clients nobody knows (VPC User Guide, "Ephemeral ports").
LINUX, UNKNOWN = (32768, 60999), (1024, 65535)
S3_LIST = ("S3Cidr", "S3CidrA", "S3CidrB", "S3CidrC", "S3CidrD")


class Rule(NamedTuple):
    """One rule of a security group, seen from the group."""
    group: str
    way: str
    protocol: str
    first: int
    last: int
    peer: str       # a group's name, a CIDR or a prefix list


def rules(template: Template) -> Iterator[Rule]:
    """All rules, of the groups themselves and in resources of their own."""
    def rule(group: str, way: str, p: dict[str, Any]) -> Rule:
        peers = [p[key] for key in ("CidrIp", "SourceSecurityGroupId", "DestinationSecurityGroupId",
                                    "DestinationPrefixListId", "SourcePrefixListId") if key in p]
        assert len(peers) == 1, f"{group}: a rule names one peer: {p}"
        return Rule(group, way, str(p["IpProtocol"]), p.get("FromPort", -1), p.get("ToPort", -1),
                    peers[0])

    for name in template.of("EC2::SecurityGroup"):
        inline = template.properties(name)
        for way, key in (("In", "SecurityGroupIngress"), ("Out", "SecurityGroupEgress")):
            yield from (rule(name, way, p) for p in inline.get(key, []))
    for way, kind in (("In", "EC2::SecurityGroupIngress"), ("Out", "EC2::SecurityGroupEgress")):
        for name in template.of(kind):
            p = template.properties(name)
            yield rule(p["GroupId"], way, p)


def nothing(rule: Rule) -> bool:
    """The rule that stands for "no egress"."""
    return rule.peer == "127.0.0.1/32"


def members(template: Template) -> dict[str, list[str]]:
    """The subnets in which each group has interfaces."""
    found: dict[str, list[str]] = {}

    def add(groups: list[str], subnets: list[str]) -> None:
        for group in groups:
            found.setdefault(group, []).extend(s for s in subnets if s not in found.get(group, []))

    every = {name: template.properties(name) for name in template.resources}
    for name in template.of("EC2::Instance"):
        add(every[name]["SecurityGroupIds"], [every[name]["SubnetId"]])
    for name in template.of("ElasticLoadBalancingV2::LoadBalancer"):
        add(every[name]["SecurityGroups"], every[name]["Subnets"])
    for name in template.of("AutoScaling::AutoScalingGroup"):
        launch = every[every[name]["LaunchTemplate"]["LaunchTemplateId"]]["LaunchTemplateData"]
        add(launch["SecurityGroupIds"], every[name]["VPCZoneIdentifier"])
    for name in template.of("RDS::DBInstance"):
        subnets = every[every[name]["DBSubnetGroupName"]]["SubnetIds"]
        add(every[name]["VPCSecurityGroups"], subnets)
    for name in template.of("EFS::MountTarget"):
        add(every[name]["SecurityGroups"], [every[name]["SubnetId"]])
    for name in template.of("EC2::VPCEndpoint"):
        add(every[name].get("SecurityGroupIds", []), every[name].get("SubnetIds", []))
    return found


class Needs:
    """Collects the rows that flows need, each with the flows' names."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.found: dict[Row, list[str]] = {}
        self.subnets = {name: template.properties(name) for name in template.of("EC2::Subnet")}

    def row(self, why: str, subnet: str, way: str, ports: tuple[int, int], cidr: str,
            protocol: int = TCP) -> None:
        row = Row(self.template.acl_of(subnet), way, protocol, *ports, cidr)
        self.found.setdefault(row, []).append(why)

    def cidr(self, subnet: str) -> str:
        return str(self.subnets[subnet]["CidrBlock"])

    def zone(self, subnet: str) -> str:
        return str(self.subnets[subnet]["AvailabilityZone"])

    def route(self, subnet: str) -> dict[str, Any]:
        """A subnet's default route."""
        t = self.template
        table, = [p["RouteTableId"] for p in map(t.properties, t.of(
            "EC2::SubnetRouteTableAssociation")) if p["SubnetId"] == subnet]
        found, = [p for p in map(t.properties, t.of("EC2::Route")) if p["RouteTableId"] == table]
        return found

    def is_public(self, subnet: str) -> bool:
        return "GatewayId" in self.route(subnet)

    def public_of(self, subnet: str) -> str:
        """The subnet with the NAT gateway that a subnet's default route leads to."""
        return str(self.template.properties(self.route(subnet)["NatGatewayId"])["SubnetId"])

    def between(self, why: str, client: str, server: str, port: int,
                returns: tuple[int, int]) -> None:
        """A flow from one subnet of the VPC to another."""
        self.row(why, client, "Out", (port, port), self.cidr(server))
        self.row(why, server, "In", (port, port), self.cidr(client))
        self.row(why, server, "Out", returns, self.cidr(client))
        self.row(why, client, "In", returns, self.cidr(server))

    def from_outside(self, why: str, subnet: str, port: int, cidr: str) -> None:
        self.row(why, subnet, "In", (port, port), cidr)
        self.row(why, subnet, "Out", UNKNOWN, cidr)

    def by_gateway_endpoint(self, why: str, subnet: str, cidr: str) -> None:
        self.row(why, subnet, "Out", (443, 443), cidr)
        self.row(why, subnet, "In", LINUX, cidr)

    def by_nat(self, why: str, subnet: str, cidr: str) -> None:
        public = self.public_of(subnet)
        self.by_gateway_endpoint(why, subnet, cidr)
        self.row(why, public, "In", (443, 443), self.cidr(subnet))
        self.row(why, public, "Out", (443, 443), cidr)
        self.row(why, public, "In", UNKNOWN, cidr)
        self.row(why, public, "Out", LINUX, self.cidr(subnet))

    def ping_by_nat(self, why: str, subnet: str) -> None:
        public = self.public_of(subnet)
        self.row(why, subnet, "Out", ECHO, ANYWHERE, ICMP)
        self.row(why, public, "In", ECHO, self.cidr(subnet), ICMP)
        self.row(why, public, "Out", ECHO, ANYWHERE, ICMP)
        self.row(why, public, "In", REPLY, ANYWHERE, ICMP)
        self.row(why, public, "Out", REPLY, self.cidr(subnet), ICMP)
        self.row(why, subnet, "In", REPLY, ANYWHERE, ICMP)

    def errors(self, why: str, subnet: str) -> None:
        """An ICMP error of a router of the internet; through NAT if the subnet is private."""
        public = subnet if self.is_public(subnet) else self.public_of(subnet)
        self.row(why, public, "In", FRAGMENTATION_NEEDED, ANYWHERE, ICMP)
        if public != subnet:
            self.row(why, public, "Out", FRAGMENTATION_NEEDED, self.cidr(subnet), ICMP)
            self.row(why, subnet, "In", FRAGMENTATION_NEEDED, ANYWHERE, ICMP)


def needed(template: Template) -> dict[Row, list[str]]:
    """The rows that the security groups' rules need, with the flows that need them."""
    needs, where = Needs(template), members(template)
    groups = template.of("EC2::SecurityGroup")
    balancers = {g for name in template.of("ElasticLoadBalancingV2::LoadBalancer")
                 for g in template.properties(name)["SecurityGroups"]}
    targets = {g for name in template.of("EFS::MountTarget")
               for g in template.properties(name)["SecurityGroups"]}
    s3_list = template.values["S3PrefixList"]
    for rule in rules(template):
        why = f"{rule.group} {rule.way} {rule.protocol} {rule.first} {rule.peer}"
        for subnet in where.get(rule.group, []):
            if nothing(rule) or (rule.way == "In" and rule.peer in groups):
                continue  # from the other group's rule
            if rule.way == "In" and rule.protocol == "icmp":
                assert (rule.first, rule.last, rule.peer) == (*FRAGMENTATION_NEEDED, ANYWHERE)
                needs.errors(why, subnet)
            elif rule.way == "In":
                needs.from_outside(why, subnet, rule.first, rule.peer)
            elif rule.peer in groups:
                returns = UNKNOWN if rule.group in balancers else LINUX
                for other in where.get(rule.peer, []):
                    # A file system's name resolves to the mount target of the caller's
                    # own zone (EFS User Guide, "Mounting on EC2 instances with a DNS name").
                    elsewhere = rule.peer in targets and needs.zone(subnet) != needs.zone(other)
                    if other != subnet and not elsewhere:
                        needs.between(why, subnet, other, rule.first, returns)
            elif rule.peer == s3_list:
                for name in S3_LIST:
                    needs.by_gateway_endpoint(why, subnet, template.values[name])
            elif rule.protocol == "icmp":
                needs.ping_by_nat(why, subnet)
            else:
                needs.by_nat(why, subnet, rule.peer)
    return needs.found
