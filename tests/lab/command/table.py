"""Results and tables of the tests, shown at the end of a run."""
from __future__ import annotations


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str) -> None:
        self.lines += ["", *text.rstrip("\n").split("\n")]


def table(rows: list[list[str]]) -> str:
    """A table with columns as wide as needed; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
