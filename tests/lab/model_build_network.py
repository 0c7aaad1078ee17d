"""From the resolved template to the model: the network and its rules."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from .model import (ANY, DEFAULT_ACL, ICMP, MAIN_ROUTE_TABLE, TCP, UDP, Acl, AclEntry, Endpoint,
                    Group, Nat, Route, RouteTable, Rule, Subnet)
from .model_reader import Properties, only
from .template import Resource, Stack

VPC = "AWS::EC2::VPC"
SUBNET = "AWS::EC2::Subnet"
GATEWAY = "AWS::EC2::InternetGateway"
EIP = "AWS::EC2::EIP"
NAT = "AWS::EC2::NatGateway"
TABLE = "AWS::EC2::RouteTable"
ACL = "AWS::EC2::NetworkAcl"
GROUP = "AWS::EC2::SecurityGroup"

# Amazon S3 in Seoul, by what was published of its managed prefix list in February 2026. An
# account sees today's by: aws ec2 get-managed-prefix-list-entries
PREFIX_LISTS: dict[str, list[str]] = {
    "pl-78a54011": ["1.178.91.0/24", "3.5.140.0/22", "3.5.144.0/23", "3.5.184.0/21",
                    "52.219.56.0/22", "52.219.60.0/23", "52.219.144.0/22", "52.219.148.0/23",
                    "52.219.202.0/23", "52.219.204.0/22"],
}
GATEWAY_SERVICES = {("ap-northeast-2", "s3"): "pl-78a54011"}
INTERFACE_SERVICES = ("monitoring", "autoscaling", "secretsmanager")


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


def build_network(stack: Stack) -> Network:
    network = Network()
    _vpc(stack, network)
    _acls(stack, network)
    _route_tables(stack, network)
    _subnets(stack, network)
    _groups(stack, network)
    _nats(stack, network)
    _routes(stack, network)
    _endpoints(stack, network)
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
    for each in stack.of_type(GATEWAY):
        with Properties.of(stack, each):
            pass
    for each in stack.of_type("AWS::EC2::VPCGatewayAttachment"):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            network.internet_gateway = p.reference("InternetGatewayId", GATEWAY)


def _subnets(stack: Stack, network: Network) -> None:
    acls = _associations(stack, "AWS::EC2::SubnetNetworkAclAssociation", "NetworkAclId", ACL)
    tables = _associations(stack, "AWS::EC2::SubnetRouteTableAssociation", "RouteTableId", TABLE)
    vpc = ipaddress.IPv4Network(network.vpc_cidr)
    for each in stack.of_type(SUBNET):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            subnet = Subnet(each.name, stack.ref(each.name), p.cidr("CidrBlock"),
                            p.text("AvailabilityZone"), acls.get(each.name, DEFAULT_ACL),
                            tables.get(each.name, MAIN_ROUTE_TABLE), False,
                            p.flag("MapPublicIpOnLaunch", "false"), each.line)
            if not subnet.network.subnet_of(vpc):
                raise p.error("CidrBlock", f"{subnet.cidr} is not within the VPC's {vpc}")
            for other in network.subnets.values():
                if subnet.network.overlaps(other.network):
                    raise p.error("CidrBlock", f"{subnet.cidr} overlaps with {other.name}'s "
                                               f"{other.cidr}")
            network.subnets[each.name] = subnet


def _associations(stack: Stack, kind: str, key: str, target: str) -> dict[str, str]:
    """Subnet → what it is associated with."""
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
    # VPC User Guide, "Default network ACL": everything is allowed.
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
    # The main route table has the local route alone (VPC User Guide, "Route tables").
    network.route_tables[MAIN_ROUTE_TABLE] = RouteTable(MAIN_ROUTE_TABLE, "rtb-main", [], 0)
    for each in stack.of_type(TABLE):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
        network.route_tables[each.name] = RouteTable(each.name, stack.ref(each.name), [], each.line)


def _nats(stack: Stack, network: Network) -> None:
    for each in stack.of_type(EIP):
        with Properties.of(stack, each):
            pass
    for each in stack.of_type(NAT):
        with Properties.of(stack, each) as p:
            p.one_of("ConnectivityType", ("public",), "public")
            eip = p.reference("AllocationId", EIP)
            subnet = p.reference("SubnetId", SUBNET)
            network.nats.append(Nat(each.name, stack.ref(each.name), subnet, eip, stack.ref(eip),
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
            if any(r.cidr == cidr for r in table.routes):
                raise p.error("DestinationCidrBlock", f"{table.name} has a route to {cidr} already")
            table.routes.append(Route(cidr, "", "igw" if gateway else "nat", gateway or nat,
                                      each.line))


def _endpoints(stack: Stack, network: Network) -> None:
    for each in stack.of_type("AWS::EC2::VPCEndpoint"):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            # Gateway by default (CloudFormation, AWS::EC2::VPCEndpoint)
            kind = p.one_of("VpcEndpointType", ("Interface", "Gateway"), "Gateway")
            head = f"com.amazonaws.{stack.region}."
            name = p.text("ServiceName")
            service = name.removeprefix(head)
            gateway = GATEWAY_SERVICES.get((stack.region, service))
            if not name.startswith(head) or (not gateway if kind == "Gateway"
                                             else service not in INTERFACE_SERVICES):
                raise p.error("ServiceName", f"{name} is not known to the lab as {kind}")
            private = p.flag("PrivateDnsEnabled", "false")
            if private and not network.dns:
                # VPC User Guide, "Private DNS names for interface endpoints"
                raise p.error("PrivateDnsEnabled", "the VPC must have EnableDnsHostnames")
            endpoint = Endpoint(
                each.name, stack.ref(each.name), service, kind,
                p.references("SubnetIds", SUBNET, []), p.references("SecurityGroupIds", GROUP, []),
                private, p.references("RouteTableIds", TABLE, []), p.raw("PolicyDocument", None),
                each.line)
            network.endpoints.append(endpoint)
        for table in endpoint.route_tables if kind == "Gateway" else []:
            network.route_tables[table].routes.append(
                Route("", str(gateway), "gateway-endpoint", each.name, each.line))


# security groups

_PROTOCOLS = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp",
              "-1": "-1"}


def _groups(stack: Stack, network: Network) -> None:
    for each in stack.of_type(GROUP):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            group = Group(each.name, stack.ref(each.name), [], [], each.line)
            for key, rules in (("Ingress", group.ingress), ("Egress", group.egress)):
                for part in p.parts(f"SecurityGroup{key}"):
                    with part:
                        _add(part, rules, _rule(part, each, network, key == "Egress"))
            network.groups[each.name] = group
    for key in ("Ingress", "Egress"):
        for each in stack.of_type(f"AWS::EC2::SecurityGroup{key}"):
            with Properties.of(stack, each) as p:
                group = network.groups[p.reference("GroupId", GROUP)]
                rules = group.egress if key == "Egress" else group.ingress
                _add(p, rules, _rule(p, each, network, key == "Egress"))
    for group in network.groups.values():
        if not group.egress:
            # "The default rule is removed only when you specify one or more egress
            # rules" (CloudFormation, AWS::EC2::SecurityGroup). Whether resources of
            # their own count as such is not said; the CDK takes it that they do.
            group.egress.append(Rule("-1", ANY, ANY, "cidr", "0.0.0.0/0", group.line, group.name))


def _add(p: Properties, rules: list[Rule], rule: Rule) -> None:
    """EC2 refuses a rule that is there already (InvalidPermission.Duplicate)."""
    def said(r: Rule) -> tuple[object, ...]:
        return r.protocol, r.first, r.last, r.peer_kind, r.peer
    for other in rules:
        if said(other) == said(rule):
            raise p.error("", f"the rule is there already, on line {other.line}")
    rules.append(rule)


def _rule(p: Properties, each: Resource, network: Network, egress: bool) -> Rule:
    side = "Destination" if egress else "Source"
    protocol = _PROTOCOLS[p.one_of("IpProtocol", _PROTOCOLS)]
    group = p.reference(f"{side}SecurityGroupId", GROUP, "")
    prefix = p.text(f"{side}PrefixListId", "")
    cidr = p.cidr("CidrIp") if "CidrIp" in p.values else ""
    peers = [(kind, peer) for kind, peer in
             (("cidr", cidr), ("group", group), ("prefix", prefix)) if peer]
    if len(peers) != 1:
        raise p.error("", f"a rule has one of CidrIp, {side}SecurityGroupId, {side}PrefixListId")
    if prefix and prefix not in network.prefix_lists:
        raise p.error(f"{side}PrefixListId", f"the lab does not know what prefix list {prefix} has")
    first = last = ANY
    if protocol == "-1":   # ports are not looked at
        p.raw("FromPort", None)
        p.raw("ToPort", None)
    else:
        limit = 255 if protocol == "icmp" else 65535
        first = p.integer("FromPort", low=ANY, high=limit)
        last = p.integer("ToPort", low=ANY, high=limit)
        if protocol != "icmp" and (first > last or first == ANY != last):
            raise p.error("ToPort", f"the range of ports {first} to {last} is empty")
        if protocol == "icmp" and first == ANY != last:
            raise p.error("ToPort", "a code without a type")
    # An inline rule has a line of its own.
    return Rule(protocol, first, last, peers[0][0], peers[0][1], p.values.line or each.line,
                each.name)
