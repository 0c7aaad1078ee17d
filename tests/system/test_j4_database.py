"""J4, the database: one session kept and asked, through failovers of every kind,
against lying resolvers and servers that speak garbage."""
from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import Callable, Iterator

import pytest

from parts import mariadb, names
from parts.agent import Agent
from parts.mariadb import Database
from parts.node import CA, PASSWORD, Node
from parts.process import Process
from parts.wait import hold_true, wait_until
from parts.world import World
from rig.probes import Probes

WRITABLE, READ_ONLY, DOWN, NO_NAME = 1, 2, 3, 4  # enum rds_state
FIRST, SECOND = names.DATABASES


@pytest.fixture
def agent(node: Node, database: Database) -> Agent:
    node.only("database")
    return node.agent


def test_facts(world: World, node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    agent.wait_job("database", "ok")
    facts = agent.status()["facts"]
    assert FIRST in facts["rds"]["text"]
    assert facts["rds-dns"]["text"] == FIRST and 0 < facts["rds-dns"]["value"] <= 5
    assert facts["rds-rtt"]["value"] > 0
    assert facts["rds-version"]["text"] == world.database.servers[0].sql("SELECT @@version")
    file = json.loads(node.host.read("/run/web-node-agent/rds.json"))
    assert FIRST in json.dumps(file)


def test_one_session_is_kept(world: World, agent: Agent) -> None:
    server = world.database.servers[0]
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    session = wait_until(server.sessions, "the agent's session")
    assert len(session) == 1
    asked, aborted = server.count("Questions"), server.count("Aborted_connects")
    wait_until(lambda: server.count("Questions") > asked + 12, "a dozen questions", 15)
    assert server.sessions() == session, "no login per question"
    assert server.count("Aborted_connects") == aborted, "no connect without a login"


@pytest.mark.parametrize("how", ["kill", "freeze", "cut", "demote"])
def test_failover(world: World, database: Database, node: Node, agent: Agent, how: str) -> None:
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    agent.wait_page("/readyz", 200)
    database.failover(how)
    change = wait_until(lambda: agent.fact("rds-change")["value"] and agent.fact("rds-change"),
                        "the change is noticed", 15)
    assert change["text"] == f"{FIRST} -> {SECOND}"
    fact = agent.wait_fact("rds", WRITABLE, timeout=10)
    wait_until(lambda: SECOND in agent.fact("rds")["text"], "the session is with the new writer")
    assert fact["value"] == WRITABLE
    assert agent.fact("rds-change")["why"], "the outage as an interval"
    assert agent.code("/healthz") == 200, "a shared failure never turns the ALB's answer"
    wait_until(lambda: SECOND in node.host.read("/run/web-node-agent/rds.json"), "rds.json")
    assert any(f"{FIRST} -> {SECOND}" in e["what"] for e in agent.status()["timeline"])


def test_outage_shows_on_readyz_only(database: Database, agent: Agent) -> None:
    agent.start()
    agent.wait_page("/readyz", 200)
    database.servers[0].host.cut("")
    agent.wait_page("/readyz", 503, timeout=8)
    assert "degraded" in agent.wait_page("/healthz", 200).body
    database.servers[0].host.mend()
    agent.wait_page("/readyz", 200)


def test_read_only_is_said(database: Database, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.servers[0].writable(False)
    agent.wait_fact("rds", READ_ONLY)
    database.servers[0].writable(True)
    agent.wait_fact("rds", WRITABLE)


def test_stale_peer_is_dropped(database: Database, agent: Agent) -> None:
    """The old server still answers, but the name no longer leads to it."""
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.servers[1].writable(True)
    database.point(1)
    wait_until(lambda: SECOND in agent.fact("rds")["text"], "moved to the new address", 15)
    wait_until(lambda: not database.servers[0].sessions(), "the old session is closed")


def test_tls_verifies_the_name(world: World, database: Database, agent: Agent) -> None:
    """The right CA and another host's certificate is refused; the twin is every
    other test here."""
    other = world.authority.issue("other.example")
    server = database.servers[0]
    own = server.host.read("/etc/mysql/tls/cert.pem"), server.host.read("/etc/mysql/tls/key.pem")
    try:
        server.host.write("/etc/mysql/tls/cert.pem", other.certificate)
        server.host.write("/etc/mysql/tls/key.pem", other.key)
        server.sql("FLUSH SSL")
        agent.start()
        assert agent.wait_fact("rds", DOWN)["why"]
        assert not server.sessions()
    finally:
        server.host.write("/etc/mysql/tls/cert.pem", own[0])
        server.host.write("/etc/mysql/tls/key.pem", own[1])
        server.sql("FLUSH SSL")
    agent.wait_fact("rds", WRITABLE, timeout=20)


def test_unknown_authority_is_refused(node: Node, agent: Agent) -> None:
    from parts.pki import Authority
    node.host.write("/etc/web-node-agent/other-ca.pem", Authority("another").pem)
    agent.change("database", tls_ca="/etc/web-node-agent/other-ca.pem")
    agent.start()
    assert agent.wait_fact("rds", DOWN)["why"]
    agent.change("database", tls_ca=CA)
    agent.reload()
    agent.wait_fact("rds", WRITABLE)


def test_wrong_password(world: World, node: Node, agent: Agent) -> None:
    node.write_password("wrong")
    agent.start()
    fact = agent.wait_fact("rds", DOWN)
    assert "denied" in fact["why"].lower() or "1045" in fact["why"]
    assert "wrong" not in fact["why"]
    server = world.database.servers[0]
    first = server.count("Access_denied_errors")
    hold_true(lambda: server.count("Access_denied_errors") == first,
              "no other login for half a minute at least", 5)
    agent.reload()
    wait_until(lambda: server.count("Access_denied_errors") > first, "a reload tries at once", 10)
    node.write_password(mariadb.AGENT_PASSWORD)
    agent.wait_fact("rds", WRITABLE, timeout=10)  # a new password needs no reload


def test_no_such_name(world: World, database: Database, agent: Agent) -> None:
    world.dns.set(names.DATABASE_HOST)
    agent.start()
    agent.wait_fact("rds", NO_NAME)
    assert agent.code("/healthz") == 200
    database.point(0)
    agent.wait_fact("rds", WRITABLE, timeout=20)


def test_silent_resolver(world: World, agent: Agent) -> None:
    world.dns.silence()
    agent.start()
    fact = agent.wait_fact("rds", NO_NAME)
    assert fact["why"]
    assert agent.get("/livez").took_s < 0.5
    world.dns.speak()
    agent.wait_fact("rds", WRITABLE, timeout=20)


def test_repaired_resolv_conf(database: Database, node: Node, agent: Agent) -> None:
    """The session outlives the name server, and the wait for it ends when the file names another."""
    right = node.host.read("/etc/resolv.conf")
    agent.change("database", dns_fast="60s", dns_max="60s")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    node.host.write("/etc/resolv.conf", f"nameserver {names.LIAR}\n")
    agent.wait_fact("rds-dns", -1, timeout=15)  # the next question: 30 s later at the earliest
    node.host.write("/etc/resolv.conf", right)
    wait_until(lambda: agent.fact("rds-dns")["value"] >= 0, "the name resolves again", 10)
    assert agent.fact("rds")["value"] == WRITABLE


def test_alias_chain(world: World, database: Database, agent: Agent) -> None:
    """The shortest TTL along the chain counts, and the chain's end is found."""
    world.dns.set(f"node-7.{names.DOMAIN}", FIRST, ttl=60)
    world.dns.alias(f"cluster.{names.DOMAIN}", f"node-7.{names.DOMAIN}", ttl=3)
    world.dns.alias(names.DATABASE_HOST, f"cluster.{names.DOMAIN}", ttl=30)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    fact = agent.fact("rds-dns")
    assert fact["text"] == FIRST and fact["value"] <= 3


@contextmanager
def lying(world: World, how: str, address: str) -> Iterator[Process]:
    liar = world.dns.host.python("parts.lying_dns", names.LIAR, how, address, log=f"liar-{how}")
    try:
        wait_until(lambda: "ready" in liar.output(), "the liar listens")
        yield liar
    finally:
        liar.kill()


@pytest.mark.parametrize("how", ["garbage", "truncated", "other-id", "other-name", "loop",
                                 "pointer", "empty", "servfail", "zero", "many", "silent"])
def test_lying_resolver(world: World, node: Node, agent: Agent, how: str) -> None:
    with lying(world, how, FIRST):
        node.host.write("/etc/resolv.conf", f"nameserver {names.LIAR}\n")
        agent.start()
        rds = agent.pid("rds")
        agent.wait_fact("rds", NO_NAME, timeout=20)
        assert agent.fact("rds")["why"]
        assert agent.pids("rds") == [rds], "the same process, not a crash"
    with lying(world, "true", FIRST):
        agent.wait_fact("rds", WRITABLE, timeout=30)


def test_huge_ttl_is_not_believed(world: World, node: Node, agent: Agent) -> None:
    """An answer for 68 years is asked for again after dns_max."""
    with lying(world, "huge-ttl", FIRST) as liar:
        node.host.write("/etc/resolv.conf", f"nameserver {names.LIAR}\n")
        agent.change("database", dns_max="1s")
        agent.start()
        agent.wait_fact("rds", WRITABLE)
        assert agent.fact("rds-dns")["text"] == FIRST
        assert agent.fact("rds-dns")["value"] == 2**31 - 1
        first = liar.output().count("asked")
        wait_until(lambda: liar.output().count("asked") > first + 2, "asked again", 10)
        assert agent.fact("rds")["value"] == WRITABLE


@contextmanager
def listening(world: World, how: str) -> Iterator[Process]:
    """Something on the database's port, at the balancer's address."""
    server = world.balancer.python("parts.lying_mysql", how, log=f"mysql-{how}")
    try:
        wait_until(lambda: "ready" in server.output(), "the stand-in listens")
        yield server
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["garbage", "greeting", "length", "silent", "blocked",
                                 "greeted"])
def test_server_that_is_none(world: World, database: Database, agent: Agent, how: str) -> None:
    with listening(world, how):
        world.dns.set(names.DATABASE_HOST, names.BALANCER, ttl=1)
        agent.start()
        rds = agent.pid("rds")
        fact = agent.wait_fact("rds", DOWN)
        assert fact["why"]
        assert agent.get("/livez").took_s < 0.5
        hold_true(lambda: agent.pids("rds") == [rds], "the same process goes on", 1)
        database.point(0)
        agent.wait_fact("rds", WRITABLE, timeout=20)


def test_no_login_without_encryption(world: World, agent: Agent) -> None:
    """tls = required: a server that offers no TLS is not even told the user's name."""
    with listening(world, "plain") as server:
        world.dns.set(names.DATABASE_HOST, names.BALANCER, ttl=1)
        agent.change("database", tls="required", tls_ca="")
        agent.start()
        assert "SSL is required" in agent.wait_fact("rds", DOWN)["why"]
        wait_until(lambda: "nothing" in server.output(), "the client went without a login")
        assert "login" not in server.output()


def test_login_without_encryption_if_told(world: World, agent: Agent) -> None:
    with listening(world, "plain") as server:
        world.dns.set(names.DATABASE_HOST, names.BALANCER, ttl=1)
        agent.change("database", tls="off", tls_ca="")
        agent.start()
        wait_until(lambda: "login" in server.output(), "the login")


def test_required_takes_any_certificate(database: Database, agent: Agent) -> None:
    """Encrypted, by an authority that nobody was told of."""
    agent.change("database", tls="required", tls_ca="")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    assert database.servers[0].sessions()


def test_answers_in_turn_are_no_reason_to_hurry(world: World, node: Node, agent: Agent) -> None:
    """Two name servers, one behind the other: a server that has blocked this host
    is not tried again each time the answer changes."""
    with listening(world, "blocked") as server, lying(world, "alternating", names.BALANCER) as liar:
        node.host.write("/etc/resolv.conf", f"nameserver {names.LIAR}\n")
        agent.start()
        assert "1129" in agent.wait_fact("rds", DOWN)["why"]
        first = liar.output().count("asked")
        wait_until(lambda: liar.output().count("asked") > first + 30, "thirty answers", 30)
        assert "1129" in agent.fact("rds")["why"]
        # once, and once more when 127.0.0.2 is new
        assert server.output().count("connected") <= 2


def test_name_servers_that_disagree(world: World, database: Database, node: Node,
                                    agent: Agent) -> None:
    """Each answer has one of two servers, in turn, and both accept writes: the session is kept."""
    database.servers[1].writable(True)
    with lying(world, "in-turn", f"{FIRST},{SECOND}") as liar:
        node.host.write("/etc/resolv.conf", f"nameserver {names.LIAR}\n")
        agent.start()
        peer = agent.wait_fact("rds", WRITABLE)["text"]
        agent.wait_page("/readyz", 200)
        first = liar.output().count("asked")
        with Probes(node.host, "/readyz") as probes:
            wait_until(lambda: liar.output().count("asked") > first + 8, "eight answers", 30)
        probes.judge()
        assert agent.fact("rds")["text"] == peer
        assert agent.fact("rds-change")["value"] == 0
        assert agent.status()["facts"]["rds-dns"]["text"] in (FIRST, SECOND)


def test_frozen_server_is_a_reason(database: Database, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    server = database.servers[0]
    server.host.kill(server.mariadbd(), signal.SIGSTOP)
    agent.wait_fact("rds", DOWN, timeout=8)
    server.host.kill(server.mariadbd(), signal.SIGCONT)
    agent.wait_fact("rds", WRITABLE)


def test_two_nodes_two_sessions(world: World, database: Database,
                                new_node: Callable[[], Node]) -> None:
    for node in (new_node(), new_node()):
        node.only("database")
        node.agent.start()
        node.agent.wait_fact("rds", WRITABLE)
    assert len(database.servers[0].sessions()) == 2
