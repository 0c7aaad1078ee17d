"""Slow and hostile clients: the load balancer still gets its answer."""
from __future__ import annotations

import os
import random
import resource
import signal
import socket
from typing import Iterator

import pytest

from parts.agent import PORT, Agent
from parts.node import Node
from parts.wait import wait_until
from parts.world import World


@pytest.fixture
def agent(node: Node) -> Agent:
    node.only()
    node.agent.change("health", request_timeout="2s", idle_timeout="5s")
    node.agent.start()
    return node.agent


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 40000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def balancer_is_answered(world: World, agent: Agent) -> None:
    answer = agent.get("/livez", source=world.balancer, timeout=5)
    assert answer.status == 200 and answer.took_s < 1


def test_ten_thousand_idle_connections(world: World, agent: Agent, many_files: None) -> None:
    held: list[socket.socket] = []
    try:
        with world.balancer.net():
            for number in range(10000):
                peer = socket.socket()
                peer.setblocking(False)
                peer.connect_ex((agent.host.address, PORT))
                held.append(peer)
                if number % 2500 == 2499:
                    balancer_is_answered(world, agent)
        counters = agent.status()["counters"]
        assert counters["accepted"] > 10000, "they were all let in"
        assert counters["evicted"] > 9000, "and the oldest had to go"
        for _ in range(20):
            balancer_is_answered(world, agent)
    finally:
        for peer in held:
            peer.close()
    balancer_is_answered(world, agent)


def test_slow_requests_are_ended(world: World, agent: Agent) -> None:
    slow = [agent.connection(source=world.balancer) for _ in range(600)]
    for connection in slow:
        try:
            connection.send(b"GET /livez HT")
        except OSError:
            pass  # evicted already: more than health.max_connections
    balancer_is_answered(world, agent)
    # One keeps sending a byte now and then: the deadline is for the whole request.
    last = slow[-1]

    def ended() -> bool:
        try:
            last.send(b"T")
        except OSError:
            return True
        return False
    wait_until(ended, "a request that never ends is ended", 10)
    balancer_is_answered(world, agent)
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("data", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00" + b"\0" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /livez\0 HTTP/1.1\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 2000,
    b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
])
def test_what_is_no_request(agent: Agent, data: bytes) -> None:
    core = agent.pids("core")
    with agent.connection() as connection:
        try:
            connection.send(data)
            answer = connection.receive()
            assert 400 <= answer.status <= 505
        except (OSError, EOFError, ValueError):
            pass
        except Exception as error:  # http.client: the connection was closed without an answer
            assert "RemoteDisconnected" in type(error).__name__ or "Line" in type(error).__name__
    assert agent.code("/livez") == 200
    assert agent.pids("core") == core


def test_random_bytes(agent: Agent) -> None:
    core = agent.pids("core")
    source = random.Random(7)
    for _ in range(300):
        with agent.connection() as connection:
            try:
                connection.send(source.randbytes(source.randrange(1, 3000)))
            except OSError:
                pass
    assert agent.code("/livez") == 200
    assert agent.pids("core") == core


def test_reset_in_the_middle(world: World, agent: Agent) -> None:
    """Connections that end with RST while answers are being written."""
    for _ in range(300):
        connection = agent.connection(source=world.balancer)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        connection.close()
    balancer_is_answered(world, agent)


def test_readers_that_do_not_read(world: World, agent: Agent) -> None:
    stalled = []
    for _ in range(50):
        connection = agent.connection()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.socket.setblocking(False)
        try:
            for _ in range(200):
                connection.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        except OSError:
            pass
        stalled.append(connection)
    balancer_is_answered(world, agent)
    for connection in stalled:
        connection.close()


def test_descriptors_do_not_leak(world: World, agent: Agent) -> None:
    core = agent.pid("core")

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{core}/fd"))
    agent.code("/livez")
    before = descriptors()
    for _ in range(200):
        agent.get("/healthz", source=world.balancer)
    wait_until(lambda: descriptors() <= before + 1, "closed connections are closed")


def test_hub_under_pressure(agent: Agent) -> None:
    held = []
    for _ in range(40):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.settimeout(2)
        try:
            peer.connect(str(agent.host.path("/run/web-node-agent/hub")))
        except OSError:
            pass
        held.append(peer)
    assert agent.code("/livez") == 200
    for peer in held:
        peer.close()
    wait_until(lambda: agent.status()["jobs"], "wnactl is served again")


