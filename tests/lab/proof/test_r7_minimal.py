"""R7: every flow that the system needs works, and everything else is denied.

Each host probes each host (proof/knocking.py), in four rounds: with all rules; without rules (the
counterpart of all denials: it proves that the rules caused them); with the security groups alone;
and with the network ACLs alone, because each layer hides what the other one allows. The expected
results are written here and not derived from the template, which is under test. A refused
connection counts as allowed."""
from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator

import pytest

from lab.command import proving
from lab.command.client import Lab
from lab.command.table import Notes
from lab.model import updating
from lab.model.updating import Edit
from lab.template.interpreter import load_tree
from lab.template.tree import Tree
from .knocking import (DATABASE, OUTSIDE, PUBLIC, WEB, Knock, Met, Spot, again, listeners, matrix,
                          shown, spots)

BAR_S = 60.0
OFF = "without rules"
Flow = Callable[[Spot, Spot, Knock], bool]


# expected results

def groups_allow(source: Spot, target: Spot, knock: Knock) -> bool:
    """The document's flows, and the template's own rows (userdata/README.md)."""
    pair, port = (source.kind, target.kind), knock.port
    if knock.protocol == "icmp":
        return pair == ("web", "internet")
    if knock.protocol != "tcp":
        return False
    if source.kind == "internet":
        return knock.public and ((target.kind, port) == ("alb", 80) or (
            source.name, target.kind, port) == ("admin", "bastion", 22))
    if knock.public:
        return False
    return (pair, port) in (
        (("bastion", "web"), 22), (("alb", "web"), 80), (("alb", "web"), 8099),
        (("web", "mount-target"), 2049), (("web", "endpoint"), 443)) \
        or (pair == ("web", "database") and port == 3306) \
        or (source.kind == "web" and target.name in ("repository", "elsewhere") and port == 443)


def allowed(source: Spot, target: Spot, knock: Knock) -> bool:
    """With ACLs: only the mount target of the own zone."""
    return groups_allow(source, target, knock) and not (
        target.kind == "mount-target" and source.zone != target.zone)


def acls_allow(source: Spot, target: Spot, knock: Knock) -> bool:
    """ACLs know only subnets, not hosts. Replies need rows, too, and a row for replies also allows
    requests to the same ports."""
    way, port = (source.tier, target.tier), knock.port
    if OUTSIDE not in way and source.tier == target.tier and source.zone == target.zone:
        return True  # no ACLs within a subnet
    s3 = {spot.tier: spot.address.startswith("52.219.") for spot in (source, target)}.get(OUTSIDE)
    if knock.protocol == "icmp":
        return target.tier == OUTSIDE or (way == (WEB, PUBLIC) and source.zone == target.zone)
    if knock.protocol != "tcp":
        return False
    if way == (OUTSIDE, PUBLIC):
        return port == 80 or (source.name, port) == ("admin", 22) or bool(s3 and port >= 1024)
    if way == (PUBLIC, OUTSIDE):
        return bool(s3) and (port == 443 or port >= 1024)
    if way == (WEB, OUTSIDE):
        return bool(s3) and port == 443
    if way == (PUBLIC, WEB):
        return port in (22, 80, 8099)
    if way == (WEB, WEB):
        return port == 443 or 32768 <= port <= 60999
    return way == (WEB, DATABASE) and port == 3306


def by_nature(source: Spot, target: Spot, knock: Knock) -> str:
    """The reason why no answer is possible even without rules; "" if there is none."""
    if target.name == "standby" or source.name == "standby":
        return "the standby answers nobody"  # RDS User Guide, "Multi-AZ DB instance deployments"
    if target.kind == "nat":
        return "a NAT gateway takes no connection"
    if source.kind == "internet":
        return "" if knock.public else "the internet has no way to private addresses"
    if source.kind == "database" and target.kind == "internet":
        return "the database subnets have no way out"
    if knock.public:
        return "public addresses are for those outside"
    return ""


# rounds

