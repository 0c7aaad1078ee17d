"""The stack template as a tree with line numbers, and its resolution to resources with
values in place of functions.

    stack = template.load(path, {"KeyName": "lab"})           # both steps
    tree = template.load_tree(path)                           # the file as it is
    tree.remove("WebAclAIn1100")                              # … changed …
    stack = template.interpret(tree, {"KeyName": "lab"})      # … and resolved

The reader converts short forms (!Ref) to long forms. template/tree.py has the tree,
template/resolve.py the functions.

Everything that is not supported is refused with file, line and resource, before anything
is built: also duplicate keys, and YAML's aliases and merges, which are hard to read.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .reader import read
from .tree import List, Map, TemplateError, Tree, function_of, with_lines

__all__ = ["CONDITION_FUNCTIONS", "FUNCTIONS", "List", "Map", "Resource", "Stack", "TemplateError",
           "Tree", "function_of", "interpret", "load", "load_tree", "with_lines"]

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"
STACK = "practice"

FUNCTIONS = ("Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Select", "Fn::Join", "Fn::Base64", "Fn::If")
CONDITION_FUNCTIONS = ("Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Condition")
LARGEST = 1 << 20  # CloudFormation User Guide, "quotas": a template's body in S3
VERSION = "2010-09-09"
SECTIONS = ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules",
            "Conditions", "Resources", "Outputs")


@dataclass
class Resource:
    """`properties` has values in place of functions, with line numbers."""
    name: str
    type: str
    properties: Map
    line: int
    depends_on: list[str] = field(default_factory=list)
    attributes: Map = field(default_factory=Map)  # DeletionPolicy, UpdatePolicy, …
    read: bool = False        # the model has used it


@dataclass
class Stack:
    path: Path
    name: str
    region: str
    account: str
    parameters: dict[str, str]
    resources: dict[str, Resource]
    outputs: dict[str, str]
    refs: dict[str, str]                # logical name → id, the value of Ref
    names: dict[tuple[str, str], str]   # (type, id) → logical name
    tree: Tree
    get_attribute: Callable[[str, str], Any]

    def error(self, line: int, resource: str, what: str) -> TemplateError:
        return self.tree.error(line, resource, what)

    def ref(self, name: str) -> str:
        """The value of Ref for a resource."""
        return self.refs[name]

    def attribute(self, name: str, attribute: str) -> str:
        """The value of Fn::GetAtt."""
        return str(self.get_attribute(name, attribute))

    def named(self, kind: str, identity: str) -> str | None:
        """The logical name of the resource with this type and id."""
        return self.names.get((kind, identity))

    def of_type(self, kind: str) -> list[Resource]:
        """Resources of a type, in the template's order."""
        return [r for r in self.resources.values() if r.type == kind]


# reading

def load_tree(path: Path | str) -> Tree:
    """Reads the file and checks only its form."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TemplateError(path.name, 1, "", f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise TemplateError(path.name, 1, "", f"{len(data)} bytes, more than the {LARGEST} that "
                            "CloudFormation takes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TemplateError(path.name, data.count(b"\n", 0, error.start) + 1, "",
                            "cannot be read: not UTF-8") from None
    root = read(text, path.name, FUNCTIONS + CONDITION_FUNCTIONS)
    tree = Tree(path, root)
    for name in tree.root:
        if name not in SECTIONS:
            raise tree.error(tree.root.line_of(name), "", f"section {name} is not known to the lab")
    if tree.root.get("AWSTemplateFormatVersion", VERSION) != VERSION:
        raise tree.error(tree.root.line_of("AWSTemplateFormatVersion"), "",
                         f"AWSTemplateFormatVersion is not {VERSION}")
    return tree


def interpret(tree: Tree, parameters: dict[str, str], account: str = ACCOUNT, region: str = REGION,
              stack_name: str = STACK) -> Stack:
    """Resolves a copy of the tree."""
    from .resolve import resolve
    return resolve(tree, parameters, account, region, stack_name)


def load(path: Path | str, parameters: dict[str, str], account: str = ACCOUNT,
         region: str = REGION, stack_name: str = STACK) -> Stack:
    return interpret(load_tree(path), parameters, account, region, stack_name)
