"""Bad input is refused early, with its line. The project's template with one node replaced,
removed or duplicated either builds or ends with a TemplateError of one line. The same applies to
files that are not templates.

WNA_FUZZ_RUNS=N and WNA_FUZZ_SEED=N try more and other changes."""
from __future__ import annotations

import copy
import os
import random
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.model import model
from lab.template import interpreter as template
from lab.template.interpreter import List, Map, TemplateError, Tree, with_lines
from lab.unit import stack_tree

RUNS = int(os.environ.get("WNA_FUZZ_RUNS", "120"))
SEED = int(os.environ.get("WNA_FUZZ_SEED", "1"))
LINES = len(stack_tree.PATH.read_text().splitlines())

VALUES: list[Any] = [
    "", "x", "two\nlines", "\x1b[2J", "0", "-1", "9" * 30, "é²", "10.16.3.0/24", "::/0", "*", "${",
    "#cloud-config\nruncmd: [a]\nrunmcd: [b]\n", 0, -1, 1, 10 ** 30, 2.5, float("inf"),
    float("nan"), True, False, [], [[]], [""], [{}], ["x", "x"], {}, {"": ""}, {"a": {"b": []}},
    {"Key": "a", "Value": "b"}, {"Ref": "Nowhere"}, {"Ref": "Vpc"}, {"Ref": "ZoneA"},
    {"Ref": "AWS::NoValue"}, {"Ref": []}, {"Ref": {"Ref": "Vpc"}}, {"Fn::GetAtt": []},
    {"Fn::GetAtt": ["Database", "Nothing"]}, {"Fn::GetAtt": [[], {}]}, {"Fn::Sub": "${Vpc"},
    {"Fn::Sub": "${Nowhere}"}, {"Fn::Sub": ["${a}", {"a": []}]}, {"Fn::Sub": []},
    {"Fn::Select": ["²", ["a"]]}, {"Fn::Select": [0, {"Ref": "Vpc"}]}, {"Fn::Join": ["", {}]},
    {"Fn::If": ["Nowhere", 1, 2]}, {"Fn::If": []}, {"Fn::Base64": []}, {"Fn::Base64": ""},
    {"Fn::Base64": {"Ref": "AWS::NoValue"}}, {"Fn::Nothing": 1}, {"Fn::Equals": [1, 1]}]

Path_ = tuple[Any, ...]


def nodes(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """The paths of all nodes except the root."""
    if at:
        yield at
    items = value.items() if isinstance(value, Map) else \
        enumerate(value) if isinstance(value, List) else ()
    for key, item in items:
        yield from nodes(item, (*at, key))


PATHS = list(nodes(stack_tree.tree().root))
# A third of the template is rows of network ACLs: test only some of them.
CHOSEN = [p for p in PATHS if "Acl" not in str(p[1:2]) or "AIn" in str(p[1:2])]


def holder(root: Map, path: Path_) -> Any:
    for key in path[:-1]:
        root = root[key]
    return root


def put(where: Any, key: Any, value: Any) -> None:
    if isinstance(where, Map):
        where.put(key, value)
    else:
        where[key] = with_lines(value, where.line_of(key))


def mutate(tree: Tree, dice: random.Random) -> str:
    """Changes one node; returns a description for a failure message."""
    path = dice.choice(CHOSEN)
    where, key = holder(tree.root, path), path[-1]
    name = ".".join(map(str, path))
    match dice.randrange(6):
        case 0:
            del where[key]
            if isinstance(where, List):
                del where.lines[key]
            return f"{name} taken away"
        case 1 if isinstance(where, List):
            where.append(copy.deepcopy(where[key]))
            where.lines.append(where.line_of(key))
            return f"{name} doubled"
        case 1:
            where.put(f"{key}X", where.pop(key))
            return f"{name} misspelt"
        case 2:
            other = dice.choice(PATHS)
            put(where, key, copy.deepcopy(holder(tree.root, other)[other[-1]]))
            return f"{name} is what {'.'.join(map(str, other))} is"
    value = dice.choice(VALUES)
    put(where, key, copy.deepcopy(value))
    return f"{name} is {value!r}"


def outcome(tree: Tree) -> str:
    """"" if the template builds, else the error. Other exceptions fail the test."""
    try:
        stack_tree.build(tree)
    except TemplateError as error:
        said = str(error)
        assert said.startswith(f"stack.yaml:{error.line}: ") and 1 <= error.line <= LINES
        assert said.isprintable() and len(said) < 900, said
        return said
    return ""


def test_one_node_changed() -> None:
    original = stack_tree.tree()
    before = copy.deepcopy(original.root)
    said: list[str] = []
    for number in range(RUNS):
        dice = random.Random(f"{SEED} {number}")
        tree = original.copy()
        done = mutate(tree, dice)
        try:
            said.append(outcome(tree))
        except Exception as error:
            pytest.fail(f"run {number} of seed {SEED}: {done}: {type(error).__name__}: {error}")
    # Both outcomes must occur: otherwise the mutations have no effect.
    refused = sum(bool(text) for text in said)
    print(f"seed {SEED}: {refused} of {RUNS} were refused")
    assert RUNS // 3 < refused < RUNS and original.root == before


REAL = stack_tree.PATH.read_bytes()


@pytest.mark.parametrize("data, line, said", [
    (b"", 1, "not a mapping"),
    (b"\n# nothing\n", 1, "not a mapping"),
    (b"just words\n", 1, "not a mapping"),
    (random.Random(1).randbytes(2 << 20), 1, "2097152 bytes, more than the 1048576"),
    (random.Random(1).randbytes(1000), 1, "not UTF-8"),
    (bytes(random.Random(1).choices(range(32, 127), k=1 << 20)), 1, "not YAML"),
    (b"a" * (1 << 20), 1, "not a mapping"),
    (b"a: 1\nb: \0\n", 2, "not YAML: control characters are not allowed"),
    (b"a:\n\tb: 1\n", 2, "not YAML"),
    (b"a: " + b"[" * 100_000, 1, "nested more than 60 deep"),
    (b"a: " + b"{b: " * 5000 + b"1" + b"}" * 5000, 1, "nested more than 60 deep"),
    (b"a: " + b"9" * 5000, 1, "a number of 5000 characters"),
    (REAL.replace(b"\n", b"\n\xff", 10).replace(b"\n\xff", b"\n", 9), 11, "not UTF-8"),
    (REAL + b"---\na: 1\n", LINES + 1, "another document"),
    (REAL.replace(b"\nOutputs:", b"\nResources:"), 0, "Resources is given twice, first on line"),
    (REAL[:REAL.index(b"\nResources:")], 3, "there are no resources"),
    (REAL.replace(b"'2010-09-09'", b"'2011-09-09'"), 3, "AWSTemplateFormatVersion"),
    (REAL.decode().encode("utf-16"), 1, "not UTF-8"),
])
def test_no_template_at_all(tmp_path: Path, data: bytes, line: int, said: str) -> None:
    path = tmp_path / "stack.yaml"
    path.write_bytes(data)
    with pytest.raises(TemplateError) as error:
        template.load(path, stack_tree.GIVEN)
    message = str(error.value)
    assert said in message and message.isprintable()
    assert message.startswith(f"stack.yaml:{line or error.value.line}: ")


@pytest.mark.parametrize("change", [
    lambda data: data.replace(b"\n", b"\r\n"), lambda data: b"\xef\xbb\xbf" + data])
def test_another_editors_file_is_the_same_template(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "stack.yaml"
    path.write_bytes(change(REAL))
    assert model.build(template.load(path, stack_tree.GIVEN)) == stack_tree.build(
        stack_tree.tree())
