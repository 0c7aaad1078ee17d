"""What a taken-over process of the agent could do, tried in that process itself: with its user, its
system-call filter, its limits and its sandbox."""
from __future__ import annotations

import errno
import re
import signal
import socket
import struct
from pathlib import Path

import pytest

from parts import takeover
from parts.agent import LIBEXEC, UMBRELLA, Agent, unit
from parts.takeover import Taken
from parts.wait import hold_true, wait_until
from rig.probes import Probes

WORKERS = ("check", "cloud")
NPROC = {"check": 4, "cloud": 64}  # LimitNPROC=
ROLES = ("core", "mount", "check", "rds", "cloud", "hooks", "ctl")  # enum role
HELLO, WANTS_VERDICT = 1, 1  # include/hub.h


def listener(agent: Agent, pid: int) -> int:
    """The core's descriptor of the health port."""
    held = agent.host.run("ss", "-Hltne", "sport", "=", ":8099").stdout
    found = re.search(r"ino:(\d+)", held)
    assert found, held
    return next(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()
                if str(fd.readlink()) == f"socket:[{found[1]}]")


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_the_listener_outlives_a_taken_over_core(agent: Agent, how: int) -> None:
    """It is everyone's who will run after it. To end its writing is nothing to a listener; the
    rest ends the core."""
    core = agent.pid("core")
    fd = listener(agent, core)
    with Probes(agent.host) as probes:
        probes.go_on()
        if how == socket.SHUT_WR:
            with Taken(core) as taken:
                assert taken.call(takeover.SHUTDOWN, fd, how) == 0
        else:
            assert takeover.ended_by(core, takeover.SHUTDOWN, fd, how) == signal.SIGSYS
            wait_until(lambda: agent.pids("core") not in ([], [core]), "another core")
        probes.go_on()
    assert not probes.refused and not probes.wrong, probes
    agent.wait_page("/healthz", 200)


def test_a_taken_over_core_reaches_nothing(agent: Agent) -> None:
    """No other program, no process, no file system: each attempt is its end."""
    for number in (takeover.EXECVE, takeover.CLONE, takeover.PTRACE, takeover.MOUNT, takeover.KILL,
                   takeover.SETSID):
        core = agent.pid("core")
        assert takeover.ended_by(core, number, 0, 0, 0) == signal.SIGSYS
        wait_until(lambda: agent.pids("core") not in ([], [core]), "another core")
        agent.wait_page("/readyz", 200)  # its own filter is on as soon as it answers


@pytest.mark.parametrize("role", WORKERS)
def test_a_taken_over_worker_reaches_nothing(agent: Agent, role: str) -> None:
    others = agent.pid("core")
    inside = int(agent.host.show(unit("core"), "MainPID"))
    with Taken(agent.pid(role)) as taken:
        for program in ("/bin/sh", "/usr/bin/python3", f"{LIBEXEC}/wna-mount"):
            assert taken.call(takeover.EXECVE, taken.text(program), 0, 0) == -errno.EACCES
        assert taken.call(takeover.PTRACE, 16, inside, 0, 0) == -errno.EPERM  # PTRACE_ATTACH
        assert taken.call(takeover.MOUNT, 0, taken.text("/"), 0, 1 << 5 | 1 << 12, 0) == -errno.EPERM
        assert taken.call(takeover.KILL, inside, signal.SIGKILL) == -errno.EPERM
    agent.wait_page("/readyz", 200)
    assert agent.pids("core") == [others]


@pytest.mark.parametrize("role", WORKERS)
def test_processes_are_bounded(agent: Agent, role: str) -> None:
    """LimitNPROC holds where there is no control group for them, TasksMax where there is."""
    main = agent.pid(role)
    made = []
    with Taken(main) as taken:
        while (child := taken.call(takeover.CLONE, signal.SIGCHLD)) > 0:
            made.append(child)
            assert len(made) < 200, "more and more"
        assert child == -errno.EAGAIN
    assert len(made) < NPROC[role]
    assert agent.stop() == 0
    assert not agent.all_pids()


def test_nothing_outlives_the_stop(agent: Agent) -> None:
    """A copy of a worker in a session of its own."""
    main = agent.pid("cloud")
    with Taken(main) as taken:
        assert taken.call(takeover.CLONE, signal.SIGCHLD) > 0
        copy = wait_until(lambda: [pid for pid in agent.pids("cloud") if pid != main], "a copy")[0]
        with Taken(copy) as other:
            assert other.call(takeover.SETSID) > 0
    agent.host.kill(main)
    wait_until(lambda: main not in agent.pids("cloud"), "its maker has gone")
    agent.host.systemctl("stop", UMBRELLA)
    assert not agent.all_pids()


def hello(role: str, build: bytes) -> bytes:
    """struct msg of include/hub.h"""
    return struct.pack("=HHIq4qqq96s160s", HELLO, ROLES.index(role), 0, 0, WANTS_VERDICT, *[0] * 5, build, b"")


@pytest.mark.parametrize("role", ["mount", "core"])
def test_no_worker_speaks_for_another(agent: Agent, stage: Path, role: str) -> None:
    """wna-check, taken over, says hello as another: it is disconnected, and neither the other one's
    facts nor its connection are touched. The twin: it may listen, and hears the verdict."""
    build = re.search(rb"web-node-agent contract [0-9a-f]{32}",
                      (stage / LIBEXEC[1:] / "wna-check").read_bytes())
    assert build
    def speak(claimed: str) -> str:
        words = hello(claimed, build[0]).hex()
        script = ("import socket, sys\n"
                  "hub = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                  "hub.settimeout(2)\nhub.connect('/run/web-node-agent/hub')\n"
                  "hub.send(bytes.fromhex(sys.argv[1]))\n"
                  "try:\n    print('ended' if hub.recv(1000) == b'' else 'heard')\n"
                  "except ConnectionResetError:\n    print('ended')\n")
        return agent.host.run("setpriv", "--reuid", "wna-check", "--regid", "wna-check", "--groups",
                              "wna", "python3", "-c", script, words).stdout.strip()
    mount = agent.pid("mount")
    assert speak(role) == "ended"
    hold_true(lambda: agent.code("/readyz") == 200, "nothing has changed", 1)
    assert agent.pids("mount") == [mount]
    if role == "mount":
        assert "claims a role that is not its user's" in agent.log("core")
        assert speak("ctl") == "heard"
