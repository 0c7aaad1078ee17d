"""What time alone does not cure: a right that is missing, a password that is wrong. It is asked
about quickly at first, since a right given a moment ago may not be in force everywhere yet, and
then seldom. Counted in files of root's own below /run."""
from __future__ import annotations

import hashlib
import os

import files

QUICK = 10           # tries in a row, 20 s apart by RestartSec=
LET_BE_S = 14 * 60   # then, where there are credentials that work or did; FIRST_S where not
FIRST_S = 60
MOST_S = 15 * 60
LAPSE_S = 3 * MOST_S  # what was last cured so long ago is cured


class Series:
    """How often in a row something was in vain, each time about the same."""

    def __init__(self, path: str) -> None:
        self._path = path

    def length(self, about: str = "") -> int:
        """0 if it was about something else, or if there is none."""
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
    """Seconds from a cure that did not help to the next one: 1, 2, 4 … minutes."""
    return min(FIRST_S * 2.0 ** min(length, 10), MOST_S)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
