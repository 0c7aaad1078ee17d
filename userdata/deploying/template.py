"""Defaults and limits of the template's parameters, without a YAML library."""
from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r"^  ([A-Za-z0-9]+):(.*)$")
# A value is a plain word, a quoted one or a list.
FIELD = re.compile(r"(?:\{|, |^ +)(\w+): *('(?:[^']|'')*'|\"[^\"]*\"|\[[^]]*\]|[^,}\n]+)", re.M)


class Template:
    """`defaults`: each parameter's default, None for a parameter without one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.fields = {name: {key: _plain(value) for key, value in FIELD.findall(body)}
                       for name, body in _parameters(self.text)}
        self.defaults = {name: fields.get("Default") for name, fields in self.fields.items()}

    def has(self, name: str) -> bool:
        return name in self.fields

    def refuses(self, name: str, value: str) -> str:
        """What CloudFormation would expect instead of this value, or nothing."""
        fields = self.fields[name]
        if "AllowedValues" in fields:
            allowed = [_plain(one) for one in fields["AllowedValues"][1:-1].split(",")]
            return "" if value in allowed else "one of " + ", ".join(allowed)
        if fields.get("Type") == "Number":
            low, high = int(fields.get("MinValue", 0)), int(fields.get("MaxValue", 10**9))
            good = re.fullmatch("[0-9]{1,9}", value) and low <= int(value) <= high
            return "" if good else f"a number from {low} to {high}"
        if len(value) > int(fields.get("MaxLength", 4096)):
            return f"at most {fields['MaxLength']} characters"
        pattern = fields.get("AllowedPattern", ".*")
        if re.fullmatch(pattern, value):
            return ""
        return "a network, ADDRESS/BITS" if "Cidr" in name else f"of the form {pattern}"


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
