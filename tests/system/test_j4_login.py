"""J4, the login by IAM: a token signed by the instance's role, and no password
anywhere."""
from __future__ import annotations

import json
from typing import Iterator

import pytest

from parts import mariadb, names
from parts.agent import Agent
from parts.cloudwatch import Credentials
from parts.mariadb import Database
from parts.node import PASSWORD, Node
from parts.process import Process
from parts.wait import wait_until
from parts.world import World

WRITABLE, DOWN = 1, 3  # enum rds_state
PORT = 3406
RULES = "/run/iam-mysql.json"
TOKEN = "/run/web-node-agent/login/token"


def accept(world: World, *keys: Credentials, port: int = PORT) -> None:
    """The roles that may log in from now on."""
    rules = {"host": names.DATABASE_HOST, "port": port, "user": mariadb.AGENT_USER,
             "region": names.REGION, "keys": {k.access_key: [k.secret, k.token] for k in keys}}
    world.cloudwatch.host.write(RULES, json.dumps(rules))


def listen(world: World) -> Process:
    """At CloudWatch's address, since botocore is there."""
    process = world.cloudwatch.host.python(
        "parts.iam_mysql", names.CLOUDWATCH, str(PORT), "/run/iam-cert.pem", "/run/iam-key.pem",
        RULES, log="iam-mysql", interpreter=f"{world.venv}/bin/python")
    wait_until(lambda: "ready" in process.output(), "the stand-in listens")
    return process


@pytest.fixture
def server(world: World, database: Database) -> Iterator[Process]:
    """The database of these tests."""
    certificate = world.authority.issue(names.DATABASE_HOST)
    world.cloudwatch.host.write("/run/iam-cert.pem", certificate.certificate)
    world.cloudwatch.host.write("/run/iam-key.pem", certificate.key)
    accept(world)
    process = listen(world)
    world.dns.set(names.DATABASE_HOST, names.CLOUDWATCH, ttl=5)
    yield process
    process.kill()


@pytest.fixture
def agent(node: Node, server: Process) -> Agent:
    node.only("database")
    node.host.run("rm", PASSWORD)
    node.agent.change("database", auth="iam", port=PORT, password_file=None)
    return node.agent


def test_role_logs_in(world: World, node: Node, agent: Agent, server: Process) -> None:
    """Also while metrics are off, which is where credentials were needed before."""
    role = node.give_role()
    accept(world, role)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    assert server.output().count("accepted") == 1
    token = node.host.read(TOKEN)
    assert f"X-Amz-Credential={role.access_key}%2F" in token
    for user, rc in (("wna-rds", 0), ("wna-check", 1), ("nobody", 1)):
        seen = node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                             "cat", TOKEN, check=False)
        assert (seen.returncode, seen.stdout) == (rc, "" if rc else token), user
    signature = token.rsplit("=", 1)[1]
    assert signature not in agent.log() + json.dumps(agent.status())
    assert signature not in node.host.read("/run/web-node-agent/rds.json")


def test_another_role(world: World, node: Node, agent: Agent, server: Process) -> None:
    """After the instance's role has been replaced, a new session has the new one."""
    first = node.give_role()
    accept(world, first)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    second = node.give_role()
    assert first.access_key != second.access_key
    agent.reload()
    wait_until(lambda: second.access_key in node.host.read(TOKEN), "a token of the new role")
    accept(world, second)
    server.kill()
    agent.wait_fact("rds", DOWN)
    again = listen(world)
    try:
        agent.wait_fact("rds", WRITABLE)
        assert again.output().count("accepted") == 1 and "refused" not in again.output()
    finally:
        again.kill()


def wait_refused(agent: Agent) -> None:
    """Before that it is down for want of a token."""
    wait_until(lambda: "login refused" in agent.fact("rds")["why"], "the login is refused")


def test_role_without_the_right(world: World, node: Node, agent: Agent, server: Process) -> None:
    role = node.give_role()
    agent.start()
    wait_refused(agent)
    assert "refused of an unknown key" in server.output()
    accept(world, role)
    agent.reload()
    agent.wait_fact("rds", WRITABLE)


def test_credentials_that_come_late(world: World, node: Node, agent: Agent) -> None:
    agent.start()
    assert "no login token yet" in agent.wait_fact("rds", DOWN)["why"]
    accept(world, node.give_role())
    agent.wait_fact("rds", WRITABLE, timeout=30)  # by itself


def test_endpoint_that_is_an_alias(world: World, node: Node, agent: Agent, server: Process) -> None:
    """RDS accepts no token for an alias, and has no certificate for it. Aurora's own names lead on."""
    world.dns.set(f"instance.{names.DOMAIN}", names.CLOUDWATCH, ttl=5)
    world.dns.alias(names.DATABASE_HOST, f"instance.{names.DOMAIN}", ttl=5)
    world.dns.alias(f"db.{names.DOMAIN}", names.DATABASE_HOST, ttl=5)
    agent.change("database", endpoint=f"db.{names.DOMAIN}")
    accept(world, node.give_role())
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    assert node.host.read(TOKEN).startswith(f"{names.DATABASE_HOST}:{PORT}/")
    assert "refused" not in server.output()


def test_token_for_another_endpoint(world: World, node: Node, agent: Agent,
                                    server: Process) -> None:
    """What the server says is told."""
    accept(world, node.give_role(), port=3306)
    agent.start()
    wait_refused(agent)
    wait_until(lambda: "refused signed for" in server.output(), "the stand-in's reason")
