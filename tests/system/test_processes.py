"""The processes: their users and rights, and what happens when one of those dies that has
others' programs below it. (Restarts as the load balancer sees them: tests/units.)"""
from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from parts.agent import Agent
from parts.mariadb import Database
from parts.node import PASSWORD, Node
from parts.wait import hold_true, wait_until
from rig.probes import Probes

RESIDENT = ("core", "check", "rds", "cloud")
USERS = {"core": "wna", "check": "wna-check", "rds": "wna-rds", "cloud": "wna-cloud"}
OTHERS = (*USERS.values(), "wna-probe", "wna-hooks", "wna-sockets", "nobody")
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


def test_kill_a_probe(node: Node, agent: Agent) -> None:
    with Probes(node.host) as probes:
        node.shared.silence(node.host)
        for _ in range(2):
            old = agent.pid("probe")
            agent.host.kill(old)
            wait_until(lambda: agent.pids("probe") not in ([], [old]), "another probe")
        node.shared.speak(node.host)
        agent.wait_page("/readyz", 200)
    probes.judge()
    assert restarts(agent)


def test_kill_hooks(database: Database, node: Node) -> None:
    """With its script at work: the script goes along, and the agent goes on."""
    node.only("database")
    node.host.write("/etc/web-node-agent/hooks.d/database-moved/10-hangs",
                    "#!/bin/bash\nsleep 12321\n", 0o755)
    agent = node.agent
    agent.change("hooks", enabled=True, timeout="60s")
    agent.start()
    agent.wait_job("database", "ok")
    database.failover("kill")
    wait_until(lambda: node.host.ps("sleep"), "the hook runs", 15)
    with Probes(node.host) as probes:
        old = agent.pid("hooks")
        agent.host.kill(old)
        wait_until(lambda: agent.pids("hooks") not in ([], [old]), "another one")
        wait_until(lambda: not node.host.ps("sleep"), "the script went along")
        agent.wait_job("database", "ok")
    probes.judge()


def test_nothing_spins(agent: Agent) -> None:
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
        # Beside its own the one that may connect to the hub.
        assert set(status["Groups"].split()) <= {str(uid), str(node.users["wna"])}, role
        # Not dumpable: its /proc files belong to root.
        assert agent.uid(pid) in (0, uid)
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0, f"{role} is dumpable"
        limits = agent.proc(pid, "limits")
        assert re.search(r"Max core file size +0 ", limits), role


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
    """Memory and descriptors not even as the same user, since nobody is dumpable; files by their
    one reader. What runs as root can by nature read root's."""
    node.host.write("/etc/web-node-agent/credentials", "[default]\n", 0o640)
    node.host.run("chgrp", "wna-cloud", "/etc/web-node-agent/credentials")
    secrets = {PASSWORD: "wna-rds", "/etc/web-node-agent/credentials": "wna-cloud"}
    ways = {role: way_in(node, agent, role) for role in RESIDENT}
    for role, way in ways.items():
        found = peek(node, None, *way)
        # A descriptor may have been closed since they were listed.
        got = {what for name, what in found.items() if (name[:3], what) != ("fd/", "ENOENT")}
        assert got == {"read"}, f"root in {role}: {found}"
    for user in OTHERS:
        for role, way in ways.items():
            found = peek(node, user, *way)
            assert set(found.values()) <= {"EACCES", "EPERM"}, f"{user} in {role}: {found}"
        found = peek(node, user, "child")
        assert set(found.values()) == {"read"}, f"{user} in its own child: {found}"
        for path, reader in secrets.items():
            assert readable(node, user, path) == (user == reader), f"{user} and {path}"
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
    """Nothing but its own: no file, no password. 0 to 2 are systemd's."""
    pid = agent.pid("core")
    targets = {fd.name: str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()
               if int(fd.name) > 2}
    assert len(targets) < 20
    for name, target in targets.items():
        assert not target.startswith("/") or target in ("/dev/null",), \
            f"{name} → {target}"
