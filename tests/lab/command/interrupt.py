"""Ctrl-C (and SIGTERM, SIGHUP) in `run test` and `run mutate`. Tests undo their changes in finally
blocks: the first signal is passed to pytest, once, and this process waits. Without a running
pytest the signal is remembered until the next pytest would start, because the code between two
runs undoes a mutation. The second signal ends everything at once and raises Hard."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

ONCE_S = 0.3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Hard(BaseException):
    """The second signal: changes may not have been undone."""


class _State:
    asked = 0
    at = 0.0  # time of the last signal
    child: subprocess.Popen[str] | None = None
    told = False  # passed to the child; a second signal would interrupt its finally blocks


def _tell() -> None:
    if _State.child and not _State.told:
        _State.told = True
        _State.child.send_signal(signal.SIGINT)


def say(text: str) -> None:
    """Not print(): the signal may have interrupted a print()."""
    try:
        os.write(2, f"lab: {text}\n".encode())
    except OSError:
        pass  # the terminal has closed


def _signalled(*_: object) -> None:
    now = time.monotonic()
    # timeout(1) and some shells signal the process and then its group: count both once.
    if _State.asked and now - _State.at < ONCE_S:
        return
    _State.asked, _State.at = _State.asked + 1, now
    if _State.asked == 1:
        say("interrupted: the changes are undone first; a second signal ends it at once")
        _tell()
    elif _State.asked == 2:
        raise Hard


def watch() -> None:
    """Installs the handlers. Ignored signals stay ignored (nohup), except SIGINT: a shell ignores
    it for background jobs (&), and the child would inherit that and could not be interrupted."""
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _signalled)


def ignore() -> None:
    """Ignores signals from now on: this process must finish its work."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    """Like subprocess.run(), but raises KeyboardInterrupt after the end of an interrupted child.
    The child has its own session: Ctrl-C of a terminal reaches only this process, which passes it
    on."""
    if _State.asked:
        raise KeyboardInterrupt
    with subprocess.Popen(command, start_new_session=True, **how) as child:
        _State.child = child
        try:
            if _State.asked:  # during the start of the child
                _tell()
            out, _ = child.communicate()
        except BaseException:
            child.kill()
            raise
        finally:
            _State.child = None
    if _State.asked:
        raise KeyboardInterrupt
    return subprocess.CompletedProcess(command, child.returncode, out)
