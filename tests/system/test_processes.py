"""The processes: who they are, what they may, what happens when one dies."""
from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from parts.agent import LIBEXEC, Agent
from parts.node import PASSWORD, Node
from parts.wait import hold_true, wait_until
from parts.world import World
from probing import Probing

RESIDENT = ("core", "check", "rds", "cloud")
USERS = {"core": "wna", "check": "wna-check", "rds": "wna-rds", "cloud": "wna-cloud"}


@pytest.fixture
def agent(node: Node) -> Agent:
    """All five jobs."""
    node.give_role()
    node.web.start(php=False)
    node.agent.start()
    node.agent.wait_page("/readyz", 200, timeout=30)
    return node.agent


def restarts(agent: Agent) -> bool:
    """One process of each resident role."""
    return all(len(agent.pids(role)) == 1 for role in RESIDENT)


@pytest.mark.parametrize("role", RESIDENT)
def test_kill_a_process(node: Node, agent: Agent, role: str) -> None:
    old = agent.pid(role)
    servers = node.shared.servers(node.host)
    with Probing(agent) as probing:
        wait_until(lambda: probing.answered > 20, "probing runs")
        node.host.kill(old)
        wait_until(lambda: agent.pids(role) and agent.pids(role) != [old], f"a new {role}")
        wait_until(lambda: restarts(agent), "one of each")
        agent.wait_page("/readyz", 200, timeout=30)
        answered = probing.answered
        wait_until(lambda: probing.answered > answered + 20, "probing goes on")
    assert not probing.problems, probing.problems[:3]
    assert node.shared.servers(node.host) == servers
    assert len(agent.pids("wnad")) == 1


def test_kill_the_core_again_and_again(agent: Agent) -> None:
    with Probing(agent) as probing:
        for _ in range(3):
            old = agent.pid("core")
            agent.host.kill(old)
            wait_until(lambda: agent.pids("core") not in ([], [old]), "a new core", 20)
    assert not probing.problems, probing.problems[:3]
    assert probing.reset <= 3, "more than what each killed core held"


def test_kill_wnad_and_start(world: World, node: Node, agent: Agent) -> None:
    """Connects wait in the stored listener's backlog meanwhile."""
    servers = node.shared.servers(node.host)
    assert agent.notify.stored, "the listener is in the descriptor store"
    with Probing(agent) as probing:
        wait_until(lambda: probing.answered > 20, "probing runs")
        node.host.kill(agent.pid("wnad"))
        wait_until(lambda: not agent.all_pids(), "all children die with wnad")
        agent.start()
        wait_until(lambda: restarts(agent), "one of each")
        agent.wait_page("/readyz", 200, timeout=30)
    assert not probing.problems, probing.problems[:3]
    assert node.shared.servers(node.host) == servers
    assert len(node.shared.mounts(node.host)) == 1


def test_restart_refuses_no_connection(node: Node, agent: Agent) -> None:
    with Probing(agent) as probing:
        wait_until(lambda: probing.answered > 20, "probing runs")
        assert agent.stop() == 0
        assert not agent.all_pids()
        agent.start()
        agent.wait_page("/readyz", 200, timeout=30)
    assert not probing.problems, probing.problems[:3]
    assert probing.reset == 0, "a core that is asked to leave answers what it holds"


def test_a_core_that_hangs_is_replaced(agent: Agent) -> None:
    old = agent.pid("core")
    agent.host.kill(old, signal.SIGSTOP)
    wait_until(lambda: agent.pids("core") not in ([], [old]), "a new core", 30)
    agent.wait_page("/livez", 200)


@pytest.mark.timeout(150)  # wna-rds may be silent for a minute: its calls have time-outs
@pytest.mark.parametrize("role", ["check", "rds", "cloud"])
def test_a_worker_that_hangs_is_replaced(agent: Agent, role: str) -> None:
    old = agent.pid(role)
    agent.host.kill(old, signal.SIGSTOP)
    assert agent.code("/livez") == 200
    wait_until(lambda: agent.pids(role) not in ([], [old]), f"a new {role}", 90)


def test_everybody_is_somebody(node: Node, agent: Agent) -> None:
    for role, user in USERS.items():
        pid = agent.pid(role)
        status = dict(line.split(":\t", 1) for line in
                      agent.proc(pid, "status").splitlines() if ":\t" in line)
        uid = node.users[user]
        assert status["Uid"].split() == [str(uid)] * 4, role
        assert status["NoNewPrivs"] == "1", role
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
            assert int(status[kind], 16) == 0, f"{role} {kind}"
        assert status["Groups"].split() in ([], [str(uid)]), role
        # Not dumpable: its /proc files belong to root.
        assert agent.uid(pid) in (0, uid)
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0, f"{role} is dumpable"
        limits = agent.proc(pid, "limits")
        assert re.search(r"Max core file size +0 ", limits), role


def test_system_call_filter_is_on(agent: Agent) -> None:
    def seccomp(role: str) -> str:
        found = re.search(r"^Seccomp:\t(\d)", agent.proc(agent.pid(role), "status"), re.M)
        assert found
        return found[1]
    assert seccomp("core") == "2"
    assert seccomp("wnad") == "0"


def readable(node: Node, user: str, path: str) -> bool:
    return node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                         "--no-new-privs", "cat", path, check=False).returncode == 0


