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
from parts.agent import LIBEXEC, ROLES, UMBRELLA, Agent, unit
from parts.takeover import Taken
from parts.wait import hold_true, wait_until
from rig.probes import Probes
from setting import settled

WORKERS = ("check", "rds", "cloud", "hooks", "sockets")
NPROC = {"check": 4, "rds": 4, "cloud": 64, "sockets": 4}  # LimitNPROC=
ROLE_NAMES = ("core", "mount", "check", "rds", "cloud", "hooks", "sockets", "ctl")  # enum role
HELLO, FACT, WANTS_VERDICT = 1, 2, 1  # include/hub.h


def listener(agent: Agent, pid: int) -> int:
    """The core's descriptor of the health port."""
    held = agent.host.run("ss", "-Hltne", "sport", "=", ":8099").stdout
    found = re.search(r"ino:(\d+)", held)
    assert found, held
    return next(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()
                if str(fd.readlink()) == f"socket:[{found[1]}]")


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_the_listener_outlives_a_taken_over_core(agent: Agent, how: int) -> None:
    """The next core needs it. A listener does not notice the end of its writing; the other two calls
    end the core."""
    core = agent.pid("core")
    fd = listener(agent, core)
    with Probes(agent.host) as probes:
        if how == socket.SHUT_WR:
            with Taken(core) as taken:
                assert taken.call(takeover.SHUTDOWN, fd, how) == 0
        else:
            assert takeover.ended_by(core, takeover.SHUTDOWN, fd, how) == signal.SIGSYS
            wait_until(lambda: agent.pids("core") not in ([], [core]), "another core")
        probes.go_on()
    probes.judge(cut=5)
    agent.wait_page("/healthz", 200)


def test_a_taken_over_core_reaches_nothing(agent: Agent) -> None:
    """No other program, no process, no file system: each attempt is its end."""
    for number in (takeover.EXECVE, takeover.CLONE, takeover.PTRACE, takeover.MOUNT, takeover.KILL,
                   takeover.SETSID):
        core = agent.pid("core")
        assert takeover.ended_by(core, number, 0, 0, 0) == signal.SIGSYS
        wait_until(lambda: agent.pids("core") not in ([], [core]), "another core")
        agent.wait_page("/readyz", 200)  # its own filter is on as soon as it answers


