"""The stack template as a tree that knows its lines, and the way from there to
resources with values in place of functions.

    stack = template.load(path, {"KeyName": "lab"})           # both steps
    tree = template.load_tree(path)                           # the file as it is
    tree.remove("WebAclAIn1100")                              # … changed …
    stack = template.interpret(tree, {"KeyName": "lab"})      # … and resolved

Short forms (!Ref) are turned into long ones when read, so that there is one way to
see a function. template_tree.py has the tree, template_resolve.py the functions.

Whatever is not understood is refused with file, line and resource, before anything
is built: also a key that is given twice, and YAML's aliases and merges, for which a
reader would have to look elsewhere.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import yaml

from .template_tree import List, Map, TemplateError, Tree, function_of, with_lines

__all__ = ["CONDITION_FUNCTIONS", "FUNCTIONS", "List", "Map", "Resource", "Stack", "TemplateError",
           "Tree", "function_of", "interpret", "load", "load_tree", "with_lines"]

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"
STACK = "practice"

# Those written !Name in the short form have Fn:: in the long one, but for these.
_PLAIN = ("Ref", "Condition")
FUNCTIONS = ("Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Select", "Fn::Join", "Fn::Base64", "Fn::If")
CONDITION_FUNCTIONS = ("Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Condition")
SECTIONS = ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions",
            "Resources", "Outputs")


@dataclass
class Resource:
    """`properties` has values in place of functions, and knows its lines."""
    name: str
    type: str
    properties: Map
    line: int
    depends_on: list[str] = field(default_factory=list)
    attributes: Map = field(default_factory=Map)  # DeletionPolicy, UpdatePolicy, …


@dataclass
class Stack:
    path: Path
    name: str
    region: str
    account: str
    parameters: dict[str, str]
    resources: dict[str, Resource]
    outputs: dict[str, str]
    refs: dict[str, str]                # logical name → id: what Ref gives
    names: dict[tuple[str, str], str]   # (type, id) → logical name
    tree: Tree
    get_attribute: Callable[[str, str], Any]

    def error(self, line: int, resource: str, what: str) -> TemplateError:
        return self.tree.error(line, resource, what)

    def ref(self, name: str) -> str:
        """What Ref gives for a resource."""
        return self.refs[name]

    def attribute(self, name: str, attribute: str) -> str:
        """What Fn::GetAtt gives."""
        return str(self.get_attribute(name, attribute))

    def named(self, kind: str, identity: str) -> str | None:
        """The logical name of the resource of a type that has this id."""
        return self.names.get((kind, identity))

    def of_type(self, kind: str) -> list[Resource]:
        """In the template's order."""
        return [r for r in self.resources.values() if r.type == kind]


# reading

_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: set[int] = set()

    def error(self, mark: Any, what: str) -> TemplateError:
        return TemplateError(self.path.name, mark.line + 1 if mark else 1, "", what)

    def value(self, node: yaml.Node) -> Any:
        # An alias is the same node a second time.
        if id(node) in self.seen:
            raise self.error(node.start_mark,
                             "an alias of this is used; the lab knows no aliases")
        self.seen.add(id(node))
        if node.tag.startswith("!"):
            return self.short_form(node, node.tag[1:])
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            raise self.error(node.start_mark, f"a value of type {node.tag} is not known")
        return self.plain(node)

    def plain(self, node: yaml.Node) -> Any:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, line)
        if isinstance(node, yaml.SequenceNode):
            return List([self.value(v) for v in node.value], line,
                        [v.start_mark.line + 1 for v in node.value])
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, line: int) -> Map:
        found = Map(line=line)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key.start_mark, "a key is not a scalar")
            name = str(key.value)
            if key.tag == "tag:yaml.org,2002:merge":
                raise self.error(key.start_mark, "a merge (<<); the lab knows no merges")
            if name in found:
                raise self.error(key.start_mark, f"{name} is given twice, first on line "
                                                 f"{found.lines[name]}")
            found.lines[name] = key.start_mark.line + 1
            found[name] = self.value(value)
        return found

    def scalar(self, node: yaml.Node) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag in ("str", "timestamp"):  # Version: 2012-10-17 stays text
            return str(node.value)
        if tag == "null":
            raise self.error(node.start_mark, "null; CloudFormation refuses null values")
        if tag not in ("bool", "int", "float"):
            raise self.error(node.start_mark, f"a value of type {node.tag} is not known")
        return yaml.SafeLoader.construct_object(_CONSTRUCTOR, node)

    def short_form(self, node: yaml.Node, name: str) -> Map:
        line = node.start_mark.line + 1
        function = name if name in _PLAIN else f"Fn::{name}"
        if function not in FUNCTIONS + CONDITION_FUNCTIONS:
            raise self.error(node.start_mark, f"function !{name} is not known to the lab")
        argument: Any = str(node.value) if isinstance(node, yaml.ScalarNode) else self.plain(node)
        if function == "Fn::GetAtt" and isinstance(argument, str):
            resource, _, attribute = argument.partition(".")
            argument = List([resource, attribute], line, [line, line])
        return Map({function: argument}, line, {function: line})


_CONSTRUCTOR = yaml.SafeLoader("")


def load_tree(path: Path | str) -> Tree:
    """Reads the file; nothing is looked at but its form."""
    path = Path(path)
    reader = _Reader(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(path.name, 1, "", f"cannot be read: {error}") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast
    try:
        root = yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        raise reader.error(error.problem_mark, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise reader.error(None, f"not YAML: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise reader.error(root.start_mark if root else None, "not a mapping")
    tree = Tree(path, reader.value(root))
    for name in tree.root:
        if name not in SECTIONS:
            raise tree.error(tree.root.line_of(name), "", f"section {name} is not known to the lab")
    return tree


def interpret(tree: Tree, parameters: dict[str, str], account: str = ACCOUNT, region: str = REGION,
              stack_name: str = STACK) -> Stack:
    """Resolves a tree. The tree is left as it was."""
    from .template_resolve import resolve
    return resolve(tree, parameters, account, region, stack_name)


def load(path: Path | str, parameters: dict[str, str], account: str = ACCOUNT,
         region: str = REGION, stack_name: str = STACK) -> Stack:
    return interpret(load_tree(path), parameters, account, region, stack_name)
