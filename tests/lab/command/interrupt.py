"""Ctrl-C (and SIGTERM, SIGHUP) in `run test` and `run mutate`. What tests change they put back
in their finally blocks: so the first one is passed on to pytest, once, and waited for; where no
pytest runs it is remembered until the next would start, since what runs there puts back what a
mutation changed. The second ends all at once, and raises Hard wherever this process is."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

ONCE_S = 0.3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Hard(BaseException):
    """Asked twice: what was changed may not have been put back."""


class _State:
    asked = 0
    at = 0.0  # when last
    child: subprocess.Popen[str] | None = None
    told = False  # the child: a second time would break off what it puts back


def _tell() -> None:
    if _State.child and not _State.told:
        _State.told = True
        _State.child.send_signal(signal.SIGINT)


def say(text: str) -> None:
    """Not by print(), which the signal may have interrupted."""
    try:
        os.write(2, f"lab: {text}\n".encode())
    except OSError:
        pass  # the terminal is gone


def _signalled(*_: object) -> None:
    now = time.monotonic()
    # timeout(1) and some shells tell the process, and then its group: that is once.
    if _State.asked and now - _State.at < ONCE_S:
        return
    _State.asked, _State.at = _State.asked + 1, now
    if _State.asked == 1:
        say("broken off: what was changed is put back; once more ends it at once")
        _tell()
    elif _State.asked == 2:
        raise Hard


def watch() -> None:
    """From now on. What is ignored stays so (nohup), but for SIGINT: whoever ignores it (what a
    script starts with &) hands that on, and could not be told to put back."""
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _signalled)


def ignore() -> None:
    """What is pressed from now on: this comes to its end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    """As subprocess.run(); KeyboardInterrupt, after its end, if it was broken off. In a session
    of its own: a terminal's Ctrl-C reaches it by us only."""
    if _State.asked:
        raise KeyboardInterrupt
    with subprocess.Popen(command, start_new_session=True, **how) as child:
        _State.child = child
        try:
            if _State.asked:  # while it was started
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
