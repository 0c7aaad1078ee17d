"""From the resolved template to the model: the network and its ACLs. model/build_groups.py has
security groups and endpoints."""
from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from lab.template.interpreter import Resource, Stack
from .model import (ANY, DEFAULT_ACL, ICMP, MAIN_ROUTE_TABLE, TCP, UDP, Acl, AclEntry, Endpoint,
                    Group, Nat, Route, RouteTable, Subnet)
from .reader import Properties, only

VPC = "AWS::EC2::VPC"
SUBNET = "AWS::EC2::Subnet"
GATEWAY = "AWS::EC2::InternetGateway"
EIP = "AWS::EC2::EIP"
NAT = "AWS::EC2::NatGateway"
TABLE = "AWS::EC2::RouteTable"
ACL = "AWS::EC2::NetworkAcl"
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")   # RFC 1918

# Amazon S3 in Seoul: its managed prefix list as published in February 2026. The current list: aws
# ec2 get-managed-prefix-list-entries
PREFIX_LISTS: dict[str, list[str]] = {
    "pl-78a54011": ["1.178.91.0/24", "3.5.140.0/22", "3.5.144.0/23", "3.5.184.0/21",
                    "52.219.56.0/22", "52.219.60.0/23", "52.219.144.0/22", "52.219.148.0/23",
                    "52.219.202.0/23", "52.219.204.0/22"],
}


@dataclass
class Network:
    vpc_id: str = ""
    vpc_cidr: str = ""
    dns: bool = False          # both EnableDnsSupport and EnableDnsHostnames
    internet_gateway: str = ""
    subnets: dict[str, Subnet] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    route_tables: dict[str, RouteTable] = field(default_factory=dict)
    nats: list[Nat] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)
    prefix_lists: dict[str, list[str]] = field(default_factory=lambda: dict(PREFIX_LISTS))

    @property
    def zones(self) -> list[str]:
        return sorted({subnet.zone for subnet in self.subnets.values()})

    def one_in_each_zone(self, p: Properties, key: str) -> list[str]:
        """The subnets of a resource with one node or server per zone."""
        found = p.references(key, SUBNET)
        if sorted(self.subnets[name].zone for name in found) != self.zones:
            raise p.error(key, f"the lab takes one subnet in each of {', '.join(self.zones)}")
        return found


def build_network(stack: Stack) -> Network:
    network = Network()
    _vpc(stack, network)
    _acls(stack, network)
    _route_tables(stack, network)
    _subnets(stack, network)
    _nats(stack, network)
    _routes(stack, network)
    for subnet in network.subnets.values():
        table = network.route_tables[subnet.route_table]
        subnet.public = any(route.kind == "igw" for route in table.routes)
    return network


def _vpc(stack: Stack, network: Network) -> None:
    vpc = only(stack, VPC)
    with Properties.of(stack, vpc) as p:
        network.vpc_id, network.vpc_cidr = stack.ref(vpc.name), p.cidr("CidrBlock")
        p.one_of("InstanceTenancy", ("default",), "default")
        # VPC User Guide, "DNS attributes for your VPC"
        support, names = p.flag("EnableDnsSupport", "true"), p.flag("EnableDnsHostnames", "false")
        if not support:
            raise p.error("EnableDnsSupport", "the lab has no VPC without a resolver")
        network.dns = support and names
        if not any(ipaddress.IPv4Network(network.vpc_cidr).subnet_of(ipaddress.IPv4Network(own))
                   for own in PRIVATE):
            raise p.error("CidrBlock", f"{network.vpc_cidr} is not within {', '.join(PRIVATE)}; "
                          "the lab's internet has the rest")
        if not 16 <= ipaddress.IPv4Network(network.vpc_cidr).prefixlen <= 28:
            raise p.error("CidrBlock", f"{network.vpc_cidr} is not between /16 and /28")
    for each in stack.of_type(GATEWAY):
        with Properties.of(stack, each):
            pass
    for each in stack.of_type("AWS::EC2::VPCGatewayAttachment"):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            if network.internet_gateway:
                raise p.error("", "the VPC has an internet gateway already")
            network.internet_gateway = p.reference("InternetGatewayId", GATEWAY)


def _subnets(stack: Stack, network: Network) -> None:
    acls = _associations(stack, "AWS::EC2::SubnetNetworkAclAssociation", "NetworkAclId", ACL)
    tables = _associations(stack, "AWS::EC2::SubnetRouteTableAssociation", "RouteTableId", TABLE)
    vpc = ipaddress.IPv4Network(network.vpc_cidr)
    for each in stack.of_type(SUBNET):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            subnet = Subnet(each.name, stack.ref(each.name), p.cidr("CidrBlock"),
                            _zone(p, stack), acls.get(each.name, DEFAULT_ACL),
                            tables.get(each.name, MAIN_ROUTE_TABLE), False,
                            p.flag("MapPublicIpOnLaunch", "false"), each.line)
            if not 16 <= subnet.network.prefixlen <= 28:  # VPC User Guide, "Subnet sizing"
                raise p.error("CidrBlock", f"{subnet.cidr} is not between /16 and /28")
            if not subnet.network.subnet_of(vpc):
                raise p.error("CidrBlock", f"{subnet.cidr} is not within the VPC's {vpc}")
            for other in network.subnets.values():
                if subnet.network.overlaps(other.network):
                    raise p.error("CidrBlock", f"{subnet.cidr} overlaps with {other.name}'s "
                                               f"{other.cidr}")
            network.subnets[each.name] = subnet
    if len(network.zones) != 2:
        raise stack.error(stack.tree.root.line_of("Resources"), "", "the lab has two zones, the "
                          f"template's subnets are in {', '.join(network.zones) or 'none'}")


