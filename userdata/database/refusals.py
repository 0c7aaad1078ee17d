"""Counts refusals, that is failures that a retry alone does not fix: a missing right, a wrong
password. The first retries come quickly, because a new right may need some time to take effect;
later ones come rarely. The counters are files of root below /run."""
from __future__ import annotations

import hashlib
import os

import files

QUICK = 10           # tries in a row, 20 s apart by RestartSec=
LET_BE_S = 14 * 60   # back-off after that, with credentials in place; FIRST_S without
FIRST_S = 60
MOST_S = 15 * 60
LAPSE_S = 3 * MOST_S  # without a new cure for this time the trouble is over


class Series:
    """The number of failures in a row with the same cause."""

    def __init__(self, path: str) -> None:
        self._path = path

    def length(self, about: str = "") -> int:
        """0 without a failure, or if the cause was another."""
        count, _, was = files.text(self._path).partition(" ")
        return int(count) if count.isdecimal() and was == about else 0

    def add(self, about: str = "") -> int:
        count = self.length(about) + 1
        files.write(self._path, f"{count} {about}", 0o600, anew=True)
        return count

    def age(self) -> float:
        return files.age(self._path)

    def end(self) -> None:
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass


def pause(length: int) -> float:
    """Seconds from a cure without success to the next cure: 1, 2, 4 … minutes."""
    return min(FIRST_S * 2.0 ** min(length, 10), MOST_S)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
