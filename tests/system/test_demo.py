"""The demo: five jobs, a failover, everything taken down."""
from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parts.wait import wait_until
from parts.world import World

TESTS = Path(__file__).parent.parent


def environment(world: World, build: Path) -> dict[str, str]:
    return {**os.environ, "WNA_DEMO_BUILD": str(build), "WNA_STAGE": str(world.stage),
            "WNA_VENV": str(world.venv), "PYTHONPATH": str(TESTS), "TERM": "xterm"}


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.timeout(180)
def test_once(world: World, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "parts.demo", "up", "--once"],
                          env=environment(world, tmp_path),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("job metrics is ok", "1, KIM, SEOUL", "10.16.6.137 -> 10.16.5.149"):
        assert line in done.stdout


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
