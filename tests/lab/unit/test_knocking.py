"""R7's probes: sources, targets, repeated probes."""
from __future__ import annotations

import pytest

from lab.network.netns import RESERVED
from lab.proof import knocking
from lab.proof.knocking import Knock, Met, Spot
from lab.proof.probing import Place

PLACE = Place(["true"])
EVERYBODY = {spot.name: spot for spot in (
    Spot("client", "internet", "", "203.0.113.10", "203.0.113.10", PLACE),
    Spot("admin", "internet", "", "198.51.100.7", "198.51.100.7", PLACE),
    Spot("bastion", "bastion", "a", "10.16.1.10", "192.0.2.50", PLACE),
    Spot("nat", "nat", "a", "10.16.1.11", "192.0.2.51", None))}
EACH = len(knocking.PORTS) + len(knocking.UDP) + 1


def test_everybody_knocks_at_every_address_of_everybody_else_once() -> None:
    found = knocking.knocks(EVERYBODY["bastion"], EVERYBODY)
    assert len(found) == len(set(found)) == 4 * EACH  # client, admin, and both of the NAT gateway
    assert {k.target for k in knocking.knocks(EVERYBODY["client"], EVERYBODY)} == {"bastion", "nat"}


def test_silence_where_an_answer_was_expected_is_asked_again(
        monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Knock("client", "bastion", True, 22, "tcp")
    denied = Knock("client", "bastion", True, 80, "tcp")
    met: Met = {lost: "silent", denied: "silent"}
    asked: list[Knock] = []

    def probe(_: object, wanted: list[Knock]) -> Met:
        asked.extend(wanted)
        return {lost: "open", denied: "silent"}
    monkeypatch.setattr(knocking, "probe", probe)
    assert knocking.again(EVERYBODY, met, []) == "" and not asked
    said = knocking.again(EVERYBODY, met, [lost, denied])
    assert asked == [lost, denied] and met == {lost: "open", denied: "silent"}
    assert "2 silent at first" in said and "1 of them answered then" in said


def test_the_table_shows_what_was_let_through() -> None:
    met: Met = {Knock("client", "bastion", True, 22, "tcp"): "open",
                Knock("client", "bastion", False, 0, "icmp"): "reset",
                Knock("client", "nat", True, 53, "udp"): "silent"}
    line = knocking.shown(EVERYBODY, met).splitlines()[2]
    assert line.split() == ["client", "-", "22*", "ping"]


def test_no_host_uses_a_port_that_is_knocked_at_for_its_own_connections() -> None:
    """The port would not be free for a listener. No host uses a port below 1024; a balancer's node
    uses ports from 1024 on."""
    assert {port for port in (*knocking.PORTS, *knocking.UDP) if port >= 1024} == set(RESERVED)
