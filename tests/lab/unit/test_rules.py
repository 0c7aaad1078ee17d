"""The rules made from the template: their syntax with nft, their effect with packets."""
from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from lab.model import model
from lab.network import rules
from lab.network.rules import EniView
from lab.unit import small_net, stack_tree

WEB = [EniView("web1", "10.16.3.10", ["WebGroup"]), EniView("web2", "10.16.3.11", ["WebGroup"])]
ALB = [EniView("alb", "10.16.1.20", ["AlbGroup"])]
MEMBERS = {"WebGroup": ["10.16.3.10", "10.16.3.11"], "AlbGroup": ["10.16.1.20"]}
ANYWHERE = "0.0.0.0/0"


@pytest.fixture(scope="module")
def built() -> model.Model:
    return stack_tree.build(stack_tree.tree())


def checked(text: str) -> None:
    """Loads the rules with nft, twice."""
    done = subprocess.run(["unshare", "--net", "nft", "-f", "-"], input=text + text,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


# text

def test_the_text_is_taken_by_nft(built: model.Model) -> None:
    checked(rules.acl_ruleset(built))
    checked(rules.acl_ruleset(built, enforced=False))
    nat = EniView("nat", "10.16.1.5", None, source_check=False)
    for subnet, enis in (("WebA", WEB), ("PublicA", [*ALB, nat]), ("DatabaseA", [])):
        checked(rules.group_ruleset(built, subnet, enis, MEMBERS))
        checked(rules.group_ruleset(built, subnet, enis, MEMBERS, enforced=False))


def test_acls_remember_nothing_and_name_every_entry(built: model.Model) -> None:
    text = rules.acl_ruleset(built)
    assert not re.search(r"\bct\b", text)
    for acl in built.acls.values():
        for entry in acl.entries if acl.name != model.DEFAULT_ACL else []:
            assert f'comment "{entry.number} {entry.name}, line {entry.line}"' in text
    assert text.count("-denied { }") == 12  # six ACLs, two directions


def test_lists_and_groups_are_named_sets(built: model.Model) -> None:
    text = rules.group_ruleset(built, "WebA", WEB, MEMBERS)
    assert "elements = { 10.16.3.10, 10.16.3.11 }" not in text  # WebGroup: no rule's peer
    assert "elements = { 10.16.1.20 }" in text
    assert "ip daddr @pl-78a54011 tcp dport 443" in text and "3.5.140.0/22" in text


def test_devices_fit_and_differ() -> None:
    assert rules.device("PublicA") == "sub-PublicA"
    long = [rules.device(f"AVeryLongSubnet{n}") for n in range(50)]
    assert len(set(long)) == 50 and all(len(name) <= 15 for name in long)


def test_an_entry_with_every_protocol(built: model.Model) -> None:
    def entry(protocol: int, **more: Any) -> str:
        made = model.AclEntry(1, False, protocol, model.ANY, model.ANY, model.ANY, model.ANY,
                              "10.0.0.0/8", True, 1, "E")
        text = rules.acl_ruleset(replace(built, acls={
            **built.acls, "WebAclA": model.Acl("WebAclA", "acl", [replace(made, **more)], 1)}))
        checked(text)
        return next(line.strip() for line in text.splitlines() if '"1 E, line 1"' in line)
    assert entry(model.ANY).startswith("ip saddr 10.0.0.0/8 counter return")
    assert "udp dport 53 counter" in entry(model.UDP, first=53, last=53)
    assert "tcp dport 1024-65535 counter" in entry(model.TCP, first=1024, last=65535)
    assert "icmp type 3 icmp code 4 counter" in entry(model.ICMP, icmp_type=3, icmp_code=4)
    assert "meta l4proto icmp counter" in entry(model.ICMP)
    assert entry(model.ANY, cidr=ANYWHERE, allow=False).startswith("counter drop")


# effect

def verdicts(texts: dict[str, str], *probes: tuple[Any, ...]) -> tuple[dict[Any, str], Any]:
    """Probes are (from, to, port), or (from, to, "icmp" or "big icmp"), or with a false source
    address."""
    sizes = {"icmp": 56, "big icmp": 4000}  # the second one is fragmented
    wanted = [[p[0], p[1], "icmp" if p[2] in sizes else "tcp", sizes.get(p[2], p[2]),
               p[3] if len(p) > 3 else ""] for p in probes]
    done = small_net.run(texts, wanted)
    return dict(zip(probes, done["verdicts"])), done["counters"]


ALLOWED = [("alb", "web1", 80), ("alb", "web2", 8099), ("client", "alb", 80)]
DENIED = [("alb", "web1", 22), ("alb", "web1", 443), ("web1", "web2", 80), ("web1", "web2", 22),
          ("web1", "alb", 80), ("client", "web1", 80), ("client", "alb", 22), ("alb", "client", 80),
          ("web1", "client", 443), ("client", "web1", "icmp"), ("web1", "web2", "icmp"),
          ("alb", "web1", 80, "10.16.1.99")]


def all_rules(built: model.Model, enforced: bool = True) -> dict[str, str]:
    return {"vpc": rules.acl_ruleset(built, enforced),
            "weba": rules.group_ruleset(built, "WebA", WEB, MEMBERS, enforced),
            "public": rules.group_ruleset(built, "PublicA", ALB, MEMBERS, enforced)}


def test_with_the_rules_off_everything_passes(built: model.Model) -> None:
    found, _ = verdicts(all_rules(built, enforced=False), *ALLOWED,
                        *(d for d in DENIED if len(d) == 3))
    assert set(found.values()) == {"open"}, found


def test_the_projects_rules_let_through_what_is_needed_and_nothing_else(
        built: model.Model) -> None:
    resolver = [("web1", "resolver", 53), ("resolver", "web1", 40000)]
    found, counted = verdicts(all_rules(built), *ALLOWED, *resolver, *DENIED)
    assert {p: v for p, v in found.items() if p in ALLOWED + resolver} == {
        p: "open" for p in ALLOWED + resolver}
    assert {p: found[p] for p in DENIED} == {p: "lost" for p in DENIED}
    assert counted["weba"]["from-web1-denied"] > 0
    # Ping may leave to all addresses: the other host's group denies it.
    assert counted["weba"]["to-web2-denied"] == 1
    assert counted["public"]["spoofed"] > 0
    # Packets that the groups deny do not reach the ACLs; the client's ssh comes to the ACL first.
    assert counted["vpc"]["PublicAclA-in-denied"] == 1


OPEN = model.Rule("-1", model.ANY, model.ANY, "cidr", ANYWHERE, 1, "Open")


def with_acls(built: model.Model, **acls: list[tuple[Any, ...]]) -> model.Model:
    """Groups that allow everything, and these ACLs: (number, way, protocol, first, last, cidr,
    allow)."""
    made = {name: model.Acl(name, "acl", [
        model.AclEntry(number, way == "out", protocol, first if protocol == model.TCP else -1,
                       last, first if protocol == model.ICMP else -1, -1, cidr, allow, 1, name)
        for number, way, protocol, first, last, cidr, allow in sorted(entries)], 1)
        for name, entries in acls.items()}
    groups = {n: replace(g, ingress=[OPEN], egress=[OPEN]) for n, g in built.groups.items()}
    return replace(built, groups=groups, acls={**built.acls, **made})


EVERYTHING = [(1, "in", model.ANY, -1, -1, ANYWHERE, True),
              (1, "out", model.ANY, -1, -1, ANYWHERE, True)]


def test_acls_are_stateless(built: model.Model) -> None:
    """Without a row for the replies there is no connection; the groups' connection tracking does
    not help."""
    way_in = (100, "in", model.TCP, 80, 80, "10.16.1.0/24", True)
    way_back = (100, "out", model.TCP, 1024, 65535, "10.16.1.0/24", True)
    for entries, expected in (([way_in], "lost"), ([way_back], "lost"), ([way_in, way_back], "open")):
        found, counted = verdicts(all_rules(with_acls(
            built, WebAclA=entries, PublicAclA=EVERYTHING)), ("alb", "web1", 80))
        assert found == {("alb", "web1", 80): expected}
        denied = counted["vpc"]["WebAclA-in-denied"], counted["vpc"]["WebAclA-out-denied"]
        assert [n > 0 for n in denied] == [way_in not in entries,
                                           way_in in entries and way_back not in entries]


def test_the_first_entry_by_number_decides(built: model.Model) -> None:
    deny = (50, "in", model.TCP, 80, 80, "10.16.1.20/32", False)
    late = (200, "in", model.TCP, 443, 443, ANYWHERE, False)
    acl = [*EVERYTHING[1:], deny, (100, "in", model.TCP, 1, 65535, ANYWHERE, True), late]
    found, _ = verdicts(all_rules(with_acls(built, WebAclA=acl, PublicAclA=EVERYTHING)),
                        ("alb", "web1", 80), ("alb", "web1", 443), ("alb", "web1", 22))
    assert list(found.values()) == ["lost", "open", "open"]


def test_within_a_subnet_there_are_no_acls_but_groups(built: model.Model) -> None:
    texts = all_rules(with_acls(built, WebAclA=[], PublicAclA=[]))
    found, _ = verdicts(texts, ("web1", "web2", 80), ("web1", "web2", "icmp"), ("alb", "web1", 80))
    assert list(found.values()) == ["open", "open", "lost"]


def test_icmp_by_type(built: model.Model) -> None:
    echo, answer = 8, 0
    web = [(1, "out", model.ICMP, echo, -1, ANYWHERE, True),
           (1, "in", model.ICMP, answer, -1, ANYWHERE, True)]
    found, _ = verdicts(all_rules(with_acls(built, WebAclA=web, PublicAclA=EVERYTHING)),
                        ("web1", "alb", "icmp"), ("alb", "web1", "icmp"), ("web1", "alb", 80))
    assert list(found.values()) == ["open", "lost", "lost"]


def test_fragments_have_no_types_and_no_ports(built: model.Model) -> None:
    """As in network/rules.py: fragments match only entries for all of a protocol."""
    for kinds, expected in (((8, 0), "lost"), ((model.ANY, model.ANY), "open")):
        web = [(1, "out", model.ICMP, kinds[0], -1, ANYWHERE, True),
               (1, "in", model.ICMP, kinds[1], -1, ANYWHERE, True)]
        found, _ = verdicts(all_rules(with_acls(built, WebAclA=web, PublicAclA=EVERYTHING)),
                            ("web1", "alb", "icmp"), ("web1", "alb", "big icmp"))
        assert list(found.values()) == ["open", expected]


def test_groups_are_stateful_both_ways(built: model.Model) -> None:
    """One egress rule here and one ingress rule there: replies need no rule."""
    to_alb = model.Rule("tcp", 80, 80, "group", "AlbGroup", 1, "Out")
    from_web = model.Rule("tcp", 80, 80, "group", "WebGroup", 1, "In")
    wide = with_acls(built, WebAclA=EVERYTHING, PublicAclA=EVERYTHING)
    groups = {**wide.groups,
              "WebGroup": replace(wide.groups["WebGroup"], ingress=[], egress=[to_alb]),
              "AlbGroup": replace(wide.groups["AlbGroup"], ingress=[from_web], egress=[])}
    probes = [("web1", "alb", 80), ("alb", "web1", 80), ("web1", "web2", 80), ("web1", "alb", 22)]
    found, _ = verdicts(all_rules(replace(wide, groups=groups)), *probes)
    assert list(found.values()) == ["open", "lost", "lost", "lost"]
    # Without the other side's rule packets are dropped; a new member of the group gets rules at
    # once.
    for side in ("WebGroup", "AlbGroup"):
        less = {**groups, side: replace(groups[side], ingress=[], egress=[])}
        found, _ = verdicts(all_rules(replace(wide, groups=less)), *probes[:1])
        assert list(found.values()) == ["lost"]


def test_an_interface_without_rules_yet_is_shut(built: model.Model) -> None:
    texts = all_rules(with_acls(built, WebAclA=EVERYTHING, PublicAclA=EVERYTHING))
    texts["weba"] = rules.group_ruleset(built, "WebA", WEB[:1], MEMBERS)
    found, counted = verdicts(texts, ("alb", "web1", 80), ("alb", "web2", 80))
    assert list(found.values()) == ["open", "lost"] and counted["weba"]["unknown"] > 0


def test_an_interface_without_groups_is_not_filtered(built: model.Model) -> None:
    texts = all_rules(with_acls(built, WebAclA=EVERYTHING, PublicAclA=EVERYTHING))
    texts["weba"] = rules.group_ruleset(
        built, "WebA", [EniView("web1", "10.16.3.10", None, source_check=False)], MEMBERS)
    found, _ = verdicts(texts, ("alb", "web1", 443), ("alb", "web1", 22))
    assert list(found.values()) == ["open", "open"]
