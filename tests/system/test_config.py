"""Bad configuration gets a clear error and loses nothing."""
from __future__ import annotations

import pytest

from parts import names
from parts.agent import CONF, Agent, ini
from parts.node import PASSWORD, Node
from parts.wait import hold_true, wait_until

UNREADABLE, SYNTAX, UNKNOWN, VALUE, MISSING, SECRET = 3, 4, 5, 6, 7, 8  # enum conf_error

GOOD = "[health]\nlisten = 0.0.0.0:8099\n[metrics]\nenabled = no\n"


def test_good(node: Node) -> None:
    node.host.write(CONF, GOOD)
    assert node.host.run("wnad", "-t").returncode == 0
    effective = node.host.run("wnad", "-T").stdout
    assert "listen = 0.0.0.0:8099" in effective
    node.host.write(CONF, effective)
    assert node.host.run("wnad", "-T").stdout == effective, "what -T prints reads back the same"


BAD = {
    "unknown-key": (UNKNOWN, "[health]\nlisten = 0.0.0.0:8099\ncolour = red\n", 3, "colour"),
    "unknown-section": (UNKNOWN, "[helth]\nlisten = 0.0.0.0:8099\n", 1, "helth"),
    "too-large": (VALUE, "[health]\nmax_connections = 99999999\n", 2, "max_connections"),
    "negative": (VALUE, "[health]\nrequest_timeout = -1s\n", 2, "request_timeout"),
    "no-number": (VALUE, "[health]\nmax_connections = many\n", 2, "max_connections"),
    "no-address": (VALUE, "[health]\nlisten = everywhere\n", 2, "listen"),
    "no-word": (VALUE, "[mount]\nhang = maybe\n", 2, "hang"),
    "not-utf8": (VALUE, "[metrics]\nnamespace = \udcff\udcfe\n", 2, "namespace"),
    "huge-number": (VALUE, "[health]\nmax_connections = 99999999999999999999\n", 2,
                    "max_connections"),
    "push-interval": (VALUE, "[metrics]\npush_interval = 20s\n", 2, "push_interval"),
    "duplicate-section": (SYNTAX, "[health]\n[mount]\n[health]\n", 3, "health"),
    "duplicate-key": (SYNTAX, "[health]\nlisten = 0.0.0.0:1\nlisten = 0.0.0.0:2\n", 3, "listen"),
    "not-ini": (SYNTAX, "[health]\nthis is no assignment\n", 2, ""),
    "no-bracket": (SYNTAX, "[health\nlisten = 0.0.0.0:1\n", 1, ""),
    "long-line": (SYNTAX, "[health]\nlisten = " + "x" * 5000 + "\n", 2, ""),
    "no-endpoint": (MISSING, "[database]\nenabled = yes\n", 0, "endpoint"),
}


@pytest.fixture(scope="module")
def host(world: object) -> object:
    """One node for all of the table: nothing is started on it."""
    node = world.add_node()  # type: ignore[attr-defined]
    yield node.host
    world.remove(node)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", BAD)
def test_bad(host: object, name: str) -> None:
    code, text, line, word = BAD[name]
    host.write(CONF, text.encode(errors="surrogateescape"))  # type: ignore[attr-defined]
    done = host.run("wnad", "-t", check=False)  # type: ignore[attr-defined]
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert (f"agent.conf:{line}:" if line else "agent.conf") in said
    assert word in said and len(said.strip().splitlines()) == 1


def test_missing_file(host: object) -> None:
    done = host.run("wnad", "-t", "-c", "/nowhere.conf", check=False)  # type: ignore[attr-defined]
    assert done.returncode == UNREADABLE and "/nowhere.conf" in done.stderr


def test_drop_in_is_named(host: object) -> None:
    host.write(CONF, GOOD)  # type: ignore[attr-defined]
    drop = "/etc/web-node-agent/agent.conf.d/50-own.conf"
    host.write(drop, "[health]\nidle_timeout = 1s\n\nwhat = 1\n")  # type: ignore[attr-defined]
    done = host.run("wnad", "-t", check=False)  # type: ignore[attr-defined]
    host.path(drop).unlink()  # type: ignore[attr-defined]
    assert done.returncode == UNKNOWN and "50-own.conf:4:" in done.stderr


