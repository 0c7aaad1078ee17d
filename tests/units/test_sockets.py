"""wna-sockets in its sandbox: which connections it ends, and which it does not, whatever a process
with the user of wna-rds says. The test speaks in the place of wna-rds, and the kernel ends real
connections, to addresses of the machine's own."""
from __future__ import annotations

import errno
import re
import select
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest

from parts.agent import Agent, unit
from parts.wait import hold_true, wait_until
from rig.machine import Machine
from setting import DATABASE, PASSWORD

ROOT = Path(__file__).resolve().parents[2]
OLD, DEAF, NEW, OLD6, NEW6 = "10.16.6.137", "10.16.6.138", "10.16.5.149", "2001:db8::5", "2001:db8::6"
PORT, OTHER_PORT = 3306, 3307
ENDED = "2d9e4c7b5a1f4e3887c6b0d1f2a39e54"
HELLO, FACT = 1, 2  # include/hub.h
FACTS = re.findall(r"^\t(FACT_\w+)", (ROOT / "include/fact.h").read_text(), re.M)
ROLES = re.findall(r"^\t(ROLE_\w+)", (ROOT / "include/role.h").read_text(), re.M)
WRITABLE, DOWN = 1, 3  # enum rds_state
FORMER, SILENT = 0, 1  # enum rds_stale
WITHIN_S = 0.2
IDLE = 200  # sessions of a large pool

# Sends its arguments, in hexadecimal, on one connection, and prints when.
SPEAKER = """
import socket, sys, time
hub = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
hub.connect("/run/web-node-agent/hub")
print(time.monotonic(), flush=True)
for word in sys.argv[1:]:
    hub.send(bytes.fromhex(word))
"""


def message(kind: int, number: int, value: int = 0, more: int = 0, text: str = "") -> str:
    """struct msg of include/hub.h"""
    return struct.pack("=HHIq4qqq96s160s", kind, number, 0, value, more, 0, 0, 0, 0, 0, text.encode(),
                       b"").hex()


class Node:
    """The machine, its connections, and the words of its wna-rds."""

    def __init__(self, machine: Machine, stage: Path) -> None:
        self.machine = machine
        self.agent = Agent(machine)
        found = re.search(rb"web-node-agent contract [0-9a-f]{32}",
                          (stage / "usr/libexec/web-node-agent/wna-rds").read_bytes())
        assert found
        self.hello = message(HELLO, ROLES.index("ROLE_RDS"), text=found[0].decode())
        self.events = 0
        self.open: list[socket.socket] = []
        machine.sh("".join(f"ip address add {address}/{128 if ':' in address else 32} dev lo; "
                           for address in (OLD, DEAF, NEW, OLD6, NEW6)))
        machine.run("nft", "-f", "-", stdin=f"add table inet deaf\n"
                    "add chain inet deaf in { type filter hook input priority 0; }\n"
                    f"add rule inet deaf in ip daddr {DEAF} tcp dport {PORT} drop\n")
        machine.sh(f"echo secret > {PASSWORD}; chmod 640 {PASSWORD}; chgrp wna-rds {PASSWORD}")
        with machine.net():
            for port in (PORT, OTHER_PORT):
                self.open.append(socket.create_server(("::", port), family=socket.AF_INET6,
                                                      backlog=2 * IDLE, dualstack_ipv6=True))

    def start(self, **database: str) -> None:
        """Skips the test on a kernel that cannot end connections."""
        self.agent.configure({"metrics": {"enabled": False}, "check self": {"type": "file", "path": "/etc"},
                              "database": {**DATABASE, **database}})
        self.agent.start()
        why = self.agent.wait_fact("sockets")["why"]
        if why.startswith("not available: the kernel"):
            pytest.skip(f"SOCK_DESTROY: {why}")
        self.machine.systemctl("stop", unit("rds"))

    def client(self, address: str, port: int = PORT, mapped: bool = False) -> socket.socket:
        """Connected, or waiting for an answer that does not come."""
        with self.machine.net():
            made = socket.socket(socket.AF_INET6 if mapped or ":" in address else socket.AF_INET)
        self.open.append(made)
        made.settimeout(0.1 if address == DEAF else 5)
        try:
            made.connect((f"::ffff:{address}" if mapped else address, port))
        except TimeoutError:
            assert address == DEAF
        return made

    def say(self, address: str, reason: int = FORMER, writer: str = NEW) -> float:
        """A new event; "" no writer is known. When it was said."""
        self.events += 1
        state = message(FACT, FACTS.index("FACT_RDS"), WRITABLE if writer else DOWN, text=writer)
        event = message(FACT, FACTS.index("FACT_RDS_STALE"), self.events, reason, address)
        done = subprocess.run(self.machine.enter(
            "setpriv", "--reuid", "wna-rds", "--regid", "wna-rds", "--groups", "wna", "python3", "-ISc",
            SPEAKER, self.hello, state, event), check=True, capture_output=True, text=True, timeout=20)
        return float(done.stdout)

    def close(self) -> None:
        for one in self.open:
            one.close()


@pytest.fixture
def node(machine: Machine, stage: Path) -> Iterator[Node]:
    made = Node(machine, stage)
    yield made
    made.close()


@pytest.fixture
def able(node: Node) -> Node:
    """Started, and able to end connections."""
    node.start()
    assert node.agent.fact("sockets")["why"] == ""
    return node


def outcome(client: socket.socket) -> int:
    """0: it lives; or the errno that its owner gets."""
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return 0
    except OSError as error:
        return error.errno or -1
    return -1  # closed by the peer