def test_nobody_reads_anothers_secret(node: Node, agent: Agent) -> None:
    node.host.write("/etc/web-node-agent/credentials", "[default]\n", 0o600)
    secrets = [PASSWORD, "/etc/web-node-agent/credentials"]
    inside = {role: node.host.run("pgrep", "-x", f"wna-{role}").stdout.split()[0]
              for role in RESIDENT}
    for role, user in USERS.items():
        others = [f"/proc/{pid}/{file}" for other, pid in inside.items() if other != role
                  for file in ("environ", "mem", "maps", "fd/5", "auxv")]
        for path in secrets + others:
            assert not readable(node, user, path), f"{user} reads {path}"
        assert readable(node, user, "/etc/hosts")
        assert readable(node, user, "/proc/self/maps")
        listing = node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                "ls", f"/proc/{inside['rds' if role != 'rds' else 'cloud']}/fd",
                                check=False)
        assert listing.returncode != 0
    for path in secrets:
        assert node.host.run("cat", path).returncode == 0
    for place in ("/var/lib/web-node-agent/cloud",):
        for user in ("wna", "wna-check", "wna-rds"):
            done = node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                 "sh", "-c", f"ls {place} && touch {place}/x", check=False)
            assert done.returncode != 0, f"{user} in {place}"


def test_nobody_writes_anothers_folder(node: Node, agent: Agent) -> None:
    run = "/run/web-node-agent"
    folders = node.host.run("find", run, "-mindepth", "1", "-type", "d").stdout.split()
    assert folders
    for user in USERS.values():
        for folder in [run, *folders]:
            owner = node.host.run("stat", "-c", "%U", folder).stdout.strip()
            done = node.host.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                 "touch", f"{folder}/intruder", check=False)
            assert (done.returncode == 0) == (owner == user), f"{user} in {folder} of {owner}"


def test_secrets_are_nowhere_to_be_seen(node: Node, agent: Agent) -> None:
    from parts.mariadb import AGENT_PASSWORD
    known = [AGENT_PASSWORD, node.credentials.secret, node.credentials.token]
    text = agent.log() + agent.ctl("status", "--json").stdout + agent.get("/status").body
    for pid in agent.all_pids():
        text += agent.proc(pid, "cmdline")
    for folder in ("/run/web-node-agent", "/var/lib/web-node-agent"):
        for file in node.host.run("find", folder, "-type", "f").stdout.split():
            text += node.host.path(file).read_bytes().decode(errors="replace")
    for secret in known:
        assert secret not in text


def test_descriptors_of_the_core(agent: Agent) -> None:
    """Nothing but its own: no file, no password. 0 to 2 are what wnad was started
    with."""
    pid = agent.pid("core")
    targets = {fd.name: str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()
               if int(fd.name) > 2}
    assert len(targets) < 20
    for name, target in targets.items():
        assert not target.startswith("/") or target in ("/dev/null",) or "memfd" in target, \
            f"{name} → {target}"


def test_notifications(node: Node, agent: Agent) -> None:
    notify = agent.notify
    assert notify.said("READY", "1")
    assert notify.status()
    assert [name for name, _ in notify.stored] == ["health"]
    agent.reload()
    wait_until(lambda: notify.said("RELOADING", "1"), "RELOADING")
    agent.stop()
    wait_until(lambda: notify.said("STOPPING", "1"), "STOPPING")


def test_watchdog(node: Node) -> None:
    node.only()
    node.agent.start(watchdog_s=2)
    count = len([m for m in node.agent.notify.since() if "WATCHDOG" in m])
    wait_until(lambda: len([m for m in node.agent.notify.since() if "WATCHDOG" in m]) > count + 2,
               "WATCHDOG=1 is said", 6)
    pid = node.agent.pid("wnad")
    node.host.kill(pid, signal.SIGSTOP)
    mark = len(node.agent.notify.since())
    hold_true(lambda: len(node.agent.notify.since()) == mark, "silent when stopped", 1)
    node.host.kill(pid, signal.SIGCONT)


def test_stop_ends_a_hanging_worker(agent: Agent) -> None:
    for role in ("rds", "check"):
        agent.host.kill(agent.pid(role), signal.SIGSTOP)
    assert agent.stop(timeout=15) == 0
    assert not agent.all_pids()


def linked(path: Path) -> set[str]:
    text = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True,
                          check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*?)\]", text))


# The table names the libraries, the executables the sonames.
SONAMES = {
    "libevent_core": "libevent_core-2.1.so.7", "libevent_extra": "libevent_extra-2.1.so.7",
    "libinih": "libinih.so.1", "libseccomp": "libseccomp.so.2", "libmount": "libmount.so.1",
    "libcares": "libcares.so.2", "libmariadb": "libmariadb.so.3", "libcurl": "libcurl.so.4",
    "libcjson": "libcjson.so.1", "libcrypto": "libcrypto.so.3", "libsqlite3": "libsqlite3.so.0",
    "libz": "libz.so.1"}


def test_link_table(world: World) -> None:
    text = (Path(__file__).parent.parent.parent / "HACKING.md").read_text()
    rows = re.findall(r"^\| `(wna[-\w]*)` \|.*\| ([^|]+) \|$", text, re.M)
    assert len(rows) == 9
    for name, cell in rows:
        names = [] if cell.strip() == "–" else [w.strip() for w in cell.split(",")]
        path = next(p for p in (world.stage / "usr").rglob(name)
                    if p.is_file() and p.read_bytes()[:4] == b"\x7fELF")
        assert linked(path) - {"libc.so.6"} == {SONAMES[n] for n in names}, name


def test_installed_files(world: World) -> None:
    installed = {str(p.relative_to(world.stage)) for p in world.stage.rglob("*") if p.is_file()}
    for name in ("usr/sbin/wnad", "usr/bin/wnactl", "etc/web-node-agent/agent.conf",
                 "usr/lib/systemd/system/web-node-agent.service",
                 "usr/lib/sysusers.d/web-node-agent.conf",
                 *(f"{LIBEXEC[1:]}/wna-{role}" for role in
                   ("core", "mount", "probe", "check", "rds", "cloud", "hook"))):
        assert name in installed, name
