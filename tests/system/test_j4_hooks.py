"""J4, the hooks: what is run when the database is down, moves or is writable again, whose it must
be, and how often."""
from __future__ import annotations

import signal

import pytest

from parts import mariadb, names
from parts.agent import Agent
from parts.mariadb import Database
from parts.node import Node
from parts.wait import hold_true, wait_until
from parts.web import PAGE, WORKERS
from rig.probes import Probes

WRITABLE = 1  # enum rds_state
FIRST, SECOND = names.DATABASES


@pytest.fixture
def agent(node: Node, database: Database) -> Agent:
    node.only("database")
    return node.agent


def hook(node: Node, name: str, text: str, event: str = "moved") -> None:
    node.host.write(f"/etc/web-node-agent/hooks.d/database-{event}/{name}",
                    f"#!/bin/bash\n{text}\n", 0o755)


def test_hooks_run(database: Database, node: Node, agent: Agent) -> None:
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-environment", "id -un > /srv/out/user; env > /srv/out/env.new; "
                                 "mv /srv/out/env.new /srv/out/env")
    agent.change("hooks", enabled=True)
    agent.drop_in("hooks", "[Service]\nEnvironment=OF_THE_SERVICE=1\n")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.failover("kill")
    wait_until(lambda: node.host.path("/srv/out/env").exists(), "the hook ran", 15)
    environment = node.host.read("/srv/out/env")
    assert FIRST in environment and SECOND in environment
    assert "OF_THE_SERVICE" not in environment
    assert node.host.read("/srv/out/user").strip() == "wna-hooks"
    agent.wait_fact("hook", 0)


def test_down_moved_and_up(database: Database, node: Node, agent: Agent) -> None:
    """A silent death, and all that is told about it: by scripts, in order and once each although
    wna-rds and wna-hooks are restarted, on the timeline, and in the journal's fields."""
    node.host.sh("mkdir -m 777 /srv/out")
    mark = node.host.cursor()
    for event in ("down", "moved", "up"):
        hook(node, "10-tell", 'echo "$WNA_EVENT ${WNA_RDS_ADDRESS:-$WNA_RDS_TO}" '
                              f'>> /srv/out/{event}', event)
    told = [node.host.path(f"/srv/out/{event}") for event in ("down", "moved", "up")]
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.servers[0].host.cut("")
    wait_until(told[0].exists, "the first script ran", 20)
    for role in ("rds", "hooks"):
        for pid in agent.pids(role):
            node.host.kill(pid, signal.SIGKILL)
    assert not told[1].exists() and not told[2].exists()
    database.servers[1].writable(True)
    database.point(1)
    wait_until(told[2].exists, "the last script ran", 20)
    up = agent.wait_fact("rds-up", 1)
    impact, detected, named, writable = up["more"]
    assert impact < detected < named < writable, up
    assert [t.read_text() for t in told] == [f"database-down {FIRST}\n", f"database-moved {SECOND}\n",
                                             f"database-up {SECOND}\n"]
    timeline = [e["what"] for e in agent.status()["timeline"]]
    down = timeline.index(f"database: no answer from {FIRST}")
    assert [e for e in timeline[down:] if e.startswith(f"database: writable at {SECOND}, impact from")]
    entries = [e for e in node.host.journal("-u", "web-node-agent-core.service", after=mark)
               if e.get("MESSAGE_ID") == "b1d7a0c25e8f4c6bb3c94f1f7a52d860"]
    assert [e["WNA_EVENT"] for e in entries] == ["database-down", "database-moved", "database-up"]
    assert entries[2]["WNA_WRITABLE_UNIX_MS"] == str(writable)


def test_a_lost_session_is_no_event(database: Database, node: Node, agent: Agent) -> None:
    """An administrator ends the agent's session: nothing happened to the database."""
    node.host.sh("mkdir -m 777 /srv/out")
    for event in ("down", "moved", "up"):
        hook(node, "10-tell", f"touch /srv/out/{event}", event)
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    session = database.servers[0].sessions()
    database.servers[0].sql(f"KILL {session[0]}")
    wait_until(lambda: database.servers[0].sessions() not in ([], session), "another session", 10)
    agent.wait_job("database", "ok")
    assert [agent.fact(f"rds-{event}")["value"] for event in ("down", "change", "up")] == [0, 0, 0]
    assert node.host.run("ls", "/srv/out").stdout == ""


def test_only_roots_hooks_run(database: Database, node: Node, agent: Agent) -> None:
    """A script of somebody else's is refused and told, its neighbour runs; then the
    folder is somebody else's, and nothing in it runs."""
    folder = "/etc/web-node-agent/hooks.d"
    hook(node, "10-theirs", "touch /srv/out/theirs")
    hook(node, "20-ours", "touch /srv/out/ours")
    node.host.sh(f"mkdir -m 777 /srv/out; chown nobody {folder}/database-moved/10-theirs")
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


def test_told_once_whoever_dies(database: Database, node: Node, agent: Agent) -> None:
    """The core is killed again and again while the database moves, and wna-rds in the
    middle of it; then all three, once each. Each move has its run, and one only."""
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-count", "echo \"$WNA_RDS_TO\" >> /srv/out/moves")
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    moves = node.host.path("/srv/out/moves")

    def kill(*roles: str) -> None:
        for role in roles:
            for pid in agent.pids(role):
                node.host.kill(pid, signal.SIGKILL)

    def moved() -> bool:
        kill("core")
        return f'"writer":"{SECOND}"' in node.host.read("/run/web-node-agent/rds.json")
    database.failover("kill")
    kill("rds")
    wait_until(moved, "wna-rds has told the change to one core or another", 15)
    wait_until(moves.exists, "the hook ran", 30)
    wait_until(lambda: agent.fact("hook")["value"] == 0, "its outcome is known", 30)
    kill("rds", "hooks", "core")
    agent.wait_fact("rds", WRITABLE, timeout=30)
    database.repair()
    database.failover("demote")
    wait_until(lambda: len(moves.read_text().split()) > 1, "the next move has its run", 30)
    assert moves.read_text().split() == [SECOND, FIRST]


