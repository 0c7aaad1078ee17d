"""J4, the hooks: what is run when the database moves, whose it must be, and how
often."""
from __future__ import annotations

import signal

import pytest

from parts import mariadb, names
from parts.agent import Agent
from parts.mariadb import Database
from parts.node import Node
from parts.wait import hold_true, wait_until
from parts.web import PAGE, WORKERS

WRITABLE = 1  # enum rds_state
FIRST, SECOND = names.DATABASES


@pytest.fixture
def agent(node: Node, database: Database) -> Agent:
    node.only("database")
    return node.agent


def hook(node: Node, name: str, text: str) -> None:
    node.host.write(f"/etc/web-node-agent/hooks.d/rds-change/{name}", f"#!/bin/bash\n{text}\n",
                    0o755)


def test_hooks_run(database: Database, node: Node, agent: Agent) -> None:
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-environment", "id -un > /srv/out/user; env > /srv/out/env.new; "
                                 "mv /srv/out/env.new /srv/out/env")
    agent.change("hooks", enabled=True)
    agent.start(environment={"SECRET_OF_ROOT": "1"})
    agent.wait_fact("rds", WRITABLE)
    database.failover("kill")
    wait_until(lambda: node.host.path("/srv/out/env").exists(), "the hook ran", 15)
    environment = node.host.read("/srv/out/env")
    assert FIRST in environment and SECOND in environment
    assert "SECRET_OF_ROOT" not in environment
    assert node.host.read("/srv/out/user").strip() == "nobody"
    agent.wait_fact("hook", 0)


def test_only_roots_hooks_run(database: Database, node: Node, agent: Agent) -> None:
    """A script of somebody else's is refused and told, its neighbour runs; then the
    folder is somebody else's, and nothing in it runs."""
    folder = "/etc/web-node-agent/hooks.d"
    hook(node, "10-theirs", "touch /srv/out/theirs")
    hook(node, "20-ours", "touch /srv/out/ours")
    node.host.sh(f"mkdir -m 777 /srv/out; chown nobody {folder}/rds-change/10-theirs")
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.failover("demote")
    wait_until(lambda: node.host.path("/srv/out/ours").exists(), "root's script ran", 15)
    assert "must be root's" in agent.wait_fact("hook", 126)["why"]
    assert "10-theirs" in agent.fact("hook")["text"]
    node.host.sh(f"rm /srv/out/ours; chown nobody {folder}")
    database.failover("demote")
    wait_until(lambda: agent.fact("hook")["why"].startswith(f"{folder} must be root's"),
               "the folder is told, and not what is in it", 25)
    assert node.host.run("ls", "/srv/out").stdout == ""


def test_a_core_that_dies_loses_no_hook(database: Database, node: Node, agent: Agent) -> None:
    """It is killed again and again while the database moves, and once more after the
    hook has run: one hook."""
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-count", "echo \"$WNA_RDS_TO\" >> /srv/out/moves")
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)

    def kill() -> None:
        for pid in agent.pids("core"):
            node.host.kill(pid, signal.SIGKILL)

    def moved() -> bool:
        kill()
        return SECOND in node.host.read("/run/web-node-agent/rds/rds.env")
    database.failover("kill")
    wait_until(moved, "wna-rds has told the change to one core or another", 15)
    moves = node.host.path("/srv/out/moves")
    wait_until(moves.exists, "the hook ran", 30)
    # Its fact is said once, maybe to a core that is being killed: so not awaited.
    wait_until(lambda: not agent.pids("hook"), "the hook's end")
    kill()
    wait_until(lambda: agent.fact("rds-change")["value"] == 1, "the next core knows the change", 30)
    wait_until(lambda: "ordered again for change 1" in agent.log(), "wnad passes its order over", 20)
    assert moves.read_text().split() == [SECOND]


def test_a_hanging_hook_is_ended(database: Database, node: Node, agent: Agent) -> None:
    hook(node, "10-hangs", "trap '' TERM; sleep 12321")
    agent.change("hooks", enabled=True, timeout="1s")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.failover("kill")
    wait_until(lambda: node.host.ps("sleep"), "the hook runs", 15)
    assert agent.code("/livez") == 200
    wait_until(lambda: not node.host.ps("sleep") and not agent.pids("hook"), "it is ended", 15)


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_php_fpm_lets_go(database: Database, node: Node, agent: Agent, user: str) -> None:
    """The old writer lives on, read-only: the page's persistent connections stay
    with it until the shipped hook has php-fpm drop them. As nobody it may not."""
    node.web.start()
    node.host.write("/var/www/html/index.php", PAGE)
    agent.change("hooks", enabled=True, user=user)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    asked: list[tuple[int, str]] = []

    def ask() -> str:
        asked.append(node.web.get("/index.php"))
        return asked[-1][1]
    wait_until(lambda: "server db-a" in ask()
               and len(database.servers[0].sessions(mariadb.PAGE_USER)) == WORKERS,
               "every worker of php-fpm has its connection")
    database.failover("demote")
    if user == "root":
        wait_until(lambda: "server db-c" in ask(), "the page comes from the new writer", 15)
        agent.wait_fact("hook", 0)
        hold_true(lambda: "server db-c" in ask(), "every worker is with the new writer", 1)
    else:
        agent.wait_fact("hook", 1)
        hold_true(lambda: "server db-a" in ask(), "the page stays where it was", 1)
    assert all(status == 200 for status, _ in asked), "no visitor is turned away"