@pytest.mark.parametrize("mode, owner, code", [
    (0o600, 0, 0), (0o644, 0, SECRET), (0o640, 0, SECRET), (0o600, 12345, SECRET)])
def test_password_file(node: Node, mode: int, owner: int, code: int) -> None:
    node.only("database")
    node.host.write(PASSWORD, "secret-word\n", mode, owner)
    done = node.host.run("wnad", "-t", check=False)
    assert done.returncode == code
    assert "secret-word" not in done.stdout + done.stderr
    if code:
        assert PASSWORD in done.stderr


def test_checks_below_the_shared_file_system_are_refused(node: Node) -> None:
    node.host.sh("mount -t fuse.bindfs /srv/efs /var/www/html/efs")
    for kind in ("file", "disk"):
        node.host.write(CONF, GOOD + f"[check x]\ntype = {kind}\npath = /var/www/html/efs/x\n")
        done = node.host.run("wnad", "-t", check=False)
        assert done.returncode not in (0, 1) and "path" in done.stderr
        node.host.write(CONF, GOOD + f"[check x]\ntype = {kind}\npath = /var/www/html\n")
        assert node.host.run("wnad", "-t").returncode == 0


def test_running_agent_keeps_its_configuration(node: Node, agent: Agent) -> None:
    node.only()
    agent.start()
    for _, (_, text, _, word) in BAD.items():
        node.host.write(CONF, text.encode(errors="surrogateescape"))
        done = agent.reload()
        assert done.returncode != 0
        assert word in done.stdout + done.stderr
        assert agent.code("/livez") == 200
    assert agent.status()["config"]["error"]
    hold_true(lambda: agent.code("/livez") == 200, "still listening where it did", 1)
    agent.configure(agent.settings)
    assert agent.reload().returncode == 0
    wait_until(lambda: not agent.status()["config"]["error"], "the error is gone")


def test_reload_takes_a_good_one(node: Node, agent: Agent) -> None:
    node.only("database")
    agent.start()
    agent.wait_job("database", "ok")
    core, rds = agent.pid("core"), agent.pid("rds")
    agent.change("check pid", type="process", process="wnad", interval="200ms")
    assert agent.reload().returncode == 0
    wait_until(lambda: any(c["name"] == "pid" and c["level"] == "ok"
                           for c in agent.status()["checks"]), "the new check runs")
    assert agent.pid("rds") == rds, "what did not change is not restarted"
    assert agent.pid("core") != 0 and core
    assert agent.notify.said("RELOADING", "1")


def test_does_not_start_on_a_bad_one(node: Node, agent: Agent) -> None:
    node.host.write(CONF, "[health]\nlisten = nowhere\n")
    agent.start(wait=False)
    assert agent.process and agent.process.wait(10) == VALUE
    assert "agent.conf:2:" in agent.log()


def test_help_and_version_everywhere(host: object) -> None:
    programs = ["wnad", "wnactl"] + [
        f"/usr/libexec/web-node-agent/wna-{role}"
        for role in ("core", "mount", "probe", "check", "rds", "cloud", "hook")]
    for program in programs:
        for option in ("--help", "--version"):
            done = host.run(program, option, check=False)  # type: ignore[attr-defined]
            assert done.returncode == 0 and done.stdout.strip(), f"{program} {option}"
    assert host.run("wnactl", "nonsense", check=False).returncode == 2  # type: ignore[attr-defined]
    assert host.run("wnad", "--nonsense", check=False).returncode == 2  # type: ignore[attr-defined]


def test_names_are_used(node: Node, agent: Agent) -> None:
    """A whole configuration of five jobs is accepted as the lab writes it."""
    node.host.write(CONF, ini(node.settings()))
    assert node.host.run("wnad", "-t").returncode == 0
    assert names.DATABASE_HOST in node.host.run("wnad", "-T").stdout
