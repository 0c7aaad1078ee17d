"""Names and defaults of the template's parameters, without a YAML library."""
from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r"^  ([A-Za-z0-9]+):(.*)$")
# A default is a plain word or a quoted one; Type comes before it, Description behind it.
DEFAULT = re.compile(r"(?:\{|, |^ +)Default: *('(?:[^']|'')*'|\"[^\"]*\"|[^,}\n]+)", re.M)


class Template:
    """`defaults`: each parameter's default, None for a parameter without one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.defaults: dict[str, str | None] = {}
        for name, body in _parameters(self.text):
            found = DEFAULT.search(body)
            self.defaults[name] = _plain(found[1]) if found else None

    def has(self, name: str) -> bool:
        return name in self.defaults


def _parameters(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    inside = False
    for line in text.splitlines():
        if line[:1] not in ("", " ", "#"):
            inside = line.startswith("Parameters:")
        elif inside and (start := NAME.match(line)):
            found.append((start[1], start[2]))
        elif inside and found and line.startswith("    "):
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line)
    return found


def _plain(word: str) -> str:
    word = word.strip()
    if word[:1] == "'":
        return word[1:-1].replace("''", "'")
    return word[1:-1] if word[:1] == '"' else word
