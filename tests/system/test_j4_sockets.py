"""J4, the connections of programs on the node: those that nobody answers any more are ended."""
from __future__ import annotations

import errno
import socket

import pytest

from parts import mariadb, names
from parts.agent import Agent
from parts.mariadb import Database
from parts.node import Node
from parts.wait import hold_true, wait_until
from parts.web import PAGE, WORKERS

WRITABLE, DOWN = 1, 3  # enum rds_state
FIRST, SECOND = names.DATABASES
PORT = 3306
ENDED = "2d9e4c7b5a1f4e3887c6b0d1f2a39e54"


@pytest.fixture
def agent(node: Node, database: Database) -> Agent:
    node.only("database")
    return node.agent


def start(agent: Agent) -> None:
    agent.start()
    agent.wait_fact("rds", WRITABLE, FIRST)
    why = agent.wait_fact("sockets", 0)["why"]
    if why.startswith("not available: the kernel"):
        pytest.skip(f"SOCK_DESTROY: {why}")


def client(node: Node, address: str) -> socket.socket:
    """A program's connection, on which the server has said its name; it answers nothing, and the
    server waits for ten seconds."""
    made = node.host.connect(address, PORT)
    assert made.recv(1024)
    made.setblocking(False)
    return made


def outcome(made: socket.socket) -> int:
    """0: it lives; or the errno that its owner gets."""
    try:
        assert made.recv(1024) == b""
    except BlockingIOError:
        return 0
    except OSError as error:
        return error.errno or -1
    return -1


def test_a_page_moves_along(database: Database, node: Node, agent: Agent) -> None:
    """The old writer lives on, read-only. Without any hook every worker of php-fpm is with the new
    writer: its persistent connection was ended, and it has made another."""
    node.web.start()
    node.host.write("/var/www/html/index.php", PAGE)
    start(agent)

    def page() -> str:
        return node.web.get("/index.php")[1]
    wait_until(lambda: "server db-a" in page()
               and len(database.servers[0].sessions(mariadb.PAGE_USER)) == WORKERS,
               "every worker has its connection")
    database.failover("demote")
    agent.wait_fact("sockets", WORKERS, timeout=20)
    hold_true(lambda: "server db-c" in page(), "the page comes from the new writer", 1)
    assert not database.servers[0].sessions(mariadb.PAGE_USER)
    assert "(www-data)" in agent.log("sockets")


@pytest.mark.parametrize("how", ["cut", "freeze", "demote"])
def test_a_failover(database: Database, node: Node, agent: Agent, how: str) -> None:
    """At once when the new writer has said that it is writable, and not before."""
    start(agent)
    database.servers[0].sql("SET GLOBAL connect_timeout = 60")
    mark = node.host.cursor()
    old, new = [client(node, FIRST) for _ in range(3)], client(node, SECOND)
    database.failover(how)
    agent.wait_fact("sockets", 3, f"3 connections to {FIRST}:{PORT}", 20)
    assert [outcome(one) for one in old] == [errno.ECONNABORTED] * 3
    ended = node.host.journal(f"MESSAGE_ID={ENDED}", after=mark)
    moved = [entry for entry in node.host.journal("-u", "web-node-agent-rds", after=mark)
             if f"moved from {FIRST} to {SECOND}" in entry["MESSAGE"]]
    assert len(ended) == len(moved) == 1
    late_us = int(ended[0]["__REALTIME_TIMESTAMP"]) - int(moved[0]["__REALTIME_TIMESTAMP"])
    assert late_us < 200_000
    logins = node.host.read("/run/web-node-agent/rds.json")
    hold_true(lambda: outcome(new) == 0, "the new writer's connection lives", 1)
    assert node.host.read("/run/web-node-agent/rds.json") == logins, "and so does the agent's own"


def test_a_silent_server(database: Database, node: Node, agent: Agent) -> None:
    """With at_once also without another writer, again and again while it is silent; the connection
    that was made when it had answered again lives."""
    agent.change("database", stale_connections="at_once")
    start(agent)
    old = client(node, FIRST)
    database.servers[0].host.cut("")
    wait_until(lambda: outcome(old) == errno.ECONNABORTED, "its connection is ended", 20)
    assert agent.fact("rds")["value"] == DOWN
    with node.host.net():
        late = socket.socket()
    late.setblocking(False)
    assert late.connect_ex((FIRST, PORT)) == errno.EINPROGRESS
    wait_until(lambda: late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNABORTED,
               "so is an attempt to connect", 10)
    database.servers[0].host.mend()
    agent.wait_fact("rds", WRITABLE, FIRST, 20)
    back = client(node, FIRST)
    hold_true(lambda: outcome(back) == 0, "it lives", 2)


def test_dry_run(database: Database, node: Node, agent: Agent) -> None:
    """With the policy off nothing is ended, and what would be ended is listed."""
    agent.change("database", stale_connections="off")
    agent.start()
    agent.wait_fact("rds", WRITABLE, FIRST)
    database.servers[0].sql("SET GLOBAL connect_timeout = 60")
    old = client(node, FIRST)
    database.failover("demote")
    agent.wait_fact("rds-change", 1)
    listed = agent.ctl("database", "connections").stdout.splitlines()
    assert [line.split() for line in listed if FIRST in line][0][-1] == "stale", listed
    ours = next(line.split() for line in listed if SECOND in line)
    assert ours[2] == "wna-rds" and ours[3] == "wna-rds" and ours[-1] == "writer", listed
    assert listed[-1] == "connections: 2, stale: 1"
    assert outcome(old) == 0
    assert agent.state("sockets") == "inactive"
