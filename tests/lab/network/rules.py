"""Network ACLs and security groups as nftables rules: text from the model, loaded by a single `nft
-f`, which replaces the whole table in one transaction.

Network ACLs (VPC User Guide, "Network ACLs"), in the VPC's router. A packet is checked by the ACL
of the subnet that it leaves, then by the ACL of the subnet that it enters; packets within a subnet
do not pass this router. The first matching entry, by number, decides; a packet without a match is
dropped. ACLs are stateless: this table has no `ct`. An entry's CIDR is the other side, and its
ports are the packet's destination ports, in both directions.

Security groups (VPC User Guide, "Security groups"; EC2 User Guide, "Security group connection
tracking"), in each subnet's router, one chain for packets from an interface and one for packets to
it. One rule of any of the interface's groups allows a connection; replies and ICMP errors of the
connection are then allowed. Therefore path MTU discovery needs no rule of a group (EC2 User Guide,
"Network MTU"), but an entry of each ACL (VPC User Guide, "Path MTU Discovery"). A rule with a
group as its peer matches the private addresses of that group's interfaces.

Resolver, instance metadata and time service are not filtered. AWS's list also has DHCP and the
routers' own addresses; the lab's routers accept no packets.

AWS does not document fragments. Only the first fragment has ports. The subnets' routers reassemble
packets before the security groups; in an ACL later fragments match only entries without ports. Not
implemented: AWS does not track connections that rules allow in both directions ("untracked
connections"), and cuts them when the rule is removed. Here they continue, like AWS's tracked
connections."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Iterable

from lab.model.model import ANY, ICMP, TCP, UDP, Acl, AclEntry, Model, Rule

ACL_TABLE, GROUP_TABLE = "acl", "groups"
# Metadata, the resolver's link-local address, Amazon Time Sync
UNFILTERED = ("169.254.169.254", "169.254.169.253", "169.254.169.123")
DEVICE_LETTERS = 15  # the longest name of a device in Linux


def device(subnet: str) -> str:
    """The VPC router's device to a subnet's router."""
    name = f"sub-{subnet}"
    if len(name) <= DEVICE_LETTERS:
        return name
    return f"{name[:DEVICE_LETTERS - 4]}{hashlib.sha256(subnet.encode()).hexdigest()[:4]}"


@dataclass
class EniView:
    """A network interface, for its subnet's router."""
    device: str               # the router's end of the link
    address: str
    groups: list[str] | None  # None: not filtered (a NAT gateway has no groups)
    source_check: bool = True


# network ACLs

def acl_ruleset(model: Model, enforced: bool = True) -> str:
    """Rules of the VPC's router. Not enforced: everything passes."""
    if not enforced:
        return _table(ACL_TABLE, ["# Off: all packets pass.", *_forward([])])
    used = sorted({subnet.acl for subnet in model.subnets.values()})
    subnets = sorted(model.subnets.values(), key=lambda s: s.name)
    out = {device(s.name): f"jump {s.acl}-out" for s in subnets}
    into = {device(s.name): f"jump {s.acl}-in" for s in subnets}
    body = _unfiltered(model)
    for name in used:
        body += [f'counter {name}-{way}-denied {{ }}' for way in ("in", "out")]
    body += _forward(["ip saddr @unfiltered accept", "ip daddr @unfiltered accept",
                      _switch("iifname", out), _switch("oifname", into)])
    for name in used:
        for way in ("in", "out"):
            body += _acl_chain(model.acls[name], way)
    return _table(ACL_TABLE, body)


def _acl_chain(acl: Acl, way: str) -> list[str]:
    lines = [f"chain {acl.name}-{way} {{"]
    for entry in acl.entries:
        if entry.egress == (way == "out"):
            verdict = "return" if entry.allow else "drop"
            lines.append(f"\t{_join(_acl_match(entry), 'counter', verdict)} "
                         f'comment "{entry.number} {entry.name}, line {entry.line}"')
    return [*lines, f'\tcounter name "{acl.name}-{way}-denied" drop comment "* no entry"', "}"]


def _acl_match(entry: AclEntry) -> str:
    side = "daddr" if entry.egress else "saddr"
    address = "" if entry.cidr == "0.0.0.0/0" else f"ip {side} {entry.cidr}"
    if entry.protocol in (TCP, UDP):
        name = "tcp" if entry.protocol == TCP else "udp"
        return _join(address, _ports(name, entry.first, entry.last))
    if entry.protocol == ICMP:
        return _join(address, _icmp(entry.icmp_type, entry.icmp_code))
    return address


# security groups

