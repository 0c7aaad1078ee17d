"""R2: an Application Load Balancer with a node in each public subnet balances over the private
instances of both zones."""
from __future__ import annotations

import socket
import time

from lab.command.client import Inside, Lab
from lab.command.table import Notes
from .visitors import Visitors, addresses, bad, told
from parts.http import request
from parts.wait import hold_true, wait_until


def shown(lab: Lab, address: str, count: int) -> list[str]:
    """The instances' addresses from the page, by this number of visits to one node."""
    client = lab.host("client")
    found = []
    for _ in range(count):
        answer = request(client, address, 80, "/efs/index.php", timeout=10)
        assert answer.status == 200, (answer.status, answer.body)
        found.append(next(i["address"] for i in lab.instances() if i["address"] in answer.body))
    return found


def test_health_checks_reach_the_agent(settled: Lab) -> None:
    """Without the ACL row for the health-check port no target is healthy: the document's gap.
    (With all targets unhealthy the balancer fails open: the page alone proves nothing.)"""
    facts = settled.facts()

    def healthy() -> bool:
        targets = settled.targets()
        return len(targets) == facts["min_size"] and \
            {t["state"] for t in targets.values()} == {"healthy"}
    # The time of two failed checks in a row, in any state before.
    hold_true(healthy, "all targets are healthy",
              2 * facts["health_interval"] + facts["health_timeout"] + 1)
    agents = {settled.host(i["host"]).read("/run/web-node-agent/facts.env").count("WNA_")
              for i in settled.in_service()}
    assert min(agents) > 5


def test_the_page_alternates_between_all_instances(settled: Lab) -> None:
    url = f"http://{settled.facts()['alb_name']}/efs/"
    own = {i["address"] for i in settled.in_service()}
    with Visitors(settled.host("client"), url) as people:
        visits = people.wait(lambda v: len(v) >= 40 and v, "40 visits")
    assert not bad(visits), told(visits)
    assert addresses(visits) == own
    for address in own:
        share = sum(v["address"] == address for v in visits) / len(visits)
        assert 0.5 / len(own) < share < 1.5 / len(own), (address, share)


def test_each_node_serves_both_zones(settled: Lab) -> None:
    """Cross-zone: each node uses all targets in turn, not only its own zone's."""
    own = sorted(i["address"] for i in settled.in_service())
    assert len({i["zone"] for i in settled.in_service()}) == 2
    nodes = settled.facts()["alb_addresses"]
    assert len(nodes) == 2
    for node in nodes:
        assert sorted(shown(settled, node, len(own))) == own


def test_every_port_of_a_node_is_answered(settled: Lab, notes: Notes) -> None:
    """A node uses any port from 1024 on (the document allows only replies to Linux's ports): new
    connections from the whole range are all answered."""
    wanted = range(1100, 65000, 2500)
    answered = 0
    for name in ("alb-a", "alb-c"):
        node = settled.host(name)
        for instance in settled.in_service():
            ports = [port for port in wanted if answers(node, port, instance["address"])]
            # HAProxy refuses or answers; a dropped packet raises.
            assert len(ports) >= len(wanted) - 3, ports
            answered += len(ports)
    assert answered >= 2 * 2 * (len(wanted) - 3)
    notes.add(f"R2  {answered} connections from ports {wanted[0]} to {wanted[-1]} of the nodes: "
              "each was answered")


def answers(node: Inside, port: int, address: str) -> bool:
    """A request from this port; False if the port is in use."""
    with node.net(), socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.settimeout(3)
        try:
            peer.bind(("0.0.0.0", port))
        except OSError:
            return False
        peer.connect((address, 80))
        peer.sendall(b"GET /health.html HTTP/1.0\r\n\r\n")
        assert peer.getsockname()[1] == port and peer.recv(16).startswith(b"HTTP/1.")
        return True


def test_a_stopped_web_server_is_seen_by_no_client(settled: Lab, notes: Notes) -> None:
    """After the check has failed twice no client sees an error. The web server's process is
    suspended, because the group would replace the instance, like AWS's."""
    victim = settled.in_service()[0]
    host = settled.host(victim["host"])
    url = f"http://{settled.facts()['alb_name']}/efs/"
    settled.ask("suspend", process="ReplaceUnhealthy")
    try:
        with Visitors(settled.host("client"), url) as people:
            people.wait(lambda v: len(v) >= 10, "visits before")
            stopped = time.time()
            host.run("systemctl", "stop", "httpd")
            wait_until(lambda: all(
                node["state"] == "unhealthy" and not node["routed"]
                for node in settled.targets()[victim["id"]]["nodes"].values()),
                "the check trips at each node", 60)
            tripped = time.time()
            after = people.wait(lambda v: len(v) >= 100 and v, "visits after", since=tripped)
            before = [v for v in people.visits(stopped) if v["at"] < tripped]
            assert not bad(after), told(after)
            assert victim["address"] not in addresses(after)
            host.run("systemctl", "start", "httpd")
            wait_until(lambda: settled.targets()[victim["id"]]["state"] == "healthy",
                       "the target recovers", 60)
            again = time.time()
            people.wait(lambda v: victim["address"] in addresses(v), "it serves again", since=again)
            assert not bad(people.visits(again)), told(people.visits(again))
        notes.add(f"R2  a web server stopped: every node's check tripped within {tripped - stopped:.1f} s; "
                  f"until then {len(bad(before))} of {len(before)} requests failed "
                  f"({told(before)}), afterwards 0 of {len(after)}")
    finally:
        try:
            host.run("systemctl", "start", "httpd", check=False)
        finally:
            settled.ask("resume", process="ReplaceUnhealthy")
