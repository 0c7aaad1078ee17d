"""The commands of ip(8) and nft(8) for links, routes and gateways. Pure text from the model;
network/fabric.py runs them. network/rules.py has the filter rules.

Links between namespaces have no addresses: routes use NEXT_HOP, with a fixed link address at both
ends. There is no ARP between routers, and no packet has an address that AWS's network would not
have.

The path of a packet: ENI → router of its subnet (security groups) → [the router of the VPC
(network ACLs) → router of the other subnet →] ENI. Packets within a subnet do not pass the VPC's
router and no ACL (VPC User Guide, "Network ACL basics": evaluated when traffic enters and leaves
the subnet)."""
from __future__ import annotations

import hashlib
import ipaddress
from typing import Iterable, Mapping

from lab.model.model import Model, Route
from .rules import device

NEXT_HOP = "169.254.1.1"
UPLINK = "vpc"         # device of a subnet router or the gateway, to the VPC's router
GATEWAY = "igw"        # device of the VPC router or the internet, to the gateway
OUTSIDE = "internet"   # the gateway's device to the internet
RESOLVER = "resolver"  # prefix of the VPC router's devices to attached hosts
S3 = "s3"

# VPC User Guide, "Amazon DNS server": also answers at this address in every VPC.
RESOLVER_ALIAS = "169.254.169.253"
METADATA = "169.254.169.254"
INTERNET_HOP = "198.18.0.1"        # the internet's own router
PUBLIC_POOL = "192.0.2.0/24"       # AWS's addresses on this internet
BACKPLANE = "100.64.0.0/16"

LOCAL = 10         # route tables of the routers: local addresses
THROUGH = 20       # of a subnet's router: packets from the VPC to unknown addresses
FIRST_TABLE = 100  # of the VPC's router: the template's tables


def link_address(seed: str) -> str:
    """A locally administered MAC address, constant over runs."""
    return "02:" + ":".join(f"{b:02x}" for b in hashlib.sha256(seed.encode()).digest()[:5])


def eni_address(address: str) -> str:
    """The MAC address of an ENI."""
    return "06:16:" + ":".join(f"{b:02x}" for b in ipaddress.IPv4Address(address).packed)


def cable(here: str, there: str, seed: str, path: str) -> tuple[str, str]:
    """A link without addresses between device `here` and device `there` of the namespace at
    `path`: the lines that make this end, and the lines for the other end."""
    mac, peer = link_address(f"{seed} here"), link_address(f"{seed} there")
    near = (f"link add {here} address {mac} type veth peer name {there} address {peer} "
            f"netns {path}\n")
    return near + point(here, peer), point(there, mac)


def point(name: str, peer: str) -> str:
    return (f"link set {name} up\n"
            f"neigh replace {NEXT_HOP} lladdr {peer} dev {name} nud permanent\n")


def via(name: str) -> str:
    return f"via {NEXT_HOP} dev {name} onlink"


# the router of the VPC

def local_routes(model: Model, links: Mapping[str, list[str]]) -> str:
    """Subnets, and hosts attached to the router (device → addresses): the "local" route of a route
    table. Packets to other addresses of the VPC are dropped."""
    lines = [f"route replace {s.cidr} {via(device(s.name))} table {LOCAL}"
             for s in model.subnets.values()]
    lines += [f"route replace {address}/32 {via(name)} table {LOCAL}"
              for name, addresses in links.items() for address in addresses]
    lines += [f"route replace blackhole {model.vpc_cidr} table {LOCAL}",
              "route replace blackhole default table main"]
    return "\n".join(lines) + "\n"


def _destinations(model: Model, route: Route) -> list[str]:
    return model.prefix_lists[route.prefix_list] if route.prefix_list else [route.cidr]


def _next(model: Model, route: Route, links: Iterable[str]) -> str:
    if route.kind == "igw":
        return via(GATEWAY)
    if route.kind == "gateway-endpoint" and S3 in links:
        return via(S3)
    if route.kind == "nat":
        for nat in model.nats:
            if nat.name == route.target:
                return via(device(nat.subnet))
    return ""  # the route's state on AWS is "blackhole"


def template_routes(model: Model, links: Iterable[str]) -> str:
    """The template's route tables, selected by the link on which a packet arrives. Packets that do
    not come from a subnet use only the local routes."""
    lines = ["rule flush", "rule add pref 32766 lookup main", f"rule add pref 10 lookup {LOCAL}"]
    numbers = {}
    for number, table in enumerate(model.route_tables.values(), FIRST_TABLE):
        numbers[table.name] = number
        nowhere = f"route replace blackhole default metric 9999 table {number}"
        lines += [nowhere, f"route flush table {number}", nowhere]
        for route in table.routes:
            hop = _next(model, route, links)
            for cidr in _destinations(model, route):
                lines.append(f"route replace {'' if hop else 'blackhole '}{cidr} {hop} "
                             f"table {number}")
    for number, subnet in enumerate(model.subnets.values(), FIRST_TABLE):
        lines.append(f"rule add pref {number} iif {device(subnet.name)} "
                     f"lookup {numbers[subnet.route_table]}")
    return "\n".join(lines) + "\n"


