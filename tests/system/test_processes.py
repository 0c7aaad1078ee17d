"""The processes: who they are, what they may, what happens when one dies."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from parts.agent import Agent
from parts.mariadb import Database
from parts.node import PASSWORD, Node
from parts.wait import hold_true, wait_until
from parts.world import World
from probing import Probing

RESIDENT = ("core", "check", "rds", "cloud")
USERS = {"core": "wna", "check": "wna-check", "rds": "wna-rds", "cloud": "wna-cloud"}
OTHERS = (*USERS.values(), "wna-probe", "nobody")  # nobody: the default of hooks.user
PEEK = Path(__file__).parent.parent / "parts" / "peek.py"


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


def test_kill_a_mount(node: Node) -> None:
    """With the helper at work: it goes along, and the next attempt is made."""
    node.host.write("/sbin/mount.lab", "#!/bin/bash\n[ ! -e /run/hang ] || sleep 12321\n"
                    "exec mount -t tmpfs lab \"$2\"\n", 0o755)
    node.host.write("/run/hang", "")
    node.only("mount")
    node.agent.change("mount", type="lab", source="lab", expect_type="tmpfs", timeout="60s")
    agent = node.agent
    agent.start()
    wait_until(lambda: node.host.ps("sleep"), "the helper is at work")
    with Probing(agent) as probing:
        node.host.path("/run/hang").unlink()
        agent.host.kill(agent.pid("mount"))
        wait_until(lambda: not node.host.ps("sleep"), "the helper went along")
        agent.wait_job("mount", "ok")
    assert not probing.problems, probing.problems[:3]
    assert probing.reset == 0
    assert "killed by signal 9" in agent.log()


def test_kill_a_probe(node: Node, agent: Agent) -> None:
    with Probing(agent) as probing:
        node.shared.silence(node.host)
        for _ in range(2):
            old = agent.pid("probe")
            agent.host.kill(old)
            wait_until(lambda: agent.pids("probe") not in ([], [old]), "another probe")
        node.shared.speak(node.host)
        agent.wait_page("/readyz", 200)
    assert not probing.problems, probing.problems[:3]
    assert probing.reset == 0
    assert restarts(agent)


def test_kill_a_hook(database: Database, node: Node) -> None:
    """With its script at work: that goes along, and the agent goes on."""
    node.only("database")
    node.host.write("/etc/web-node-agent/hooks.d/rds-change/10-hangs",
                    "#!/bin/bash\nsleep 12321\n", 0o755)
    agent = node.agent
    agent.change("hooks", enabled=True, timeout="60s")
    agent.start()
    agent.wait_job("database", "ok")
    database.failover("kill")
    wait_until(lambda: node.host.ps("sleep"), "the hook runs", 15)
    with Probing(agent) as probing:
        agent.host.kill(agent.pid("hook"))
        wait_until(lambda: not node.host.ps("sleep") and not agent.pids("hook"), "it is over")
        agent.wait_job("database", "ok")
    assert not probing.problems, probing.problems[:3]
    assert probing.reset == 0


def test_kill_the_core_again_and_again(agent: Agent) -> None:
    with Probing(agent) as probing:
        for _ in range(3):
            old = agent.pid("core")
            agent.host.kill(old)
            wait_until(lambda: agent.pids("core") not in ([], [old]), "a new core", 20)
    assert not probing.problems, probing.problems[:3]
    assert probing.reset <= 3, "more than what each killed core held"


def test_nothing_spins(agent: Agent) -> None:
    """After a stop, the stored listener comes back more than once."""
    def used() -> float:
        stats = [agent.proc(pid, "stat").rsplit(")", 1)[1].split() for pid in agent.all_pids()]
        return sum(int(s[11]) + int(s[12]) for s in stats) / os.sysconf("SC_CLK_TCK")
    for _ in range(2):
        agent.stop()
        agent.start()
        agent.wait_page("/readyz", 200, timeout=30)
    before = used()
    hold_true(lambda: agent.code("/livez") == 200, "it answers", 2)
    assert used() - before < 0.5, "seconds of processor within two"


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


def test_another_address_on_the_same_port(node: Node) -> None:
    """Which the old listener still has, until a core accepts from the new one."""
    node.only()
    node.agent.start()
    with Probing(node.agent) as probing:
        for address in ("127.0.0.1", "[::]", "0.0.0.0"):
            node.agent.change("health", listen=f"{address}:8099")
            done = node.agent.reload()
            assert done.returncode == 0, done.stderr
            answered = probing.answered
            wait_until(lambda: probing.answered > answered + 20, f"it answers on {address}")
    assert not probing.problems, probing.problems[:3]
    assert len(node.agent.notify.stored) == 1


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


def run_as(node: Node, user: str, *args: str) -> subprocess.CompletedProcess[str]:
    group = "nogroup" if user == "nobody" else user
    return node.host.run("setpriv", "--reuid", user, "--regid", group, "--clear-groups",
                         "--no-new-privs", *args, check=False)


def readable(node: Node, user: str, path: str) -> bool:
    return run_as(node, user, "cat", path).returncode == 0


def peek(node: Node, user: str | None, *args: str) -> dict[str, str]:
    """What parts/peek.py finds, run by this user; None: root."""
    words = ["python3", "-ISc", PEEK.read_text(), *args]
    done = run_as(node, user, *words) if user else node.host.run(*words)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def way_in(node: Node, agent: Agent, role: str) -> list[str]:
    """peek.py's arguments for a role: its number inside, an address, its descriptors."""
    pid = agent.pid(role)
    inside = re.search(r"^NSpid:.*\t(\d+)$", agent.proc(pid, "status"), re.M)
    stack = re.search(r"^([0-9a-f]+)-([0-9a-f]+) rw.*\[stack\]$", agent.proc(pid, "maps"), re.M)
    assert inside and stack
    address = f"{int(stack[2], 16) - 4096:x}"
    return [inside[1], address, *sorted(f.name for f in Path(f"/proc/{pid}/fd").iterdir())]