@dataclass
class Rounds:
    """Shared by all tests of this file: the listeners, and the results of each round."""
    lab: Lab
    notes: Notes
    everybody: dict[str, Spot]
    met: dict[str, Met] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, expected: Flow) -> list[str]:
        """The unexpected results. Addresses that never answer are left out; without rules nothing
        else is expected."""
        began = time.monotonic()
        found = self.met[name] = matrix(self.everybody)
        wanted = {knock: expected(*self.of(knock)) and not by_nature(*self.of(knock))
                  for knock in found}
        said = again(self.everybody, found,
                     [k for k, open_ in wanted.items() if open_ and found[k] == "silent"])
        self.took[name] = time.monotonic() - began
        self.notes.add(f"R7  {name}: what was let through (port*: at the public address):\n"
                       f"{shown(self.everybody, found)}\n{sum(wanted.values())} flows expected, "
                       f"{len(wanted) - sum(wanted.values())} others denied{said}; "
                       f"{self.took[name]:.0f} s")
        return [("expected: " if wanted[knock] else "not expected: ") + knock.told(verdict)
                for knock, verdict in found.items()
                if verdict != ("open" if wanted[knock] else "silent")
                and not (name == OFF and by_nature(*self.of(knock)))]

    def of(self, knock: Knock) -> tuple[Spot, Spot, Knock]:
        return self.everybody[knock.source], self.everybody[knock.target], knock


@pytest.fixture(scope="module")
def rounds(lab: Lab, notes: Notes) -> Iterator[Rounds]:
    if not proving.mutated():
        # `settled` has not run yet: fixtures of a module run first.
        lab.wait_healthy(lab.facts()["min_size"], 120)
    everybody = spots(lab)
    with listeners(everybody):
        yield Rounds(lab, notes, everybody)


@contextmanager
def template_with(lab: Lab, edits: list[Edit]) -> Iterator[None]:
    """A temporary stack update. Tracked connections are judged by the new rules."""
    lab.ask("update", edits=[*proving.edits(), *edits])
    try:
        lab.ask("enforce", on=True)
        yield
    finally:
        lab.ask("update", edits=proving.edits())
        lab.ask("enforce", on=True)


def tree() -> Tree:
    return load_tree(Path(os.environ["WNA_LAB_TEMPLATE"]))


@pytest.mark.timeout(180)
def test_what_is_needed_works_and_nothing_else(settled: Lab, rounds: Rounds) -> None:
    wrong = rounds.run("by the rules", allowed)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.timeout(180)
def test_the_groups_alone_allow_that_and_nothing_else(settled: Lab, rounds: Rounds) -> None:
    with template_with(settled, updating.open_acls(tree())):
        wrong = rounds.run("by the security groups alone", groups_allow)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.timeout(180)
def test_the_acls_alone_allow_what_they_must_and_nothing_else(settled: Lab, rounds: Rounds) -> None:
    with template_with(settled, updating.open_groups(tree())):
        wrong = rounds.run("by the network ACLs alone", acls_allow)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.timeout(180)
def test_without_rules_every_door_opens(settled: Lab, rounds: Rounds) -> None:
    settled.ask("enforce", on=False)
    try:
        wrong = rounds.run(OFF, lambda *_: True)
    finally:
        settled.ask("enforce", on=True)
    assert not wrong, "\n".join(wrong[:40])


def test_the_denials_had_a_door_and_all_took_a_minute(rounds: Rounds, notes: Notes) -> None:
    """Shows the value of the denials: how many had an open counterpart."""
    assert len(rounds.met) == 4, "run all of R7"
    off = rounds.met[OFF]
    denied = [knock for knock, verdict in rounds.met["by the rules"].items()
              if verdict == "silent"]
    twins = [knock for knock in denied if off[knock] == "open"]
    silent = Counter(by_nature(*rounds.of(knock)) for knock in denied if off[knock] != "open")
    assert "" not in silent and len(twins) > 4000, (len(twins), silent)
    took = sum(rounds.took.values())
    notes.add(f"R7  {len(denied)} denials, of which {len(twins)} have a twin that was open without "
              "rules; silent even then by nature: "
              + "; ".join(f"{count} because {why}" for why, count in silent.most_common())
              + f"\n    all rounds together: {took:.0f} s of {BAR_S:.0f}")
    assert took <= BAR_S
