"""The network part of the model (model/model.py).

It has the conventions of model/model.py, which re-exports all names."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

ANY = -1
ICMP, TCP, UDP = 1, 6, 17  # IANA's protocol numbers, as network ACLs name them
# The ACL and the route table of a subnet without an association.
DEFAULT_ACL = "default"
MAIN_ROUTE_TABLE = "main"


@dataclass
class Subnet:
    name: str
    id: str
    cidr: str
    zone: str                 # "ap-northeast-2a"
    acl: str                  # in Model.acls
    route_table: str          # in Model.route_tables
    public: bool              # its route table has a route to the internet gateway
    maps_public_ip: bool      # MapPublicIpOnLaunch
    line: int

    @property
    def network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.cidr)

    @property
    def router(self) -> str:
        """Base plus one: the VPC router (VPC User Guide, "Subnet sizing")."""
        return str(self.network[1])


@dataclass
class Rule:
    """A rule of a security group. The direction is given by its list."""
    protocol: str             # "tcp", "udp", "icmp" or "-1"
    first: int                # lowest destination port; ICMP type; -1: any
    last: int                 # highest destination port; ICMP code; -1: any
    peer_kind: str            # "cidr", "group" or "prefix"
    peer: str                 # a CIDR, a group's name, a prefix list's id
    line: int
    name: str                 # the resource of the rule


@dataclass
class Group:
    """A security group. Stateful: replies need no rule."""
    name: str
    id: str
    ingress: list[Rule]
    egress: list[Rule]
    line: int


@dataclass
class AclEntry:
    """A row of a network ACL. `cidr` is the other side: the source of packets into the subnet, the
    destination of packets out of it. Ports are destination ports in both directions."""
    number: int
    egress: bool
    protocol: int             # -1 any, 1 ICMP, 6 TCP, 17 UDP
    first: int                # -1: any (and for protocols without ports)
    last: int
    icmp_type: int            # -1: any
    icmp_code: int
    cidr: str
    allow: bool
    line: int
    name: str


@dataclass
class Acl:
    """A network ACL. Stateless; packets without a matching entry are denied."""
    name: str
    id: str
    entries: list[AclEntry]   # by number
    line: int


@dataclass
class Route:
    """A route. Each table also has the VPC's own CIDR as "local"."""
    cidr: str                 # "" for a prefix list
    prefix_list: str          # "" for a CIDR
    kind: str                 # "igw", "nat" or "gateway-endpoint"
    target: str               # name of the gateway, of the Nat, of the Endpoint
    line: int


@dataclass
class RouteTable:
    name: str
    id: str
    routes: list[Route]
    line: int


@dataclass
class Nat:
    name: str
    id: str
    subnet: str
    public_address: str       # its elastic address, which the internet sees
    line: int


@dataclass
class Endpoint:
    """A VPC endpoint."""
    name: str
    id: str
    service: str              # "monitoring", "autoscaling", "secretsmanager", "s3"
    kind: str                 # "Interface" or "Gateway"
    subnets: list[str]        # with one ENI each; Gateway: none
    groups: list[str]
    private_dns: bool
    route_tables: list[str]   # Gateway only
    policy: list[dict[str, Any]] | None  # its statements; None: everything is allowed
    line: int
