"""R7: every flow that the system needs works, and everything else is denied.

Each host knocks at each host, on all ports in use and on samples of the ranges that the
ACLs open for replies, from the internet too. Behind every port is a listener: with the
rules off each of them is shown to answer. A refusal counts as let through."""
from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Iterator

import pytest

from lab.client import Lab
from lab.probing import Listener, Place, Target, namespace, place_of, start, verdicts
from lab.table import Notes, table

USED = (22, 80, 443, 2049, 3306, 8099)
SAMPLES = (25, 111, 1024, 8080, 33000, 50000, 60999, 65000)
PORTS = USED + SAMPLES
UDP = (53, 2049, 33000)
FLAG = {"tcp": "", "udp": "u", "icmp": "ping"}


@dataclass
class Spot:
    """One address somebody can knock at, and from where."""
    name: str
    kind: str          # bastion web alb nat mount-target endpoint database internet
    zone: str
    address: str
    public: str
    place: Place | None


def allowed(source: Spot, target: Spot, public: bool, port: int, protocol: str) -> bool:
    """The system's flows as the document lists them, and the rows of our own
    (userdata/README.md): not read off the template, which is what is being judged."""
    pair = (source.kind, target.kind)
    if protocol == "icmp":
        return pair == ("web", "internet")
    if protocol != "tcp":
        return False
    if pair == ("internet", "internet"):
        return True
    if pair == ("internet", "bastion"):
        return public and port == 22
    if pair == ("internet", "alb"):
        return public and port == 80
    if public:
        return False
    if pair == ("bastion", "web"):
        return port == 22
    if pair == ("alb", "web"):
        return port in (80, 8099)
    if pair == ("web", "mount-target"):
        return port == 2049 and source.zone == target.zone
    if pair == ("web", "database"):
        return port == 3306 and target.name == "writer"
    if pair == ("web", "endpoint"):
        return port == 443
    if pair == ("web", "internet"):
        return port == 443 and target.name in ("repository", "elsewhere")
    return False


def spots(lab: Lab) -> list[Spot]:
    found = []
    writer = lab.database()["writer"]
    for name, info in lab.ask("spots").items():
        place = place_of(lab.host(info["host"])) if info["host"] else \
            namespace(info["namespace"]) if info["namespace"] else None
        if info["kind"] == "database":
            name = "writer" if info["address"] == writer else "standby"
        found.append(Spot(name, info["kind"], info["zone"], info["address"],
                          info["public"] or "", place))
    return found


Knock = tuple[Spot, bool, int, str]  # at whom, at the public address, port, protocol


def knocks(source: Spot, everybody: list[Spot]) -> list[Knock]:
    found: list[Knock] = []
    for target in everybody:
        if target is source or (source.kind == target.kind == "internet"):
            continue
        for public in (False, True):
            if not public or target.public:
                found += [(target, public, port, "tcp") for port in PORTS]
                found += [(target, public, port, "udp") for port in UDP]
                found.append((target, public, 0, "icmp"))
    return found


def address(knock: Knock) -> Target:
    target, public, port, protocol = knock
    return (target.public if public else target.address, port, protocol)


def matrix(everybody: list[Spot]) -> dict[str, list[tuple[Knock, str]]]:
    """Source → what each knock met. Two sources at a time: the machine may have two cores."""
    sources = [spot for spot in everybody if spot.place]
    met: dict[str, list[tuple[Knock, str]]] = {}
    for index in range(0, len(sources), 2):
        begun = []
        for source in sources[index:index + 2]:
            assert source.place
            own = knocks(source, everybody)
            begun.append((source, own, start(source.place, [address(k) for k in own])))
        for source, own, process in begun:
            met[source.name] = list(zip(own, verdicts(process)))
    return met


def silent_by_nature(source: Spot, knock: Knock) -> bool:
    """What has no rule to be off: the standby answers nobody (RDS User Guide, "Multi-AZ DB
    instance deployments"), a NAT gateway takes no connection, an ENI that forwards one port
    has no other; the internet has no way to a private address and the database subnets none
    to the internet; public addresses are for those who come from the internet."""
    target, public, port, protocol = knock
    if "standby" in (target.name, source.name) or target.kind == "nat":
        return True
    if source.kind == "internet":
        return not public
    if public or (source.kind == "database" and target.kind == "internet"):
        return True
    if target.kind in ("endpoint", "mount-target"):
        return (port, protocol) != ((443 if target.kind == "endpoint" else 2049), "tcp")
    return False

def row(name: str, everybody: list[Spot], met: list[tuple[Knock, str]]) -> list[str]:
    cells = []
    for target in everybody:
        if target.name == name:
            cells.append("-")
            continue
        got = [f"{FLAG[p]}{port or ''}{'*' if public else ''}" for (t, public, port, p), verdict
               in met if t is target and verdict != "silent"]
        cells.append(" ".join(got) if len(got) <= 4 else f"{len(got)} open")
    return [name, *cells]


@contextmanager
def listeners(everybody: list[Spot]) -> Iterator[None]:
    """On every address but those whose one port leads to a server of the lab's."""
    with ExitStack() as stack:
        begun = [Listener(spot.place, sorted({*PORTS, *UDP})) for spot in everybody
                 if spot.place and spot.kind not in ("endpoint", "mount-target")]
        for listener in begun:
            stack.callback(listener.close)
        for listener in begun:
            listener.wait()
        yield


def described(name: str, knock: Knock, verdict: str) -> str:
    target, public, port, protocol = knock
    return f"{name} -> {target.name}{' (public address)' if public else ''} " \
           f"{port or ''}/{protocol}: {verdict}"


@pytest.mark.timeout(180)
def test_what_is_needed_works_and_nothing_else(settled: Lab, notes: Notes) -> None:
    began = time.monotonic()
    everybody = spots(settled)
    by_name = {spot.name: spot for spot in everybody}
    with listeners(everybody):
        found = matrix(everybody)
    took = time.monotonic() - began
    wrong, counts = [], {True: 0, False: 0}
    for name, met in found.items():
        for knock, verdict in met:
            needed = allowed(by_name[name], *knock)
            counts[needed] += 1
            if verdict != ("open" if needed else "silent"):
                wrong.append(("needed: " if needed else "not needed: ")
                             + described(name, knock, verdict))
    head = ["from \\ to", *(spot.name for spot in everybody)]
    notes.add("R7  what was let through (port*: at the public address):\n" +
              table([head, *(row(name, everybody, met) for name, met in found.items())]) +
              f"\n{counts[True]} flows needed, {counts[False]} others denied; {took:.0f} s")
    assert not wrong, "\n".join(wrong[:40])
    assert took <= 30, f"{took:.0f} s, and as much without rules"


@pytest.mark.timeout(180)
def test_without_rules_every_door_opens(settled: Lab, notes: Notes) -> None:
    """The twin of all those denials: it was the rules, and not that nobody was there."""
    began = time.monotonic()
    everybody = spots(settled)
    by_name = {spot.name: spot for spot in everybody}
    with listeners(everybody):
        settled.ask("enforce", on=False)
        try:
            found = matrix(everybody)
        finally:
            settled.ask("enforce", on=True)
    took = time.monotonic() - began
    deaf, opened = [], 0
    for name, met in found.items():
        for knock, verdict in met:
            if not silent_by_nature(by_name[name], knock):
                opened += verdict == "open"
                if verdict != "open":
                    deaf.append(described(name, knock, verdict))
    notes.add(f"R7  without rules {opened} of the same doors open; {took:.0f} s")
    assert not deaf, "\n".join(deaf[:40])
    assert took <= 30, f"{took:.0f} s"