def test_a_taken_over_worker_reaches_nothing(whole: Agent) -> None:
    """No other program, process, mount or descriptor, and not the port. An operator's scripts are
    programs: those that wna-hooks may start have its user and its sandbox."""
    before = settled(whole, *ROLES)
    inside = {role: int(whole.host.show(unit(role), "MainPID")) for role in ROLES}
    port = listener(whole, before["core"])
    for role in WORKERS:
        with Taken(before[role]) as taken:
            if role != "hooks":
                for program in ("/bin/sh", "/usr/bin/python3", f"{LIBEXEC}/wna-mount"):
                    assert taken.call(takeover.EXECVE, taken.text(program), 0, 0) == -errno.EACCES
            assert taken.call(takeover.MOUNT, 0, taken.text("/"), 0, 1 << 5 | 1 << 12, 0) == -errno.EPERM
            for pid in (inside[other] for other in ROLES if other != role):
                assert taken.call(takeover.PTRACE, 16, pid, 0, 0) == -errno.EPERM  # PTRACE_ATTACH
                assert taken.call(takeover.KILL, pid, signal.SIGKILL) == -errno.EPERM
                of_it = taken.call(takeover.PIDFD_OPEN, pid, 0)
                assert taken.call(takeover.PIDFD_GETFD, of_it, port, 0) == -errno.EPERM
            mine = taken.call(takeover.SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
            assert mine > 0
            address = taken.put(struct.pack("=H", socket.AF_INET) + struct.pack("!H12x", 8099))
            assert taken.call(takeover.BIND, mine, address, 16) == -errno.EADDRINUSE
    assert settled(whole, *ROLES) == before
    whole.wait_page("/healthz", 200)


def test_processes_are_bounded(whole: Agent) -> None:
    """LimitNPROC holds where there is no control group for them, TasksMax where there is. wna-hooks has
    TasksMax alone: LimitNPROC counts all processes of a user, and hooks.user may be the web server's."""
    for role, limit in NPROC.items():
        made = []
        with Taken(whole.pid(role)) as taken:
            while (child := taken.call(takeover.CLONE, signal.SIGCHLD)) > 0:
                made.append(child)
                assert len(made) < 200, "more and more"
            assert child == -errno.EAGAIN
        assert len(made) < limit
        assert int(whole.host.show(unit(role), "TasksMax")) == limit
    assert whole.host.show(unit("hooks"), "TasksMax") == "256"
    whole.wait_page("/healthz", 200)
    assert whole.stop() == 0
    assert not whole.all_pids()


def test_nothing_outlives_the_stop(whole: Agent) -> None:
    """A copy of each worker in a session of its own, deaf to every signal that a process can refuse."""
    before = settled(whole, *ROLES)
    copies = []
    for role in WORKERS:
        with Taken(before[role]) as taken:
            assert taken.call(takeover.CLONE, signal.SIGCHLD) > 0
            copy = wait_until(lambda: [pid for pid in whole.pids(role) if pid != before[role]], "a copy")[0]
            with Taken(copy) as other:
                assert other.call(takeover.SETSID) > 0
                assert other.call(takeover.SIGPROCMASK, 0, other.put(b"\xff" * 8), 0, 8) == 0  # SIG_BLOCK
            copies.append(copy)
    whole.host.systemctl("restart", UMBRELLA)
    assert not set(copies) & set(whole.all_pids())
    settled(whole, *ROLES)
    whole.wait_page("/healthz", 200)


def message(kind: int, number: int, text: bytes = b"") -> bytes:
    """struct msg of include/hub.h"""
    return struct.pack("=HHIq4qqq96s160s", kind, number, 0, 0, WANTS_VERDICT, *[0] * 5, text, b"")


# Each argument: what is sent at once on one connection, in hexadecimal and with commas between.
SPEAKER = """
import socket, sys
for words in sys.argv[1:]:
    hub = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hub.settimeout(2)
    said, then = 0, "ended"
    try:
        hub.connect("/run/web-node-agent/hub")
        for word in words.split(","):
            hub.send(bytes.fromhex(word))
        while hub.recv(1000):
            said += 1
    except (ConnectionResetError, BrokenPipeError):
        pass
    except TimeoutError:
        then = "open"
    except OSError as error:
        then = error.strerror
    print("heard," if said else "nothing,", then)
"""


def test_no_worker_speaks_for_another(whole: Agent, stage: Path) -> None:
    """A peer that claims another user's role is disconnected, as is a peer that reports without a role;
    no fact and no connection changes. The twin: it may listen, and hears the verdict."""
    build = re.search(rb"web-node-agent contract [0-9a-f]{32}",
                      (stage / LIBEXEC[1:] / "wna-check").read_bytes())
    assert build
    before = settled(whole, *ROLES)
    whole.wait_job("database", "degraded")
    levels = [job["level"] for job in whole.status()["jobs"]]

    def speak(user: str, group: str, *words: str) -> list[str]:
        return whole.host.run("setpriv", "--reuid", user, "--regid", user if group else "nogroup",
                              *(["--groups", group] if group else ["--clear-groups"]),
                              "python3", "-c", SPEAKER, *words).stdout.splitlines()
    hello = {role: message(HELLO, ROLE_NAMES.index(role), build[0]).hex() for role in ROLE_NAMES}
    for role in WORKERS:
        claims = [hello[other] for other in reversed(ROLES) if other != role]
        assert speak(f"wna-{role}", "wna", *claims) == ["nothing, ended"] * len(claims)
        report = f"{hello['ctl']},{message(FACT, 1).hex()}"
        assert speak(f"wna-{role}", "wna", message(FACT, 1).hex(), report) == ["nothing, ended", "heard, ended"]
    assert speak("wna-check", "wna", hello["ctl"]) == ["heard, open"]
    assert speak("nobody", "", hello["ctl"]) == ["nothing, Permission denied"]
    assert "claims a role that is not its user's" in whole.log("core")  # the first of many complaints
    assert whole.status()["counters"]["bad_messages"] == 0, "each was understood"
    hold_true(lambda: whole.code("/healthz") == 200, "nothing has changed", 1)
    assert settled(whole, *ROLES) == before
    assert [job["level"] for job in whole.status()["jobs"]] == levels