# the router of a subnet

def subnet_routes(cidr: str, router: str) -> str:
    """The router answers ARP for each of its ENIs and for all other addresses; its own addresses
    are the subnet's first one and the metadata service's."""
    return (f"address add {router}/32 dev lo\naddress add {METADATA}/32 dev lo\n"
            f"rule add pref 10 lookup {LOCAL}\n"
            f"rule add pref 20 iif {UPLINK} lookup {THROUGH}\n"
            f"route add blackhole {cidr} table {LOCAL}\n"
            f"route add blackhole default metric 9999 table {THROUGH}\n"
            f"route add default {via(UPLINK)}\n")


def port(name: str, address: str, mac: str, peer: str, path: str) -> str:
    """An ENI's port in the subnet's router; `peer`: the device in the holder."""
    return (f"link add {name} address {link_address('port ' + address)} type veth "
            f"peer name {peer} address {mac} netns {path}\n"
            f"link set {name} up\n"
            f"neigh replace {address} lladdr {mac} dev {name} nud permanent\n"
            f"route replace {address}/32 dev {name} table {LOCAL}\n")


def nat_route(name: str, address: str) -> str:
    """The packets from the VPC's other subnets go to the NAT gateway."""
    return f"route replace default via {address} dev {name} onlink table {THROUGH}\n"


# packets to and from the routers

def closed(name: str) -> str:
    """A router accepts and sends no packets of its own: an ICMP error would reveal a denied
    packet."""
    return (f"table inet self {{\n"
            f" chain input {{ type filter hook input priority 0; policy drop; }}\n"
            f" chain output {{ type filter hook output priority 0; policy drop; }}\n"
            f"}} # {name}\n")


def metadata_only() -> str:
    """A subnet's router accepts only packets to the metadata service, only on the ENIs' links,
    without connection tracking."""
    return (f"table inet self {{\n"
            f" chain input {{ type filter hook input priority 0; policy drop;\n"
            f"  iifname != \"{UPLINK}\" ip daddr {METADATA} tcp dport 80 accept\n }}\n"
            f" chain output {{ type filter hook output priority 0; policy drop;\n"
            f"  oifname != \"{UPLINK}\" ip saddr {METADATA} tcp sport 80 accept\n }}\n"
            f"}}\n")


# gateways

def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    text = ", ".join(f"{a} : {b}" for a, b in pairs)
    return f"elements = {{ {text} }}" if text else ""


def internet_gateway(vpc_cidr: str, public: Mapping[str, str]) -> str:
    """One-to-one address translation for private addresses with a public address; all others are
    dropped (VPC User Guide, "Internet gateways"). Stateless, like AWS's. `public`: private →
    public address."""
    return f"""table ip gateway
delete table ip gateway
table ip gateway {{
 map outward {{ type ipv4_addr : ipv4_addr; {_pairs(public.items())}
 }}
 map inward {{ type ipv4_addr : ipv4_addr; {_pairs((b, a) for a, b in public.items())}
 }}
 chain translate {{ type filter hook prerouting priority raw; policy drop;
  iifname "{OUTSIDE}" ip saddr {vpc_cidr} drop
  iifname "{OUTSIDE}" ip daddr set ip daddr map @inward accept
  iifname "{UPLINK}" ip saddr set ip saddr map @outward accept
 }}
}}
"""


def nat_gateway(vpc_cidr: str) -> str:
    """Only outgoing connections; source ports 1024-65535, independent of the client's (VPC User
    Guide, "NAT gateway basics" and "Ephemeral ports"). Accepts no connection itself."""
    return f"""table ip nat {{
 chain translate {{ type nat hook postrouting priority srcnat;
  ip saddr {vpc_cidr} meta l4proto {{ tcp, udp }} masquerade to :1024-65535 fully-random
  ip saddr {vpc_cidr} masquerade
 }}
 chain forward {{ type filter hook forward priority filter; policy drop;
  ct state established,related accept
  ip saddr {vpc_cidr} ip daddr != {vpc_cidr} accept
 }}
 chain input {{ type filter hook input priority filter; policy drop;
  ct state established,related accept
 }}
}}
"""


def forwarder(near: str, number: int, to: str, far: str) -> str:
    """Forwards one TCP port of an ENI to a server on the backplane, and drops all other
    packets."""
    return f"""table ip forwarder {{
 chain inward {{ type nat hook prerouting priority dstnat;
  iifname "{near}" tcp dport {number} dnat to {to}:{number}
 }}
 chain outward {{ type nat hook postrouting priority srcnat;
  oifname "{far}" masquerade
 }}
 chain forward {{ type filter hook forward priority filter; policy drop;
  ct state established,related accept
  ct status dnat accept
 }}
}}
"""
