"""tests/lab/run up: starts the daemon, shows what it says, and stays until the lab is up or
nothing is left of it."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from . import down

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(text: str) -> None:
    """Not by print(): a signal may have interrupted it, and nobody may be looking any more."""
    try:
        os.write(1, (text + "\n").encode())
    except OSError:
        pass


class Daemon:
    """Broken off by a signal at whatever moment, it is asked to end and waited for. No
    exception comes out of a signal here, so that none can come at the wrong place."""

    def __init__(self, lock: int, log: Path) -> None:
        self.broken_off = False
        self._lock, self._log = lock, log
        self._process: subprocess.Popen[str] | None = None
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # it stays so (nohup)
                signal.signal(number, self._break_off)

    def _break_off(self, *_: Any) -> None:
        self._decided()
        self.broken_off = True
        say("lab: broken off; taking everything down")
        self._end()

    @staticmethod
    def _decided() -> None:
        """Up or down: what comes now is too late."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _end(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            late = threading.Timer(down.DOWN_S, self._process.kill)
            late.daemon = True
            late.start()

    def up(self, parameters: dict[str, str]) -> bool:
        """Whether it is; if not, the daemon has ended."""
        began = time.monotonic()
        if self.broken_off:
            return False
        with self._log.open("wb") as log:
            # A mount namespace of its own: what the lab mounts ends with it.
            self._process = daemon = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "--", sys.executable, "-m",
                 "lab.daemon", str(self._lock), *(f"{k}={v}" for k, v in parameters.items())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True, pass_fds=(self._lock,))
        if self.broken_off:  # while it was started
            self._end()
        assert daemon.stdin and daemon.stdout
        for line in daemon.stdout:
            if line == "ready\n":
                if self._stay(daemon):
                    return True
            elif line.startswith("failed "):
                print("lab: " + line.removeprefix("failed ").strip(), file=sys.stderr)
            else:
                say(f"lab: {time.monotonic() - began:5.1f} s  {line.rstrip()}")
        self._decided()  # it has ended, or is about to
        try:
            daemon.wait(down.DOWN_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        return False

    def _stay(self, daemon: subprocess.Popen[str]) -> bool:
        """Tells it that it may outlive us, unless it was broken off in the last moment."""
        if not self.broken_off:
            self._decided()
        if self.broken_off:
            return False
        assert daemon.stdin
        try:
            daemon.stdin.write("stay\n")
            daemon.stdin.flush()
        except BrokenPipeError:  # it has just died
            return False
        return True
