"""R7's probes: from each host to each host, on all ports in use and on samples of the return ports
of the ACLs, also from the internet; every port has a listener. This module sends the probes and
collects the results; proof/test_r7_minimal.py has the expected results."""
from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Iterator

from lab.command.client import Lab
from lab.command.table import table
from .probing import Listener, Place, Target, namespace, place_of, start, verdicts

USED = (22, 80, 443, 2049, 3306, 8099)
SAMPLES = (25, 111, 1024, 8080, 33000, 50000, 60999, 65000)
PORTS = USED + SAMPLES
UDP = (53, 2049, 33000)
FLAG = {"tcp": "", "udp": "u", "icmp": "ping"}
AT_ONCE = 6  # sources at the same time; each mostly waits
PUBLIC, WEB, DATABASE, OUTSIDE = "public", "web", "database", "outside"
TIERS = {"bastion": PUBLIC, "alb": PUBLIC, "nat": PUBLIC, "web": WEB, "endpoint": WEB,
         "mount-target": WEB, "database": DATABASE, "internet": OUTSIDE}


@dataclass
class Spot:
    """An address that can be probed, and its probes' source."""
    name: str
    kind: str          # bastion web alb nat mount-target endpoint database internet
    zone: str
    address: str
    public: str
    place: Place | None

    @property
    def tier(self) -> str:
        return TIERS[self.kind]


@dataclass(frozen=True)
class Knock:
    source: str
    target: str
    public: bool       # whether it is the host's public address
    port: int
    protocol: str

    def told(self, verdict: str) -> str:
        return (f"{self.source} -> {self.target}{' (public address)' if self.public else ''} "
                f"{self.port or ''}/{self.protocol}: {verdict}")


Met = dict[Knock, str]


def spots(lab: Lab) -> dict[str, Spot]:
    found = {}
    writer = lab.database()["writer"]
    for name, info in lab.ask("spots").items():
        place = place_of(lab.host(info["host"])) if info["host"] else \
            namespace(info["namespace"]) if info["namespace"] else None
        if info["kind"] == "database":
            name = "writer" if info["address"] == writer else "standby"
        found[name] = Spot(name, info["kind"], info["zone"], info["address"],
                           info["public"] or "", place)
    return found


def knocks(source: Spot, everybody: dict[str, Spot]) -> list[Knock]:
    found: list[Knock] = []
    for target in everybody.values():
        if target is source or (source.kind == target.kind == "internet"):
            continue
        for public in (False, True):
            if not public or target.public not in ("", target.address):
                found += [Knock(source.name, target.name, public, port, "tcp") for port in PORTS]
                found += [Knock(source.name, target.name, public, port, "udp") for port in UDP]
                found.append(Knock(source.name, target.name, public, 0, "icmp"))
    return found


def probe(everybody: dict[str, Spot], wanted: list[Knock]) -> Met:
    """The result of each probe; a few sources at a time."""
    def address(knock: Knock) -> Target:
        target = everybody[knock.target]
        return (target.public if knock.public else target.address, knock.port, knock.protocol)
    by_source: dict[str, list[Knock]] = {}
    for knock in wanted:
        by_source.setdefault(knock.source, []).append(knock)
    met: Met = {}
    sources = list(by_source)
    for index in range(0, len(sources), AT_ONCE):
        begun = []
        for name in sources[index:index + AT_ONCE]:
            place = everybody[name].place
            assert place
            begun.append((name, start(place, map(address, by_source[name]))))
        for name, process in begun:
            met.update(zip(by_source[name], verdicts(process), strict=True))
    return met


def matrix(everybody: dict[str, Spot]) -> Met:
    return probe(everybody, [knock for source in everybody.values() if source.place
                             for knock in knocks(source, everybody)])


def again(everybody: dict[str, Spot], met: Met, silent: list[Knock]) -> str:
    """Repeats a probe if an answer was expected and none came: a packet lost among hundreds is not
    a denial. Reports it and updates the results."""
    if not silent:
        return ""
    met.update(probe(everybody, silent))
    answered = sum(met[knock] == "open" for knock in silent)
    return f"; {len(silent)} silent at first and knocked at again, {answered} of them answered then"


def shown(everybody: dict[str, Spot], met: Met) -> str:
    """The table of allowed probes."""
    rows = [["from \\ to", *everybody]]
    for source in dict.fromkeys(knock.source for knock in met):
        cells = []
        for target in everybody:
            got = [f"{FLAG[k.protocol]}{k.port or ''}{'*' if k.public else ''}"
                   for k, verdict in met.items()
                   if (k.source, k.target) == (source, target) and verdict != "silent"]
            cells.append("-" if target == source else
                         " ".join(got) if len(got) <= 4 else f"{len(got)} open")
        rows.append([source, *cells])
    return table(rows)


@contextmanager
def listeners(everybody: dict[str, Spot]) -> Iterator[None]:
    """Listeners on every port of every address that has a place. One port of an endpoint's or a
    mount target's address is forwarded to a server of the lab."""
    with ExitStack() as stack:
        begun = []
        for spot in everybody.values():
            if spot.place:
                begun.append(Listener(spot.place, sorted({*PORTS, *UDP})))
                stack.callback(begun[-1].close)
        for listener in begun:
            listener.wait()
        yield
