"""The stack template as a tree with line numbers.

A tree has Maps, Lists and plain values. Map and List are a dict and a list with the line of each
item; a deep copy keeps the lines, and a new item has the line of its container."""
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any


LONGEST = 400  # limit of a quotation in a message


def one_line(text: object) -> str:
    """Makes a quoted text safe for one line: no line breaks, no control characters, limited
    length."""
    words = " ".join(str(text).split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


class TemplateError(Exception):
    """`stack.yaml:LINE: Resource: what`, in one line."""

    def __init__(self, file: str, line: int, resource: str, what: str) -> None:
        self.file, self.line = file, max(line, 1)
        self.resource, self.what = one_line(resource), one_line(what)
        subject = f"{self.resource}: " if resource else ""
        super().__init__(f"{file}:{self.line}: {subject}{self.what}")


class Map(dict):  # type: ignore[type-arg]
    """A mapping with line numbers: `line` its own, `lines` of its keys."""

    def __init__(self, items: dict[str, Any] | None = None, line: int = 0,
                 lines: dict[str, int] | None = None) -> None:
        super().__init__(items or {})
        self.line = line
        self.lines = lines or {}

    def line_of(self, key: object) -> int:
        return self.lines.get(str(key), self.line)

    def put(self, key: str, value: object) -> None:
        """Sets a value of plain Python; it has the old value's line if there was one."""
        self.lines.setdefault(key, self.line)
        self[key] = with_lines(value, self.lines[key])

    def __deepcopy__(self, memo: dict[int, Any]) -> "Map":
        return Map({k: copy.deepcopy(v, memo) for k, v in self.items()}, self.line,
                   dict(self.lines))


class List(list):  # type: ignore[type-arg]
    """A sequence with line numbers."""

    def __init__(self, items: list[Any] | None = None, line: int = 0,
                 lines: list[int] | None = None) -> None:
        super().__init__(items or [])
        self.line = line
        self.lines = lines or []

    def line_of(self, index: int) -> int:
        return self.lines[index] if index < len(self.lines) else self.line

    def __deepcopy__(self, memo: dict[int, Any]) -> "List":
        return List([copy.deepcopy(v, memo) for v in self], self.line, list(self.lines))


def with_lines(value: object, line: int) -> Any:
    """Plain dicts and lists as Map and List, all with this line."""
    if isinstance(value, (Map, List)):
        return value
    if isinstance(value, dict):
        return Map({str(k): with_lines(v, line) for k, v in value.items()}, line,
                   {str(k): line for k in value})
    if isinstance(value, (list, tuple)):
        return List([with_lines(v, line) for v in value], line, [line] * len(value))
    return value


def function_of(value: object) -> str:
    """The name of the function in a mapping, or ""."""
    if isinstance(value, Map) and len(value) == 1:
        name = str(next(iter(value)))
        if name == "Ref" or name.startswith("Fn::"):
            return name
    return ""


class Tree:
    """The file's contents, which can be changed and interpreted."""

    def __init__(self, path: Path, root: Map) -> None:
        self.path = path
        self.root = root

    @property
    def file(self) -> str:
        return self.path.name

    def copy(self) -> "Tree":
        return Tree(self.path, copy.deepcopy(self.root))

    def error(self, line: int, resource: str, what: str) -> TemplateError:
        return TemplateError(self.file, line, resource, what)

    def section(self, name: str) -> Map:
        found = self.root.get(name)
        if found is None:
            return Map(line=self.root.line)
        if not isinstance(found, Map):
            raise self.error(self.root.line_of(name), "", f"{name} is not a mapping")
        return found

    # for mutations: each method changes the tree, or raises LookupError if the target is missing

    def resource(self, name: str) -> Map:
        found = self.section("Resources").get(name)
        if not isinstance(found, Map):
            raise LookupError(f"{self.file} has no resource {name}")
        return found

    def remove(self, name: str) -> None:
        """Removes a resource, also from the DependsOn of others."""
        self.resource(name)
        del self.section("Resources")[name]
        for other in self.section("Resources").values():
            said = other.get("DependsOn") if isinstance(other, Map) else None
            if isinstance(said, List) and name in said:
                kept = [i for i, n in enumerate(said) if n != name]
                other["DependsOn"] = List([said[i] for i in kept], said.line,
                                          [said.line_of(i) for i in kept])
            elif said == name:
                del other["DependsOn"]

    def add(self, name: str, kind: str, properties: dict[str, Any], **attributes: Any) -> None:
        """Adds a resource; functions in their long form: {"Ref": "Vpc"}."""
        resources = self.section("Resources")
        if name in resources:
            raise LookupError(f"{self.file} has a resource {name} already")
        resources.put(name, {"Type": kind, "Properties": properties, **attributes})

    def get(self, name: str, path: str) -> Any:
        """A property by its path: "SecurityGroupIngress.0.FromPort"."""
        holder, last = self._walk(name, path)
        try:
            return holder[last]
        except (KeyError, IndexError):
            raise LookupError(f"{name} has no property {path}") from None

    def set(self, name: str, path: str, value: object) -> None:
        holder, last = self._walk(name, path)
        if isinstance(holder, Map):
            holder.put(last, value)
        elif last == len(holder):
            holder.append(with_lines(value, holder.line))
            holder.lines.append(holder.line)
        else:
            holder[last] = with_lines(value, holder.line_of(last))

    def unset(self, name: str, path: str) -> None:
        self.get(name, path)
        holder, last = self._walk(name, path)
        del holder[last]
        if isinstance(holder, List):
            del holder.lines[last]

    def _walk(self, name: str, path: str) -> tuple[Any, Any]:
        """The container of a property, and its key in it."""
        holder: Any = self.resource(name).get("Properties")
        steps = path.split(".")
        for number, step in enumerate(steps):
            key: Any = int(step) if isinstance(holder, List) and step.isdigit() else step
            if not isinstance(holder, (Map, List)):
                break
            if number == len(steps) - 1:
                return holder, key
            try:
                holder = holder[key]
            except (KeyError, IndexError, TypeError):
                break
        raise LookupError(f"{name} has no property {path}")
