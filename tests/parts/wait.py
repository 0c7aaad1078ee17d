"""Waiting for events: the only place of the lab where time passes."""
from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")

POLL_S = 0.02


class Late(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(condition: Callable[[], T], what: str, timeout: float = 10.0, pace: float = POLL_S
               ) -> T:
    """Polls until the condition is true and returns its value. An OSError or a
    LookupError of the condition counts as "not yet". `pace`: where looking costs whoever is
    looked at."""
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, LookupError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise Late(f"waited {timeout:g} s for: {what} (last: {last!r})")
        time.sleep(pace)


def hold_true(condition: Callable[[], object], what: str, seconds: float) -> None:
    """The condition must be true all the time for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"did not stay true for {seconds:g} s: {what}"
        time.sleep(POLL_S)
