"""From the resolved template to the model: security groups, and VPC endpoints."""
from __future__ import annotations

from typing import Any

from lab.template.interpreter import Resource, Stack
from . import policy
from .build_network import SUBNET, TABLE, VPC, Network
from .build_rights import document
from .model import ANY, Endpoint, Group, Route, Rule
from .reader import Properties

GROUP = "AWS::EC2::SecurityGroup"
ENDPOINT = "AWS::EC2::VPCEndpoint"
# (region, service) → prefix list
GATEWAY_SERVICES = {("ap-northeast-2", "s3"): "pl-78a54011"}
INTERFACE_SERVICES = ("monitoring", "autoscaling", "secretsmanager")


# endpoints

def build_endpoints(stack: Stack, network: Network) -> None:
    for each in stack.of_type(ENDPOINT):
        with Properties.of(stack, each) as p:
            p.reference("VpcId", VPC)
            # Default: Gateway (CloudFormation, AWS::EC2::VPCEndpoint)
            kind = p.one_of("VpcEndpointType", ("Interface", "Gateway"), "Gateway")
            service = _service(p, stack, kind)
            if any(other.service == service for other in network.endpoints):
                raise p.error("ServiceName", f"the lab has one endpoint of {service}")
            if kind == "Gateway":
                endpoint = _gateway(p, stack, each, service)
                for table in endpoint.route_tables:
                    network.route_tables[table].routes.append(
                        Route("", GATEWAY_SERVICES[stack.region, service], "gateway-endpoint",
                              each.name, each.line))
            else:
                endpoint = _interface(p, stack, each, service, network)
            network.endpoints.append(endpoint)


def _service(p: Properties, stack: Stack, kind: str) -> str:
    head = f"com.amazonaws.{stack.region}."
    name = p.text("ServiceName")
    service = name.removeprefix(head)
    known = (stack.region, service) in GATEWAY_SERVICES if kind == "Gateway" \
        else service in INTERFACE_SERVICES
    if not name.startswith(head) or not known:
        raise p.error("ServiceName", f"{name} is not known to the lab as {kind}")
    return service


def _gateway(p: Properties, stack: Stack, each: Resource, service: str) -> Endpoint:
    # Without effect: model/without_effect.py
    _policy(p, None)
    return Endpoint(each.name, stack.ref(each.name), service, "Gateway", [], [], False,
                    p.references("RouteTableIds", TABLE, []), None, each.line)


def _interface(p: Properties, stack: Stack, each: Resource, service: str, network: Network
               ) -> Endpoint:
    private = p.flag("PrivateDnsEnabled", "false")
    if private and not network.dns:
        # VPC User Guide, "Private DNS names for interface endpoints"
        raise p.error("PrivateDnsEnabled", "the VPC must have EnableDnsHostnames")
    subnets = p.references("SubnetIds", SUBNET)
    if len({network.subnets[name].zone for name in subnets}) != len(subnets):
        raise p.error("SubnetIds", "an endpoint has one subnet in a zone")
    return Endpoint(each.name, stack.ref(each.name), service, "Interface", subnets,
                    p.references("SecurityGroupIds", GROUP), private, [],
                    _policy(p, policy.CONTEXT), each.line)


def _policy(p: Properties, keys: frozenset[str] | None) -> list[dict[str, Any]] | None:
    """None: the default policy, which allows everything (VPC User Guide, "Default endpoint
    policy")."""
    if "PolicyDocument" not in p.values:
        return None
    return document(p, "PolicyDocument", principal=True, keys=keys)


# security groups

_PROTOCOLS = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp",
              "-1": "-1"}


def build_groups(stack: Stack, network: Network) -> None:
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
            # "The default rule is removed only when you specify one or more egress rules"
            # (CloudFormation, AWS::EC2::SecurityGroup). AWS does not document whether egress rules
            # in separate resources count; the CDK assumes it.
            group.egress.append(Rule("-1", ANY, ANY, "cidr", "0.0.0.0/0", group.line, group.name))


def _add(p: Properties, rules: list[Rule], rule: Rule) -> None:
    """Refuses a duplicate rule, as EC2 does (InvalidPermission.Duplicate)."""
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
    if protocol == "-1":   # ports are ignored
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
    # An inline rule has its own line.
    return Rule(protocol, first, last, peers[0][0], peers[0][1], p.values.line or each.line,
                each.name)