def test_switched_on_later(database: Database, node: Node, agent: Agent) -> None:
    """A move of the time before is history; the next one is an event."""
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-count", "echo \"$WNA_RDS_TO\" >> /srv/out/moves")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    database.failover("demote")
    agent.wait_fact("rds-change", 1)
    agent.change("hooks", enabled=True)
    assert agent.reload().returncode == 0
    wait_until(lambda: node.host.read("/run/web-node-agent/hooks/database-moved") == "1\n",
               "wna-hooks has heard of it")
    database.failover("demote")
    wait_until(lambda: node.host.read("/srv/out/moves") == f"{FIRST}\n", "one run", 15)


def test_a_hanging_hook_is_ended(database: Database, node: Node, agent: Agent) -> None:
    hook(node, "10-hangs", "trap '' TERM; sleep 12321")
    agent.change("hooks", enabled=True, timeout="1s")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    process = agent.pid("hooks")
    database.failover("kill")
    wait_until(lambda: node.host.ps("sleep"), "the hook runs", 15)
    assert agent.code("/livez") == 200
    agent.wait_fact("hook", 124)
    assert not node.host.ps("sleep")
    assert agent.pids("hooks") == [process]


def test_a_restart_waits_for_a_hook(database: Database, node: Node, agent: Agent) -> None:
    """It gets no signal, and the service leaves when it has ended. Health checks are answered meanwhile."""
    node.host.sh("mkdir -m 777 /srv/out")
    hook(node, "10-slow", "trap 'echo TERM >> /srv/out/told' TERM; touch /srv/out/began; sleep 3; "
                          "echo done >> /srv/out/told")
    agent.change("hooks", enabled=True)
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    process = agent.pid("hooks")
    database.failover("kill")
    wait_until(lambda: node.host.path("/srv/out/began").exists(), "the hook runs", 15)
    with Probes(node.host, "/livez") as probes:
        agent.restart()
        assert node.host.read("/srv/out/told") == "done\n"
        agent.wait_page("/livez", 200)
    probes.judge()
    assert agent.pid("hooks") != process


@pytest.mark.parametrize("user", ["root", "wna-hooks"])
def test_php_fpm_lets_go(database: Database, node: Node, agent: Agent, user: str) -> None:
    """The old writer lives on, read-only: the page's persistent connections stay
    with it until the sample script has replaced php-fpm's workers. Root may: an operator has made the
    service root's, as a load says, and its own user may not."""
    node.web.start()
    node.host.run("install", "-m", "755", "/usr/share/doc/web-node-agent/hooks/50-php-fpm",
                  "/etc/web-node-agent/hooks.d/database-moved/")
    node.host.write("/var/www/html/index.php", PAGE)
    agent.change("hooks", enabled=True, user=user)
    agent.change("database", stale_connections="off")  # or they would be ended without the hook
    said = node.host.run("wnactl", "load").stderr
    assert ("User=root" in said) == (user == "root"), said
    agent.drop_in("hooks", f"[Service]\nUser={user}\n")
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


def test_a_hung_worker_does_not_stop_the_site(database: Database, node: Node, agent: Agent) -> None:
    """One of php-fpm's two workers waits for a database that has died silently. The other one serves
    pages all the time, also while the sample script replaces both."""
    node.web.start()
    node.host.write("/var/www/html/index.php", PAGE)
    node.host.write("/var/www/html/clock.php", "<?php echo 'clock';")
    node.host.run("install", "-m", "755", "/usr/share/doc/web-node-agent/hooks/50-php-fpm",
                  "/etc/web-node-agent/hooks.d/database-moved/")
    agent.change("hooks", enabled=True, user="root")
    agent.change("database", stale_connections="off")  # or the connection would be ended
    agent.drop_in("hooks", "[Service]\nUser=root\n")
    agent.start()
    agent.wait_fact("rds", WRITABLE)
    wait_until(lambda: node.web.get("/index.php")[0] == 200 and
               len(database.servers[0].sessions(mariadb.PAGE_USER)) == WORKERS,
               "every worker of php-fpm has its connection")

    def clock() -> bool:
        """Within two seconds."""
        assert node.web.get("/clock.php", timeout=2) == (200, "clock")
        return True
    database.servers[0].host.cut("")
    hung = node.host.spawn("/usr/bin/curl", "-sS", "-m", "60", "http://127.0.0.1/index.php", log="hung")
    wait_until(lambda: clock() and agent.fact("rds-down")["value"] == 1, "the agent knows", 20)
    assert hung.running()
    database.servers[1].writable(True)
    database.point(1)
    wait_until(lambda: clock() and agent.status()["facts"].get("hook"), "the script has ended", 40)
    assert agent.fact("hook")["value"] == 0
    wait_until(lambda: not hung.running(), "the request has ended")
    assert "killed the workers that did not end" in agent.log("hooks")
    hold_true(lambda: "server db-c" in node.web.get("/index.php")[1], "all workers are new", 1)