def test_nobody_reads_anothers_secret(node: Node, agent: Agent) -> None:
    """Files, memory and descriptors. Not even as the same user: nobody is dumpable.
    What runs as root, wna-mount and the helper below it, can by nature read root's."""
    node.host.write("/etc/web-node-agent/credentials", "[default]\n", 0o600)
    secrets = [PASSWORD, "/etc/web-node-agent/credentials"]
    ways = {role: way_in(node, agent, role) for role in RESIDENT}
    for role, way in ways.items():
        found = peek(node, None, *way)
        assert set(found.values()) == {"read"}, f"root in {role}: {found}"
    for user in OTHERS:
        for role, way in ways.items():
            found = peek(node, user, *way)
            assert set(found.values()) <= {"EACCES", "EPERM"}, f"{user} in {role}: {found}"
        found = peek(node, user, "child")
        assert set(found.values()) == {"read"}, f"{user} in its own child: {found}"
        for path in secrets:
            assert not readable(node, user, path), f"{user} reads {path}"
        assert readable(node, user, "/etc/hosts")
    for path in secrets:
        assert node.host.run("cat", path).returncode == 0
    state = "/var/lib/web-node-agent/cloud"
    for user in OTHERS:
        done = run_as(node, user, "sh", "-c", f"ls {state} && touch {state}/x && rm {state}/x")
        assert (done.returncode == 0) == (user == USERS["cloud"]), f"{user} in {state}"


def test_nobody_writes_anothers_folder(node: Node, agent: Agent) -> None:
    run = "/run/web-node-agent"
    folders = node.host.run("find", run, "-mindepth", "1", "-type", "d").stdout.split()
    assert folders
    for user in OTHERS:
        for folder in [run, *folders]:
            owner = node.host.run("stat", "-c", "%U", folder).stdout.strip()
            done = run_as(node, user, "touch", f"{folder}/intruder")
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


def test_a_stalled_log_stops_nobody(node: Node) -> None:
    """Standard error is a pipe that nobody reads, and full."""
    node.host.sh("mkfifo /run/stalled")
    node.only("check web")
    node.agent.change("check web", type="file", path="/etc/hosts", url=None, interval="100ms",
                      max_age="1s")
    agent = node.agent
    agent.start(stderr="/run/stalled")
    agent.wait_page("/healthz", 200)
    fd = os.open(node.host.path("/run/stalled"), os.O_WRONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, b"\n")
    os.close(fd)
    hold_true(lambda: agent.code("/healthz") == 200, "checks go on", 3)


def test_stop_ends_a_hanging_worker(agent: Agent) -> None:
    for role in ("rds", "check"):
        agent.host.kill(agent.pid(role), signal.SIGSTOP)
    assert agent.stop(timeout=15) == 0
    assert not agent.all_pids()


def test_the_core_stops_last(agent: Agent) -> None:
    """And answers what it knew: that its workers go is no news about the node."""
    slow, wnad = agent.pid("rds"), agent.pid("wnad")
    agent.host.kill(slow, signal.SIGSTOP)  # it does not end before it is killed, 2 s later
    agent.host.kill(wnad, signal.SIGTERM)
    wait_until(lambda: agent.pids("cloud") == agent.pids("check") == [],
               "the others have gone")
    for _ in range(5):
        assert agent.get("/readyz").status == 200
    assert agent.pids("rds") == [slow]
    assert agent.stop() == 0
    assert not agent.all_pids()
