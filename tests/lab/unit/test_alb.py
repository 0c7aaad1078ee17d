"""A node's commands to HAProxy (lab/aws/alb_node.py), and errors in its threads
(lab/trouble.py)."""
from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest

from lab.aws.alb_node import Node
from lab.aws.targets import Result, Targets
from lab.trouble import Troubles

from test_targets import GROUP, NODES, OK, UNAVAILABLE, feed, group_of


class Recorded(Node):
    """Replaces HAProxy's runtime socket: servers by number. `dead`: it does not answer."""

    def __init__(self, zone: str) -> None:
        super().__init__(zone, None)  # type: ignore[arg-type]
        self.servers: dict[int, dict[str, str]] = {}
        self.said: list[str] = []
        self.dead = False

    def command(self, *lines: str) -> str:
        if self.dead:
            raise ConnectionRefusedError(111, "Connection refused")
        for line in lines:
            self.said.append(line)
            found = re.search(r"targets/t(\d+)(?: (addr|state) (.*))?$", line)
            assert found, line
            if found[2]:
                self.servers.setdefault(int(found[1]), {})[found[2]] = found[3]
        return ""

    def follow(self, targets: Targets) -> None:
        self.bring(targets.all(), targets.routed(self.zone), targets.group.port)

    def ready(self) -> list[str]:
        """The addresses that get requests."""
        return sorted(server["addr"] for server in self.servers.values()
                      if server.get("state") == "ready")


def test_each_node_is_set_by_its_own_view() -> None:
    """Two nodes with checks at different times, in virtual time: HAProxy on a node follows only
    the results of this node."""
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"))
    nodes = {zone: Recorded(zone) for zone in NODES}
    history: dict[str, list[tuple[float, list[str]]]] = {zone: [] for zone in NODES}
    phase = {"zone-a": 0.0, "zone-c": 4.0}
    for second in range(120):
        now = float(second)
        for zone, node in nodes.items():
            if (now - phase[zone]) % 10 == 0:
                for name in ("i-1", "i-2"):
                    broken = name == "i-1" and 31 <= now < 71
                    targets.feed(zone, name, UNAVAILABLE if broken else OK)
            node.follow(targets)
            if not history[zone] or history[zone][-1][1] != node.ready():
                history[zone].append((now, node.ready()))
    both, one = ["10.16.3.10 port 80", "10.16.3.11 port 80"], ["10.16.3.11 port 80"]
    # On each node two failures in a row take the target out, three passes bring it back.
    assert history["zone-a"] == [(0.0, both), (50.0, one), (100.0, both)]
    assert history["zone-c"] == [(0.0, []), (4.0, both), (44.0, one), (94.0, both)]


def test_one_node_fails_open_while_the_other_does_not() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"))
    here, there = Recorded("zone-a"), Recorded("zone-c")
    for name in ("i-1", "i-2"):
        feed(targets, name, OK)
    feed(targets, "i-1", UNAVAILABLE, UNAVAILABLE)
    feed(targets, "i-2", UNAVAILABLE, UNAVAILABLE, nodes=("zone-c",))
    for node in (here, there):
        node.follow(targets)
    assert here.ready() == ["10.16.3.11 port 80"] and not targets.fails_open("zone-a")
    assert len(there.ready()) == 2 and targets.fails_open("zone-c")


def test_only_the_difference_is_said_and_first_who_gets_requests() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"))
    node = Recorded("zone-a")
    feed(targets, "i-1", OK)
    node.follow(targets)
    node.said.clear()
    node.follow(targets)
    assert node.said == []
    feed(targets, "i-1", UNAVAILABLE, UNAVAILABLE)
    feed(targets, "i-2", OK)
    node.follow(targets)
    assert node.said == ["set server targets/t2 state ready", "set server targets/t1 state drain"]


def test_what_could_not_be_said_is_said_the_next_time() -> None:
    targets = group_of(("i-1", "zone-a"), deregistration_delay=30)
    node = Recorded("zone-a")
    feed(targets, "i-1", OK)
    node.dead = True
    with pytest.raises(ConnectionRefusedError):
        node.follow(targets)
    node.dead = False
    node.follow(targets)
    assert node.ready() == ["10.16.3.10 port 80"]
    targets.deregister("i-1", 0.0)
    targets.expire(30.0)
    node.dead = True
    with pytest.raises(ConnectionRefusedError):
        node.follow(targets)
    node.dead = False
    node.follow(targets)
    assert node.slots == {} and node.servers[1]["state"] == "maint"
    assert node.said[-1] == "shutdown sessions server targets/t1"


def test_another_port_and_another_address_move_the_server() -> None:
    targets = group_of(("i-1", "zone-a"))
    node = Recorded("zone-a")
    feed(targets, "i-1", OK)
    node.follow(targets)
    targets.update(replace(GROUP, port=8080))
    node.follow(targets)
    assert node.ready() == ["10.16.3.10 port 8080"]
    targets.register("i-1", "10.16.3.77", "zone-a")
    node.follow(targets)
    assert node.servers == {1: {"addr": "10.16.3.77 port 8080", "state": "drain"}}


def test_a_slot_is_free_again_and_too_many_targets_are_said() -> None:
    targets = Targets(replace(GROUP, deregistration_delay=0), NODES)
    node = Recorded("zone-a")
    for number in range(64):
        targets.register(f"i-{number}", f"10.16.3.{number}", "zone-a")
    node.follow(targets)
    targets.register("i-64", "10.16.3.64", "zone-a")
    with pytest.raises(RuntimeError, match="room for 64 targets"):
        node.follow(targets)
    targets.deregister("i-5", 0.0)
    targets.expire(0.0)
    node.follow(targets)
    assert node.slots["i-64"].number == 6  # the former number of i-5


def test_draining_is_known_to_all_nodes_at_once() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", OK)
    targets.deregister("i-1", 0.0)
    target = targets.get("i-1")
    assert target and [target.by_node(zone).state for zone in NODES] == ["draining"] * 2


def test_a_thread_goes_on_and_its_trouble_is_told_once() -> None:
    said: list[str] = []
    troubles, turns, done = Troubles(said.append), [0], threading.Event()

    def work() -> None:
        while turns[0] < 6:
            with troubles.guard("alb-a"):
                turns[0] += 1
                if turns[0] in (2, 3):
                    raise ConnectionRefusedError(111, "Connection refused")
                if turns[0] == 4:
                    seen.extend(troubles.all())
                    raise ValueError("two\nlines")
        done.set()
    seen: list[str] = []
    threading.Thread(target=work, daemon=True).start()
    assert done.wait(5)
    assert said[:2] == ["alb-a: ConnectionRefusedError: [Errno 111] Connection refused",
                        "alb-a: ValueError: two lines"]
    assert said[2].startswith("alb-a: recovered after ") and len(said) == 3
    assert seen == ["alb-a: ConnectionRefusedError: [Errno 111] Connection refused (for 0 s)"]
    assert troubles.all() == []


def test_whoever_is_gone_has_no_trouble_any_more() -> None:
    said: list[str] = []
    troubles = Troubles(said.append)
    troubles.begin("web-1", "lost")
    troubles.forget("web-1")
    troubles.end("web-1")
    assert troubles.all() == [] and said == ["web-1: lost"]


def test_results_of_a_node_leave_the_other_alone() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", Result(200), nodes=("zone-a",))
    target = targets.get("i-1")
    assert target and target.by_node("zone-a").state == "healthy"
    assert target.by_node("zone-c").state == "initial" and target.shown.state == "initial"