def group_ruleset(model: Model, subnet: str, enis: list[EniView],
                  members: dict[str, list[str]], enforced: bool = True) -> str:
    """Rules of a subnet's router. `members`: the private addresses of all interfaces of the VPC,
    by group. Not enforced: everything passes, also with a false source address."""
    if not enforced:
        return _table(GROUP_TABLE, [f"# {subnet}. Off: all packets pass.", *_forward([])])
    out = {e.device: f"jump {_chain('from', e)}" for e in enis if _judged(e)}
    into = {e.device: f"jump {_chain('to', e)}" for e in enis if _judged(e)}
    rules = [r for e in enis for g in e.groups or [] for r in
             model.groups[g].egress + model.groups[g].ingress]
    body = [f"# {subnet}", *_unfiltered(model), *_peers(model, rules, members)]
    body += _set("interfaces", "ifname", [f'"{e.device}"' for e in enis])
    body += ["counter spoofed { }", "counter misrouted { }", "counter unknown { }"]
    for eni in enis:
        if eni.groups is not None:
            body += [f"counter {_chain(way, eni)}-denied {{ }}" for way in ("from", "to")]
    # Packets of unknown interfaces are dropped: a new interface has to wait for its rules.
    body += _forward([*([_switch("iifname", out), _switch("oifname", into)] if out else []),
                      "iifname @interfaces accept", "oifname @interfaces accept",
                      'counter name "unknown" drop'])
    for eni in enis:
        if _judged(eni):
            body += _eni_chain(model, eni, "from") + _eni_chain(model, eni, "to")
    return _table(GROUP_TABLE, body)


def _judged(eni: EniView) -> bool:
    return eni.groups is not None or eni.source_check


def _chain(way: str, eni: EniView) -> str:
    return f"{way}-{eni.device}"


def _eni_chain(model: Model, eni: EniView, way: str) -> list[str]:
    """Egress rules for packets from an interface ("from"), ingress rules for packets to it
    ("to")."""
    own, other = ("saddr", "daddr") if way == "from" else ("daddr", "saddr")
    said = "no group" if eni.groups is None else ", ".join(eni.groups) or "no rules"
    lines = [f"chain {_chain(way, eni)} {{", f"\t# {eni.address}: {said}"]
    if eni.source_check:  # EC2 User Guide, "Source/destination check"
        counter = "spoofed" if way == "from" else "misrouted"
        lines.append(f'\tip {own} != {eni.address} counter name "{counter}" drop')
    if eni.groups is None:
        return [*lines, "}"]
    lines += [f"\tip {other} @unfiltered return", "\tct state established,related return",
              "\tct state invalid counter drop"]
    for group in eni.groups:
        for rule in _rules(model, group, way):
            lines.append(f"\t{_join(_group_match(rule, other), 'counter', 'return')} "
                         f'comment "{rule.name}, line {rule.line}"')
    return [*lines, f'\tcounter name "{_chain(way, eni)}-denied" drop comment "* no rule"', "}"]


def _rules(model: Model, group: str, way: str) -> list[Rule]:
    return model.groups[group].egress if way == "from" else model.groups[group].ingress


def _group_match(rule: Rule, side: str) -> str:
    if rule.peer_kind == "cidr":
        address = "" if rule.peer == "0.0.0.0/0" else f"ip {side} {rule.peer}"
    else:
        address = f"ip {side} @{_peer_set(rule)}"
    if rule.protocol == "icmp":
        return _join(address, _icmp(rule.first, rule.last))
    if rule.protocol == "-1":
        return address
    return _join(address, _ports(rule.protocol, rule.first, rule.last))


def _peer_set(rule: Rule) -> str:
    return f"members-{rule.peer}" if rule.peer_kind == "group" else rule.peer


def _peers(model: Model, rules: list[Rule], members: dict[str, list[str]]) -> list[str]:
    """The named sets for the rules' peers."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        if rule.peer_kind == "group":
            found[_peer_set(rule)] = _set(_peer_set(rule), "ipv4_addr",
                                          members.get(rule.peer, []))
        elif rule.peer_kind == "prefix":
            blocks = model.prefix_lists[rule.peer]
            found[_peer_set(rule)] = _set(_peer_set(rule), "ipv4_addr", blocks, "flags interval",
                                          "auto-merge")
    return [line for name in sorted(found) for line in found[name]]


# text fragments

def _ports(protocol: str, first: int, last: int) -> str:
    if first == ANY:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {first}" + (f"-{last}" if last != first else "")


def _icmp(kind: int, code: int) -> str:
    if kind == ANY:
        return "meta l4proto icmp"
    return f"icmp type {kind}" + (f" icmp code {code}" if code != ANY else "")


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _set(name: str, kind: str, elements: Iterable[str], *more: str) -> list[str]:
    known = sorted(set(elements))
    lines = [f"set {name} {{", f"\ttype {kind}", *(f"\t{m}" for m in more)]
    if known:
        lines.append(f"\telements = {{ {', '.join(known)} }}")
    return [*lines, "}"]


def _unfiltered(model: Model) -> list[str]:
    return _set("unfiltered", "ipv4_addr", [*UNFILTERED, model.resolver])


def _switch(selector: str, jumps: dict[str, str]) -> str:
    return f"{selector} vmap {{ " + ", ".join(f'"{d}" : {j}' for d, j in jumps.items()) + " }"


def _forward(rules: list[str]) -> list[str]:
    return ["chain forward {", "\ttype filter hook forward priority filter; policy accept;",
            *(f"\t{rule}" for rule in rules), "}"]


def _table(name: str, body: list[str]) -> str:
    """Creates the table if it is missing, deletes it and creates it again, in one transaction."""
    inside = "".join(f"\t{line}\n" for line in body)
    return f"table ip {name}\ndelete table ip {name}\ntable ip {name} {{\n{inside}}}\n"
