"""Ctrl-C in `run test` and `run mutate`: a running test can undo its changes."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parts.wait import wait_until

TESTS = Path(__file__).parents[2]
# Like command/proving.py: first a run, then the code of command/mutations.py between two runs.
OUTER = """
import sys
from lab.command import interrupt
interrupt.watch()
try:
    try:
        interrupt.run([sys.executable, "-c", sys.argv[1]])
        print("ended", flush=True)
        sys.stdin.readline()
        print("restored", flush=True)
        interrupt.run(["echo", "another"])
    finally:
        print("finally", flush=True)
except KeyboardInterrupt:
    print("broken off", flush=True)
except interrupt.Hard:
    print("hard", flush=True)
"""
# A test with a finally block; the deaf one does not end by itself.
INNER = """
import sys, time
try:
    print("begun", flush=True)
    time.sleep(60)
finally:
    print("putting back", flush=True)
    {}
    print("put back", flush=True)
"""
DEAF = "\n    ".join(["try: time.sleep(60)", "except KeyboardInterrupt: print('cut short', flush=True)"])


def heed() -> None:
    """A script's background job ignores the first signal, a job of nohup(1) the second."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Run:
    def __init__(self, inner: str, *before: str) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", OUTER, inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True, preexec_fn=heed,
            env={"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"})

    def says(self, *expected: str) -> None:
        assert self.process.stdout
        for line in expected:
            assert self.process.stdout.readline() == line + "\n"

    def ends_with(self, *expected: str) -> None:
        self.says(*expected)
        assert self.process.communicate(timeout=30)[0] == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("to_all", [False, True], ids=["to us", "as from a terminal"])
def test_the_first_lets_it_put_back(number: signal.Signals, to_all: bool) -> None:
    run = Run(INNER.format("pass"))
    run.says("begun")
    if to_all:
        os.killpg(run.process.pid, number)
    run.process.send_signal(number)  # to both, like timeout(1): counts once
    run.ends_with("putting back", "put back", "finally", "broken off")


def test_in_the_background_of_a_script_too() -> None:
    run = Run(INNER.format("pass"), "/usr/bin/env", "--ignore-signal=INT")
    run.says("begun")
    run.process.send_signal(signal.SIGTERM)
    run.ends_with("putting back", "put back", "finally", "broken off")


def test_the_second_ends_it_at_once() -> None:
    run = Run(INNER.format(DEAF))
    run.says("begun")
    run.process.send_signal(signal.SIGINT)
    run.says("putting back")

    def impatient() -> bool:
        run.process.send_signal(signal.SIGINT)
        return run.process.poll() is not None
    wait_until(impatient, "it ends")
    run.ends_with("finally", "hard")


def test_between_two_runs_it_waits_for_the_next() -> None:
    """The code between two runs undoes its change; no further run begins."""
    run = Run("pass")
    run.says("ended")
    run.process.send_signal(signal.SIGINT)
    # The signal is handled when it is no longer pending.
    status = Path(f"/proc/{run.process.pid}/status")
    wait_until(lambda: all(int(line.split()[1], 16) == 0 for line in
                           status.read_text().splitlines() if line.startswith(("SigPnd", "ShdPnd"))),
               "the signal has come")
    assert run.process.stdin
    run.process.stdin.write("go on\n")
    run.process.stdin.flush()
    run.ends_with("restored", "finally", "broken off")
