"""tests/lab/run up: starts the daemon, shows its output, and returns when the lab is up or has
ended."""
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
    """Not print(): a signal may have interrupted a print(), and the reader may have gone."""
    try:
        os.write(1, (text + "\n").encode())
    except OSError:
        pass


class Daemon:
    """The daemon as a child. A signal at any moment makes the daemon end, and `up` waits for it.
    The signal handler raises no exception."""

    def __init__(self, lock: int, log: Path) -> None:
        self.broken_off = False
        self._lock, self._log = lock, log
        self._process: subprocess.Popen[str] | None = None
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # ignored signals stay ignored (nohup)
                signal.signal(number, self._break_off)

    def _break_off(self, *_: Any) -> None:
        self._decided()
        self.broken_off = True
        say("lab: interrupted; removing everything")
        self._end()

    @staticmethod
    def _decided() -> None:
        """The lab is up or has failed: later signals have no effect."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _end(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            late = threading.Timer(down.DOWN_S, self._process.kill)
            late.daemon = True
            late.start()

    def up(self, parameters: dict[str, str]) -> bool:
        """Returns whether the lab is up; if not, the daemon has ended."""
        began = time.monotonic()
        if self.broken_off:
            return False
        with self._log.open("wb") as log:
            # A mount namespace of its own: the lab's mounts end with it.
            self._process = daemon = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "--", sys.executable, "-m",
                 "lab.daemon", str(self._lock), *(f"{k}={v}" for k, v in parameters.items())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True, pass_fds=(self._lock,))
        if self.broken_off:  # during the start of the daemon
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
        self._decided()  # the daemon has ended, or is ending
        try:
            daemon.wait(down.DOWN_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        return False

    def _stay(self, daemon: subprocess.Popen[str]) -> bool:
        """Allows the daemon to outlive this process, unless a signal came at the last moment."""
        if not self.broken_off:
            self._decided()
        if self.broken_off:
            return False
        assert daemon.stdin
        try:
            daemon.stdin.write("stay\n")
            daemon.stdin.flush()
        except BrokenPipeError:  # the daemon has just ended
            return False
        return True