def all_end(clients: list[socket.socket], said: float) -> None:
    left = list(clients)
    while left:
        now, _, _ = select.select(left, [], [], 5)
        assert now, "ended within 5 s"
        late = time.monotonic() - said
        left = [one for one in left if one not in now]
    assert [outcome(one) for one in clients] == [errno.ECONNABORTED] * len(clients)
    assert late < WITHIN_S


def test_connections_to_a_former_writer(able: Node) -> None:
    agent, machine = able.agent, able.machine
    old = [able.client(OLD, mapped=True), *(able.client(OLD) for _ in range(IDLE))]
    old6 = able.client(OLD6)
    others = [able.client(*to) for to in ((NEW,), (NEW6,), (OLD, OTHER_PORT), (OLD6, OTHER_PORT),
                                          ("127.0.0.1",), ("::1",), (DEAF,))]
    mark = machine.cursor()
    shown = machine.run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "wnactl",
                        "database", "connections").stdout
    assert len(re.findall(rf"^{OLD}:{PORT} +established +root", shown, re.M)) == IDLE + 1
    assert f"{DEAF}:{PORT} " in shown and "connecting" in shown
    assert f"\nconnections: {IDLE + 7}, stale: 0\n" in shown
    all_end(old, able.say(OLD))
    assert outcome(old6) == 0
    agent.wait_fact("sockets", IDLE + 1, f"{IDLE + 1} connections to {OLD}:{PORT}")
    assert agent.fact("sockets")["more"][:2] == [1, IDLE + 1]
    # The former writer serves again, as a reader for example.
    reader = able.client(OLD)
    hold_true(lambda: outcome(reader) == 0, "it lives", 0.7)
    all_end([old6], able.say(OLD6))
    assert [outcome(one) for one in others] == [0] * len(others), "all others live"
    # A server with an address of each family: these and the reader.
    pair = [able.client(OLD), able.client(OLD6)]
    all_end(pair, able.say(f"{OLD},{OLD6}"))
    agent.wait_fact("sockets", IDLE + 5, f"3 connections to {OLD}:{PORT} and [{OLD6}]:{PORT}")
    entries = machine.journal(f"MESSAGE_ID={ENDED}", after=mark)
    assert [(e["WNA_NUMBER"], e["WNA_ADDRESS"], e["WNA_ENDED"]) for e in entries] == [
        ("1", OLD, str(IDLE + 1)), ("2", OLD6, "1"), ("3", OLD, "3")]
    assert entries[2]["WNA_OTHER_ADDRESS"] == OLD6
    assert entries[0]["MESSAGE"] == (f"sockets: ended {IDLE + 1} connections to {OLD}:{PORT} (root), since the "
                                     f"writer is {NEW} now")
    assert entries[0]["_SYSTEMD_UNIT"] == unit("sockets") and entries[0]["PRIORITY"] == "5"
    assert (f"sockets: ended 3 connections to {OLD}:{PORT} and [{OLD6}]:{PORT}"
            in agent.ctl("history").stdout)


def test_what_a_taken_over_wna_rds_cannot_end(able: Node) -> None:
    """Loopback, the machine's own port numbers, the writer that it names itself. The twin: the old
    writer's connection ends."""
    living = [able.client(*to) for to in (("127.0.0.1",), ("127.8.9.1",), ("::1",), (NEW,), (NEW6,),
                                          (OLD, OTHER_PORT))]
    for address in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", NEW,
                    f"::ffff:{NEW}", f"{OLD}:{OTHER_PORT}", "fe80::1", "224.0.0.1", ""):
        able.say(address)
        able.say(address, SILENT)
    able.say(NEW6, writer=NEW6)
    old = able.client(OLD)
    able.say(OLD, SILENT, "")  # not with the policy failover
    able.say(OLD, FORMER, "")  # no writer is known
    hold_true(lambda: outcome(old) == 0, "it lives", 0.3)
    all_end([old], able.say(OLD))
    assert [outcome(one) for one in living] == [0] * len(living)
    assert able.agent.fact("sockets")["value"] == 1


def test_a_silent_server(node: Node) -> None:
    """The policy at_once: also a connect that waits."""
    node.start(stale_connections="at_once")
    old, waiting = node.client(OLD), node.client(DEAF)
    all_end([old], node.say(OLD, SILENT, ""))
    said = node.say(DEAF, SILENT, "")
    wait_until(lambda: waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED,
               "it ends", 1)
    assert time.monotonic() - said < 1
    # A connection that the server accepts after the event: it is silent no more.
    later = node.client(OLD)
    node.say(NEW, SILENT, "")
    hold_true(lambda: outcome(later) == 0, "it lives", 0.7)


def test_not_available(node: Node) -> None:
    """Said once, with the reason; the process stays."""
    node.agent.drop_in("sockets", "[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n")
    node.start()
    agent = node.agent
    why = agent.fact("sockets")["why"]
    assert why.startswith("not available: "), why
    old = node.client(OLD)
    node.say(OLD)
    assert agent.reload().returncode == 0
    hold_true(lambda: outcome(old) == 0, "it lives", 0.5)
    assert agent.log("sockets").count("not available") == 1
    assert why in agent.ctl("status", check=False).stdout
    assert agent.state("sockets") == "active"


def test_off(node: Node) -> None:
    node.agent.configure({"database": {**DATABASE, "stale_connections": "off"},
                          "metrics": {"enabled": False}})
    node.agent.start()
    wait_until(lambda: node.machine.show(unit("sockets"), "ExecMainStatus") == "77", "it is off")
    assert node.agent.state("sockets") == "inactive"