def _zone(p: Properties, stack: Stack) -> str:
    """Zones must have different letters: the lab uses them in host names."""
    zone = p.text("AvailabilityZone")
    if not re.fullmatch(f"{re.escape(stack.region)}[a-z]", zone):
        raise p.error("AvailabilityZone", f'"{zone}" is no zone of {stack.region}')
    return zone


def _associations(stack: Stack, kind: str, key: str, target: str) -> dict[str, str]:
    """Subnet → its associated resource."""
    found: dict[str, str] = {}
    for each in stack.of_type(kind):
        with Properties.of(stack, each) as p:
            subnet = p.reference("SubnetId", SUBNET)
            if subnet in found:
                raise p.error("SubnetId", f"{subnet} is associated with {found[subnet]} already")
            found[subnet] = p.reference(key, target)
    return found


# network ACLs

def _acls(stack: Stack, network: Network) -> None:
    # VPC User Guide, "Default network ACL": allows everything.
    network.acls[DEFAULT_ACL] = Acl(DEFAULT_ACL, "acl-default", [
        AclEntry(100, egress, ANY, ANY, ANY, ANY, ANY, "0.0.0.0/0", True, 0, "default")
        for egress in (False, True)], 0)
    for each in stack.of_type(ACL):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
        network.acls[each.name] = Acl(each.name, stack.ref(each.name), [], each.line)
    for each in stack.of_type("AWS::EC2::NetworkAclEntry"):
        with Properties.of(stack, each) as p:
            acl = network.acls[p.reference("NetworkAclId", ACL)]
            entry = _entry(p, each)
            for other in acl.entries:
                if (other.number, other.egress) == (entry.number, entry.egress):
                    raise p.error("RuleNumber", f"{other.name} has number {entry.number} of "
                                                f"{acl.name} in this direction already")
            acl.entries.append(entry)
    for acl in network.acls.values():
        acl.entries.sort(key=lambda e: (e.egress, e.number))


def _entry(p: Properties, each: Resource) -> AclEntry:
    number = p.integer("RuleNumber", low=1, high=32766)
    protocol = int(p.one_of("Protocol", ("-1", "1", "6", "17")))
    ports, icmp = p.part("PortRange"), p.part("Icmp")
    first = last = kind = code = ANY
    if protocol in (TCP, UDP):
        if ports is None:
            raise p.error("", "PortRange is missing")
        with ports:
            first = ports.integer("From", low=0, high=65535)
            last = ports.integer("To", low=0, high=65535)
        if first > last:
            raise ports.error("To", f"the range of ports {first} to {last} is empty")
    elif protocol == ICMP:
        if icmp is None:
            raise p.error("", "Icmp is missing")
        with icmp:
            kind = icmp.integer("Type", low=ANY, high=255)
            code = icmp.integer("Code", low=ANY, high=255)
        if kind == ANY and code != ANY:
            raise icmp.error("Code", "a code without a type")
    return AclEntry(number, p.flag("Egress", "false"), protocol, first, last, kind, code,
                    p.cidr("CidrBlock"), p.one_of("RuleAction", ("allow", "deny")) == "allow",
                    each.line, each.name)


# routes

def _route_tables(stack: Stack, network: Network) -> None:
    # The main route table has only the local route (VPC User Guide, "Route tables").
    network.route_tables[MAIN_ROUTE_TABLE] = RouteTable(MAIN_ROUTE_TABLE, "rtb-main", [], 0)
    for each in stack.of_type(TABLE):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
        network.route_tables[each.name] = RouteTable(each.name, stack.ref(each.name), [], each.line)


def _nats(stack: Stack, network: Network) -> None:
    for each in stack.of_type(EIP):
        with Properties.of(stack, each) as p:
            p.one_of("Domain", ("vpc",), "vpc")
    used: set[str] = set()
    for each in stack.of_type(NAT):
        with Properties.of(stack, each) as p:
            p.one_of("ConnectivityType", ("public",), "public")
            eip = p.reference("AllocationId", EIP)
            subnet = p.reference("SubnetId", SUBNET)
            if any(nat.subnet == subnet for nat in network.nats):
                raise p.error("SubnetId", f"the lab has room for one NAT gateway in {subnet}")
            if eip in used:
                raise p.error("AllocationId", f"{eip} belongs to another NAT gateway already")
            used.add(eip)
            network.nats.append(Nat(each.name, stack.ref(each.name), subnet, stack.ref(eip),
                                    each.line))


def _routes(stack: Stack, network: Network) -> None:
    for each in stack.of_type("AWS::EC2::Route"):
        with Properties.of(stack, each) as p:
            table = network.route_tables[p.reference("RouteTableId", TABLE)]
            cidr = p.cidr("DestinationCidrBlock")
            gateway = p.reference("GatewayId", GATEWAY, "")
            nat = p.reference("NatGatewayId", NAT, "")
            if bool(gateway) == bool(nat):
                raise p.error("", "a route has a GatewayId or a NatGatewayId")
            if gateway and gateway != network.internet_gateway:
                raise p.error("GatewayId", f"{gateway} is not attached to the VPC")
            if ipaddress.IPv4Network(cidr).subnet_of(ipaddress.IPv4Network(network.vpc_cidr)):
                raise p.error("DestinationCidrBlock", f"{cidr} is the VPC's own, and local")
            if any(r.cidr == cidr for r in table.routes):
                raise p.error("DestinationCidrBlock", f"{table.name} has a route to {cidr} already")
            table.routes.append(Route(cidr, "", "igw" if gateway else "nat", gateway or nat,
                                      each.line))
