"""Typed reading of a resource's properties. Every property is either read or listed in
model/without_effect.py; all others are refused with their line."""
from __future__ import annotations

import base64
import ipaddress
import re
from typing import Any, Iterable

from lab.template.interpreter import List, Map, Resource, Stack, TemplateError
from lab.template.parameters import NUMBER
from .without_effect import WITHOUT_EFFECT

_REQUIRED: Any = object()


def only(stack: Stack, kind: str) -> Resource:
    """The only resource of a type, for types that the lab supports once."""
    found = stack.of_type(kind)
    if len(found) != 1:
        line = found[1].line if found else stack.tree.root.line_of("Resources")
        raise stack.error(line, found[1].name if found else "",
                          f"the lab builds one {kind}, the template has {len(found)}")
    return found[0]


class Properties:
    """The properties of a resource, or of a part of it. Used in a with statement, which refuses
    unread properties at its end."""

    def __init__(self, stack: Stack, resource: Resource, values: Map, kind: str) -> None:
        self.stack, self.resource, self.values, self.kind = stack, resource, values, kind
        self._read: set[str] = set()

    @classmethod
    def of(cls, stack: Stack, resource: Resource) -> "Properties":
        return cls(stack, resource, resource.properties, resource.type)

    def __enter__(self) -> "Properties":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        self.resource.read = True
        known = WITHOUT_EFFECT.get(self.kind, {})
        for key in self.values:
            if key not in self._read and key not in known:
                raise self.error(key, f"{self.kind}: property {key} is not known to the lab")

    def error(self, key: str, what: str) -> TemplateError:
        return self.stack.error(self.line(key), self.resource.name, what)

    def line(self, key: str = "") -> int:
        """The line of a key, or of the whole if the key is missing."""
        return self.values.line_of(key) or self.resource.line

    def raw(self, key: str, default: Any = _REQUIRED) -> Any:
        self._read.add(key)
        if key in self.values:
            return self.values[key]
        if default is _REQUIRED:
            raise self.error("", f"{self.kind}: {key} is missing")
        return default

    # scalars

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        value = self.raw(key, default)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise self.error(key, f"{key} is not a text")
        return str(value)

    def integer(self, key: str, default: Any = _REQUIRED, low: int | None = None,
                high: int | None = None) -> Any:
        """`default` may be None, and is not checked against the limits."""
        if key not in self.values and default is not _REQUIRED:
            return self.raw(key, default)
        return self.whole(key, self.text(key), low, high)

    def whole(self, key: str, text: str, low: int | None, high: int | None) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise self.error(key, f'{key}: "{text}" is not a whole number')
        number = int(text)
        if (low is not None and number < low) or (high is not None and number > high):
            raise self.error(key, f"{key}: {number} is not within {low} to {high}")
        return number

    def number(self, key: str) -> float:
        text = self.text(key)
        if not NUMBER.fullmatch(text):
            raise self.error(key, f'{key}: "{text}" is not a number')
        return float(text)

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        return self.one_of(key, ("true", "false"), default) == "true"

    def one_of(self, key: str, allowed: Iterable[str], default: Any = _REQUIRED) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f'{key}: "{value}" is not known to the lab; it knows '
                                  f"{', '.join(allowed)}")
        return value

    def cidr(self, key: str) -> str:
        """Returns the canonical form, like EC2 (VPC User Guide, "Network ACL rules":
        100.68.0.18/18 becomes 100.68.0.0/18)."""
        text = self.text(key)
        try:
            if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", text):
                raise ValueError
            return str(ipaddress.IPv4Network(text, strict=False))
        except ValueError:
            raise self.error(key, f'{key}: "{text}" is no IPv4 CIDR block') from None

    def matching(self, key: str, pattern: str, default: Any = _REQUIRED) -> str:
        """A text that matches a pattern completely: for values that become part of a
        configuration, and that AWS checks, too."""
        text = self.text(key, default)
        if key in self.values and not re.fullmatch(pattern, text, re.ASCII):
            raise self.error(key, f'{key}: "{text}" is not of the form {pattern}')
        return text

    def user_data(self, key: str) -> str:
        """The decoded user-data; "" if it is missing."""
        try:
            return base64.b64decode(self.text(key, ""), validate=True).decode()
        except ValueError:  # of base64 or UTF-8
            raise self.error(key, f"{key} is not text in Base64 (Fn::Base64)") from None

    # lists and parts

    def items(self, key: str, default: Any = _REQUIRED) -> List:
        value = self.raw(key, default)
        if not isinstance(value, list):
            raise self.error(key, f"{key} is not a list")
        return value if isinstance(value, List) else List(value, self.line(key))

    def texts(self, key: str, default: Any = _REQUIRED) -> list[str]:
        values = self.items(key, default)
        if not all(isinstance(value, (str, int)) for value in values):
            raise self.error(key, f"{key} is not a list of texts")
        return [str(value) for value in values]

    def some(self, key: str) -> list[str]:
        """One text, or a list of texts."""
        value = self.raw(key)
        return self.texts(key) if isinstance(value, list) else [self.text(key)]

    def part(self, key: str) -> "Properties | None":
        """A property with properties; None if it is missing."""
        value = self.raw(key, None)
        if value is None:
            return None
        if not isinstance(value, Map):
            raise self.error(key, f"{key} is not a mapping")
        return Properties(self.stack, self.resource, value, f"{self.kind}.{key}")

    def parts(self, key: str) -> list["Properties"]:
        found = []
        for value in self.items(key, List()):
            if not isinstance(value, Map):
                raise self.error(key, f"{key} is not a list of mappings")
            found.append(Properties(self.stack, self.resource, value, f"{self.kind}.{key}"))
        return found

    def pairs(self, key: str, name: str = "Key") -> dict[str, str]:
        """Tags, attributes and dimensions: [{Key: …, Value: …}, …]."""
        found: dict[str, str] = {}
        for part in self.parts(key):
            with part:
                if part.text(name) in found:
                    raise part.error(name, f"{key}: {part.text(name)} is given twice")
                found[part.text(name)] = part.text("Value")
        return found

    # references

    def reference(self, key: str, kind: str, default: Any = _REQUIRED) -> str:
        """The logical name of the resource that a property refers to."""
        if key not in self.values and default is not _REQUIRED:
            return str(self.raw(key, default))
        return self._resource(key, self.text(key), kind)

    def references(self, key: str, kind: str, default: Any = _REQUIRED) -> list[str]:
        """Unique names; at least one unless there is a default."""
        if default is _REQUIRED and not self.items(key):
            raise self.error(key, f"{key} is empty")
        found = [self._resource(key, v, kind) for v in self.texts(key, default)]
        if len(set(found)) != len(found):
            raise self.error(key, f"{key} has a duplicate")
        return found

    def _resource(self, key: str, identity: str, kind: str) -> str:
        name = self.stack.named(kind, identity)
        if name is None:
            raise self.error(key, f'{key}: "{identity}" is no {kind} of this template')
        return name
