"""The lab ignores no property of the template silently: each property, changed to another value,
changes the model, is refused, or is on the list of properties without effect. And every field of
the model is used."""
from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.model import model
from lab.model import network as model_network
from lab.model.without_effect import ATTRIBUTES_WITHOUT_EFFECT, WITHOUT_EFFECT
from lab.template.interpreter import List, Map, TemplateError, function_of, interpret
from lab.unit import stack_tree

LAB = Path(__file__).parents[1]


def others(value: Any) -> list[Any]:
    """Other values of the same type, and a value of another type."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value + 1000]
    if isinstance(value, str):
        flipped = {"true": "false", "false": "true"}.get(value, f"{value}x")
        return [flipped, str(int(value) + 1) if value.isdigit() else "other"]
    return ["other"]   # in place of a function


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a property by their paths, for Tree.set."""
    if isinstance(value, (Map, List)) and not function_of(value):
        for key, item in value.items() if isinstance(value, Map) else enumerate(value):
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def listed(kind: str, path: str, values: Any) -> bool:
    """Whether the property, or its container, is on the list."""
    where = kind
    for key in path.split("."):
        if key.isdigit():
            continue
        if key in WITHOUT_EFFECT.get(where, {}):
            return True
        where += f".{key}"
    if kind in ATTRIBUTES_WITHOUT_EFFECT and "Attributes." in path:
        name, number, _ = path.split(".")
        return values[name][int(number)]["Key"] in ATTRIBUTES_WITHOUT_EFFECT[kind]
    return False


def said() -> dict[tuple[str, str], tuple[str, str, Any]]:
    """(Type, path without positions) → the first resource with it, path, value."""
    found: dict[tuple[str, str], tuple[str, str, Any]] = {}
    present = interpret(stack_tree.tree(), stack_tree.GIVEN).resources
    for name, body in stack_tree.tree().section("Resources").items():
        if name not in present:
            continue  # by its condition: the lab would refuse it or build it
        for path, value in leaves(body.get("Properties", Map())):
            # Attributes and statements count as separate properties.
            keep = "Attributes" in path or "Statement" in path
            general = path if keep else ".".join(k for k in path.split(".") if not k.isdigit())
            found.setdefault((body["Type"], general), (name, path, value))
    return found


SAID = said()


@pytest.fixture(scope="module")
def built() -> model.Model:
    return stack_tree.build(stack_tree.tree())


@pytest.mark.parametrize("kind, general", SAID, ids=[f"{k[5:]}.{p}" for k, p in SAID])
def test_it_matters_or_is_listed(built: model.Model, kind: str, general: str) -> None:
    name, path, value = SAID[kind, general]
    tree = stack_tree.tree()
    properties = tree.resource(name)["Properties"]
    for other in others(value):
        tree.set(name, path, other)
        try:
            changed = stack_tree.build(tree)
        except TemplateError as error:
            assert error.line > 1
            continue
        assert changed != built or listed(kind, path, properties), (
            f"{name}: {path}: {other!r} instead of {value!r} makes no difference")


def read_by_the_lab() -> set[str]:
    """The names of attributes, and texts (model/updating.py has names of fields as texts)."""
    found: set[str] = set()
    own = [LAB / "model/model.py", LAB / "model/network.py"]
    for path in [*LAB.rglob("*.py"), *(LAB.parent / "stack").glob("*.py")]:
        if path in own or path.parent.name == "unit":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_field_of_the_model_is_read() -> None:
    read = read_by_the_lab()
    for module in (model, model_network):
        for kind in vars(module).values():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                for field in dataclasses.fields(kind):
                    assert field.name in read, f"nobody reads {kind.__name__}.{field.name}"
