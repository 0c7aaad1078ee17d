"""Errors in background threads: logged at the start and at the end, and shown while they last. The
thread goes on."""
from __future__ import annotations

import subprocess
import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator


def one_line(error: BaseException) -> str:
    """An exception as one line for a log."""
    if isinstance(error, subprocess.TimeoutExpired):  # its own text has the whole command line
        return f"no answer within {error.timeout:g} s"
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def plain(error: BaseException) -> str:
    """The message without the exception's type, for a user."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class Troubles:
    """`say`: writes a line to the log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._now: dict[str, tuple[str, float]] = {}  # thread → error, and since when

    def begin(self, who: str, what: str) -> None:
        with self._lock:
            before, since = self._now.get(who, ("", time.monotonic()))
            self._now[who] = what, since
        if what != before:
            self._say(f"{who}: {what}")

    def end(self, who: str) -> None:
        with self._lock:
            found = self._now.pop(who, None)
        if found:
            self._say(f"{who}: recovered after {time.monotonic() - found[1]:.1f} s")

    def forget(self, who: str) -> None:
        """The thread has ended."""
        with self._lock:
            self._now.pop(who, None)

    @contextmanager
    def guard(self, who: str) -> Iterator[None]:
        """An exception of the body becomes a trouble; a body without an exception ends the
        trouble."""
        try:
            yield
        except Exception as error:  # any exception: the thread must go on
            self.begin(who, one_line(error))
        else:
            self.end(who)

    def all(self) -> list[str]:
        """All current errors, for people."""
        with self._lock:
            return [f"{who}: {what} (for {time.monotonic() - since:.0f} s)"
                    for who, (what, since) in sorted(self._now.items())]
