"""What goes wrong in a thread that nobody waits for: told once in the log when it begins,
shown for as long as it lasts, and told again when it has passed. The thread goes on."""
from __future__ import annotations

import subprocess
import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator


def one_line(error: BaseException) -> str:
    """An exception as a person reads it in a log."""
    if isinstance(error, subprocess.TimeoutExpired):  # its own text is the whole command line
        return f"no answer within {error.timeout:g} s"
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def plain(error: BaseException) -> str:
    """Without its kind, for whoever gave the command."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class Troubles:
    """`say`: takes a line for the log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._now: dict[str, tuple[str, float]] = {}  # who → what, and since when

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
            self._say(f"{who}: well again after {time.monotonic() - found[1]:.1f} s")

    def forget(self, who: str) -> None:
        """Whoever it was is gone."""
        with self._lock:
            self._now.pop(who, None)

    @contextmanager
    def guard(self, who: str) -> Iterator[None]:
        """An exception of the body ends here, as a trouble; a body without one ends it."""
        try:
            yield
        except Exception as error:  # whatever it is: the thread goes on
            self.begin(who, one_line(error))
        else:
            self.end(who)

    def all(self) -> list[str]:
        """What is wrong now, for people."""
        with self._lock:
            return [f"{who}: {what} (for {time.monotonic() - since:.0f} s)"
                    for who, (what, since) in sorted(self._now.items())]
