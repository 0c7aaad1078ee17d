"""The demo: five jobs, a failover, everything taken down; and its screen."""
from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Iterator

import pytest

from parts.wait import wait_until
from parts.world import World

TESTS = Path(__file__).parent.parent


def environment(world: World, build: Path) -> dict[str, str]:
    return {**os.environ, "WNA_DEMO_BUILD": str(build), "WNA_STAGE": str(world.stage),
            "WNA_VENV": str(world.venv), "WNA_CACHE": str(world.cache),
            "PYTHONPATH": str(TESTS), "TERM": "xterm"}


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.timeout(180)
def test_once(world: World, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "parts.demo", "up", "--once"],
                          env=environment(world, tmp_path),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("job metrics is ok", "1, KIM, SEOUL", "10.16.6.137 -> 10.16.5.149"):
        assert line in done.stdout.replace("→", "->")


def test_ended_while_servers_start(world: World, tmp_path: Path) -> None:
    """Ctrl-C then: no traceback, nothing left."""
    log = tmp_path / "log"
    with log.open("wb") as out:
        demo = subprocess.Popen([sys.executable, "-m", "parts.demo", "up", "--once"],
                                env=environment(world, tmp_path), stdin=subprocess.DEVNULL,
                                stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    # The switch is there, and others are being made.
    wait_until(lambda: len(children(demo.pid)) > 2, "the lab comes up", 30)
    hosts = children(demo.pid)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(60) == 130
    said = log.read_text()
    assert "Traceback" not in said and "taking everything down" in said, said
    # One that was half made ends by itself, when its maker does.
    wait_until(lambda: not [pid for pid in hosts if Path(f"/proc/{pid}").exists()],
               "all hosts are gone", 10)


@pytest.mark.parametrize("args", [[], ["--once"]])
def test_one_at_a_time(tmp_path: Path, args: list[str]) -> None:
    """A second one in the same build folder touches nothing there."""
    kept = tmp_path / "demo" / "kept"
    kept.mkdir(parents=True)
    folder = os.open(tmp_path, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(folder, fcntl.LOCK_EX)
    done = subprocess.run([str(TESTS / "demo"), *args], timeout=10,
                          env={**os.environ, "WNA_BUILD": str(tmp_path)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    os.close(folder)
    assert done.returncode == 1 and "one is running already" in done.stderr
    assert kept.exists() and os.listdir(tmp_path) == ["demo"]


class Terminal:
    """A program on a terminal of 24 lines of 80 columns."""

    def __init__(self, *args: str, env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(args[0], args, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self.fd, False)
        self.said = ""
        self.status: int | None = None

    def shows(self, text: str, timeout: float) -> str:
        """What was shown before it and up to it."""
        def seen() -> bool:
            try:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
            except BlockingIOError:
                pass
            return text in self.said
        wait_until(seen, f'"{text}" on the terminal', timeout)
        before, _, self.said = self.said.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait(self) -> int:
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(sys.executable, "-m", "parts.demo", "up", env=environment(world, tmp_path))
    yield made
    os.close(made.fd)  # which ends what is on it
    made.wait()


@pytest.mark.timeout(180)
def test_on_a_small_terminal(terminal: Terminal) -> None:
    """The labels stay until they are read; the screen then has room for the changes."""
    head = terminal.shows("press Enter", 90)
    assert "a stand-in: moto" in head and "sudo tests/demo failover" in head
    assert "\033[2J" not in head
    terminal.type("\n")
    terminal.shows("LAST CHANGES", 15)
    terminal.shows("\033[J", 5)
    page = terminal.shows("\033[J", 5)
    assert "/readyz" in page and "LAST CHANGES" in page and "[more" not in page
    terminal.type("\003")
    terminal.shows("taking everything down", 10)
    assert terminal.wait() == 0
