"""The bench's own tools: what they say must be so before their figures mean anything."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

import pytest

from bench.main import MEASURES
from parts.wait import wait_until

BENCH = Path(__file__).parent.parent / "bench"

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def serve(listener: socket.socket, hold_s: float) -> None:
    """Answers each request of each connection; the first of all after hold_s."""
    held = threading.Event()

    def one(peer: socket.socket) -> None:
        with peer:
            while peer.recv(4096):
                if not held.is_set():
                    held.set()
                    time.sleep(hold_s)  # the stall is what is measured
                peer.sendall(ANSWER)
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(peer,), daemon=True).start()


def paced(tmp_path: Path, hold_s: float,
          meanwhile: Callable[[subprocess.Popen[str]], None] = lambda _: None) -> list[int]:
    """Microseconds of ten requests, one each 100 ms."""
    program = tmp_path / "pace"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", str(BENCH / "pace.c"), "-o", str(program)],
                   check=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, hold_s), daemon=True).start()
        pace = subprocess.Popen([str(program), "127.0.0.1", str(listener.getsockname()[1]), "/",
                                 "10", "1"], stdout=subprocess.PIPE, text=True)
        meanwhile(pace)
        said, _ = pace.communicate(timeout=20)
    assert pace.returncode == 0
    return [int(line) for line in said.split()]


def test_pace_charges_whom_it_delayed(tmp_path: Path) -> None:
    """An answer 150 ms late delays the next request, due after 100, by 50."""
    late = paced(tmp_path, 0.15)
    assert len(late) == 10
    assert late[0] >= 150_000 and late[1] >= 40_000, late


def test_pace_does_not_charge_its_own_sleep(tmp_path: Path) -> None:
    """It is stopped while it waits for a request to be due: that is not the server's."""
    def oversleep(pace: subprocess.Popen[str]) -> None:
        wait_until(lambda: "nanosleep" in Path(f"/proc/{pace.pid}/wchan").read_text(),
                   "pace sleeps", 5)
        pace.send_signal(signal.SIGSTOP)
        time.sleep(0.75)  # seven requests' time
        pace.send_signal(signal.SIGCONT)
    late = paced(tmp_path, 0, oversleep)
    assert sorted(late)[7] < 40_000, late  # of ten; two may meet a busy machine


def test_pace_in_time(tmp_path: Path) -> None:
    """... and a server that is in time is charged with nothing of the kind."""
    assert sorted(paced(tmp_path, 0))[5] < 40_000


def run(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """tests/bench/run, which must come back at once and leave nothing."""
    build = tmp_path / "build"
    done = subprocess.run([str(BENCH / "run"), *args], env={**os.environ, "WNA_BUILD": str(build)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    assert not build.exists()
    return done


def test_run_says_what_it_takes(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    names = re.search(r"some of: (.*)", done.stdout)
    assert done.returncode == 0 and names
    assert names[1].split() == list(MEASURES)


@pytest.mark.parametrize("args, said", [
    (["--bogus"], 'no option "--bogus"'),
    (["--only", "size,nosuch"], f'no measurement "nosuch"; there are: {" ".join(MEASURES)}'),
    (["--only"], "--only needs"),
    (["--pairs", "none"], "--pairs needs a number"),
])
def test_run_judges_its_arguments_first(tmp_path: Path, args: list[str], said: str) -> None:
    done = run(tmp_path, *args)
    assert done.returncode == 2 and said in done.stderr, done.stderr
