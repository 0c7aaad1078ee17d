"""Bad configuration gets a clear error and loses nothing."""
from __future__ import annotations

import os

import pytest

from parts import names
from parts.agent import CONF, UMBRELLA, Agent, ini
from parts.host import Host
from parts.mariadb import AGENT_PASSWORD
from parts.node import CA, PASSWORD, Node
from parts.wait import hold_true, wait_until
from parts.world import World

UNREADABLE, SYNTAX, UNKNOWN, VALUE, MISSING, SECRET = 3, 4, 5, 6, 7, 8  # enum conf_error

GOOD = "[health]\nlisten = 0.0.0.0:8099\n[metrics]\nenabled = no\n"


def values(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_good(node: Node) -> None:
    node.host.write(CONF, GOOD)
    assert node.host.run("wnactl", "check").returncode == 0
    effective = node.host.run("wnactl", "config").stdout
    assert f"# {CONF}:2\nlisten = 0.0.0.0:8099\n# default\n" in effective
    node.host.write(CONF, effective)
    again = node.host.run("wnactl", "config").stdout
    assert values(again) == values(effective), "what is printed reads back the same"


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
    "after-bracket": (SYNTAX, "[agent] log_level = nonsense\n", 1, "agent"),
    "byte-order-mark": (UNKNOWN, "\ufeff[agnt]\n", 1, "agnt"),
    "url": (VALUE, "[check web]\nurl = http://localhost.localdomain/health.html\n", 2, "url"),
    "url-port": (VALUE, "[check web]\nurl = http://127.0.0.1:99999/\n", 2, "url"),
    "young": (MISSING, "[check web]\ninterval = 3s\ntimeout = 50ms\nmax_age = 3050ms\n", 4,
              "max_age"),
    "certificates": (UNREADABLE, "[metrics]\nca_file = /nowhere/ca.pem\n", 2, "ca_file"),
    "hook-user": (VALUE, "[hooks]\nenabled = yes\nuser = nosuchuser\n", 3, "nosuchuser"),
    "no-user": (MISSING, "[hooks]\nenabled = yes\nuser =\n", 3, "a user"),
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
    done = host.run("wnactl", "check", check=False)  # type: ignore[attr-defined]
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    said = "".join(part for part in said.splitlines(True) if " warning: no local check" not in part)
    assert f"agent.conf:{line}:" in said
    assert word in said and len(said.strip().splitlines()) == 1


def test_all_problems_at_once(host: object) -> None:
    """The exit code is the first one's; config prints nothing then."""
    host.write(CONF, "[health]\nlistne = 1.2.3.4:1\n[chek web]\n[database]\nenabled = yes\n"  # type: ignore[attr-defined]
               "user = wna\n[metrics]\nca_file = /nowhere/ca.pem\npush_interval = 20s\n")
    done = host.run("wnactl", "check", check=False)  # type: ignore[attr-defined]
    assert done.returncode == UNKNOWN and not done.stdout
    wanted = ("2: health.listne: unknown key; did you mean listen?", "3: [chek web]: unknown section; "
              "did you mean [check NAME]?", "4: database.endpoint: expected", "4: database.password_file",
              "4: database.tls_ca: expected", "9: metrics.push_interval: expected 10s or 60s",
              "8: metrics.ca_file: expected a file", " warning: no local check")
    lines = done.stderr.splitlines()
    assert len(lines) == len(wanted), done.stderr
    for line, start in zip(lines, wanted):
        assert line.startswith(f"{CONF}:{start}"), line
    done = host.run("wnactl", "config", check=False)  # type: ignore[attr-defined]
    assert done.returncode == UNKNOWN and not done.stdout
    assert done.stderr.splitlines() == lines[:6], "it does not look at the machine"


def test_an_answer_that_cannot_be_written(host: object) -> None:
    host.write(CONF, GOOD)  # type: ignore[attr-defined]
    for command in ("check", "config", "config --keys"):
        done = host.run("bash", "-c", f"wnactl {command} > /dev/full", check=False)  # type: ignore[attr-defined]
        assert done.returncode == 1 and "No space left" in done.stderr


def test_as_installed(world: World, host: Host) -> None:
    """The shipped file checks the web server; one without any local check is warned of."""
    host.write(CONF, (world.stage / CONF[1:]).read_text())
    done = host.run("wnactl", "check")
    assert "good" in done.stdout and not done.stderr
    assert "url = http://127.0.0.1/health.html" in host.run("wnactl", "config").stdout
    host.write(CONF, GOOD + "[check web]\nscope = shared\n")
    done = host.run("wnactl", "check")
    assert "good" in done.stdout and "warning: no local check" in done.stderr


def test_missing_file(host: object) -> None:
    done = host.run("wnactl", "check", "/nowhere.conf", check=False)  # type: ignore[attr-defined]
    assert done.returncode == UNREADABLE and "/nowhere.conf" in done.stderr


def test_drop_in_is_named(host: object) -> None:
    host.write(CONF, GOOD)  # type: ignore[attr-defined]
    drop = "/etc/web-node-agent/agent.conf.d/50-own.conf"
    host.write(drop, "[health]\nidle_timeout = 1s\n\nwhat = 1\n")  # type: ignore[attr-defined]
    done = host.run("wnactl", "check", check=False)  # type: ignore[attr-defined]
    host.path(drop).unlink()  # type: ignore[attr-defined]
    assert done.returncode == UNKNOWN and "50-own.conf:4:" in done.stderr


@pytest.mark.parametrize("mode, owner, group, code", [
    (0o640, None, "wna-rds", 0), (0o644, None, "wna-rds", SECRET), (0o600, None, "wna-rds", SECRET),
    (0o640, None, None, SECRET), (0o640, "wna-rds", "wna-rds", SECRET),
    (0o640, None, "wna-cloud", SECRET)])
def test_password_file(node: Node, mode: int, owner: str | None, group: str | None,
                       code: int) -> None:
    """Root's, and the one worker's to read."""
    node.only("database")
    node.host.write(PASSWORD, "secret-word\n", mode)
    node.host.run("chown", f"{owner or 'root'}:{group or 'root'}", PASSWORD)
    done = node.host.run("wnactl", "check", check=False)
    assert done.returncode == code, done.stderr
    assert "secret-word" not in done.stdout + done.stderr
    if code:
        assert PASSWORD in done.stderr and f"{CONF}:" in done.stderr


def line_of(node: Node, start: str) -> str:
    """ "FILE:LINE:" of the line that starts so."""
    lines = node.host.read(CONF).splitlines()
    return f"{CONF}:{[i for i, line in enumerate(lines, 1) if line.startswith(start)][0]}:"


def test_empty_password(node: Node) -> None:
    node.only("database")
    assert node.host.run("wnactl", "check").returncode == 0
    node.write_password("")
    node.host.sh(f": > {PASSWORD}")
    done = node.host.run("wnactl", "check", check=False)
    assert done.returncode == SECRET and "empty" in done.stderr
    assert line_of(node, "password_file") in done.stderr


@pytest.mark.parametrize("mode, group, code", [
    (0o644, None, 0), (0o640, "wna-rds", 0), (0o640, None, UNREADABLE), (0o600, None, UNREADABLE),
    (None, None, UNREADABLE)])
def test_certificates(node: Node, mode: int | None, group: str | None, code: int) -> None:
    node.only("database")
    place = node.host.path(CA)
    if mode is None:
        place.unlink()
    else:
        os.chown(place, 0, node.users[group] if group else 0)
        place.chmod(mode)
    done = node.host.run("wnactl", "check", check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert line_of(node, "tls_ca") in done.stderr and "wna-rds" in done.stderr


@pytest.mark.parametrize("by_link", [False, True])
def test_password_on_a_silent_server(node: Node, agent: Agent, by_link: bool) -> None:
    """wnactl check does not touch it, nor does wna-rds, and no answer waits for it."""
    node.only("database")
    node.host.sh("mkdir -p /run/far; ln -s /run/far /run/near; "
                 "mount -t fuse.bindfs /srv/efs /run/far")
    node.host.write("/run/far/password", "secret-word\n", 0o600)
    agent.change("database", password_file="/run/near/password" if by_link
                 else "/run/far/password")
    for silent in (False, True):
        if silent:
            node.shared.silence(node.host)
        done = node.host.run("wnactl", "check", check=False, timeout=5)
        assert done.returncode == SECRET and "network file system" in done.stderr
        assert line_of(node, "password_file") in done.stderr
    agent.start()
    assert agent.code("/livez") == 200
    wait_until(lambda: "network file system" in agent.job("database")["why"], "the reason")
    node.shared.speak(node.host)


def test_checks_below_the_shared_file_system_are_refused(node: Node) -> None:
    node.host.sh("mount -t fuse.bindfs /srv/efs /var/www/html/efs")
    for kind in ("file", "disk"):
        node.host.write(CONF, GOOD + f"[check x]\ntype = {kind}\npath = /var/www/html/efs/x\n")
        done = node.host.run("wnactl", "check", check=False)
        assert done.returncode not in (0, 1) and "path" in done.stderr
        node.host.write(CONF, GOOD + f"[check x]\ntype = {kind}\npath = /var/www/html\n")
        assert node.host.run("wnactl", "check").returncode == 0


def test_links_onto_a_network_file_system_are_refused(node: Node) -> None:
    node.host.sh("mkdir -p /run/far /run/here; ln -s /run/far /run/link; "
                 "ln -s /var/www/html/efs /run/shared; mount -t fuse.bindfs /srv/efs /run/far")
    mount = "[mount]\nenabled = yes\ntype = tmpfs\nsource = none\n"
    for path, code in (("/run/link/ok", VALUE), ("/run/shared/ok", VALUE), ("/run/here", 0)):
        node.host.write(CONF, GOOD + mount + f"[check x]\ntype = disk\npath = {path}\n")
        done = node.host.run("wnactl", "check", check=False)
        assert done.returncode == code, done.stderr
        if code:
            assert line_of(node, "path = /run") + " check x.path:" in done.stderr


def test_running_agent_keeps_its_configuration(node: Node, agent: Agent) -> None:
    node.only()
    agent.start()
    for _, (_, text, _, word) in BAD.items():
        node.host.write(CONF, text.encode(errors="surrogateescape"))
        mark = node.host.cursor()
        assert agent.reload().returncode != 0
        said = node.host.journal("-u", UMBRELLA, after=mark)
        assert [entry for entry in said if word in entry["MESSAGE"]]
        assert agent.code("/livez") == 200
    hold_true(lambda: agent.code("/livez") == 200, "still listening where it did", 1)
    agent.configure(agent.settings)
    assert agent.reload().returncode == 0


def test_a_machine_that_is_not_ready_keeps_nothing_from_starting(node: Node, agent: Agent) -> None:
    """At the first start a password file that is not there yet, or a user, is told and waited for;
    the other jobs run."""
    node.only("database")
    agent.change("hooks", enabled=True, user="nosuchuser")
    node.host.path(PASSWORD).unlink()
    agent.start()
    assert agent.code("/healthz") == 200
    said = "".join(entry["MESSAGE"] + "\n" for entry in node.host.journal("-b", "-u", UMBRELLA))
    assert f"{line_of(node, 'user = nosuchuser')} hooks.user:" in said
    assert f"{line_of(node, 'password_file')} database.password_file:" in said
    agent.change("hooks", user="wna-hooks")
    node.write_password(AGENT_PASSWORD)
    assert agent.reload().returncode == 0
    agent.wait_job("database", "ok")


def test_help_and_version_everywhere(host: object) -> None:
    programs = ["wnactl"] + [
        f"/usr/libexec/web-node-agent/wna-{role}"
        for role in ("core", "mount", "check", "rds", "cloud", "hooks", "sockets")]
    for program in programs:
        for option in ("--help", "--version"):
            done = host.run(program, option, check=False)  # type: ignore[attr-defined]
            assert done.returncode == 0 and done.stdout.strip(), f"{program} {option}"
    assert host.run("wnactl", "nonsense", check=False).returncode == 64  # type: ignore[attr-defined]


def test_names_are_used(node: Node, agent: Agent) -> None:
    """A whole configuration of five jobs is accepted as the lab writes it."""
    node.host.write(CONF, ini(node.settings()))
    assert node.host.run("wnactl", "check").returncode == 0
    assert names.DATABASE_HOST in node.host.run("wnactl", "config").stdout
