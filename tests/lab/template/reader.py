"""YAML as Map and List with line numbers (template/tree.py): the stack template, and the
cloud-config in it. Constructs that are hard to read or ambiguous are refused: aliases, merges,
duplicate keys, null."""
from __future__ import annotations

from typing import Any, Iterable

import yaml

from .tree import List, Map, TemplateError

# A short form !Name has the long form Fn::Name, except these.
_PLAIN = ("Ref", "Condition")
DEEPEST = 60
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Reader:
    def __init__(self, file: str, functions: tuple[str, ...]) -> None:
        self.file, self.functions = file, functions
        self.seen: set[int] = set()

    def error(self, mark: Any, what: str) -> TemplateError:
        return TemplateError(self.file, mark.line + 1 if mark else 1, "", what)

    def check_depth(self, events: Iterable[yaml.Event]) -> None:
        """Checks the depth before composition: PyYAML composes by recursion in C, and a stack
        overflow would end the process."""
        depth = 0
        for event in events:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    raise self.error(event.start_mark, f"nested more than {DEEPEST} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1

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
            raise self.error(node.start_mark, "null, or no value; the lab knows no null")
        if tag not in ("bool", "int", "float"):
            raise self.error(node.start_mark, f"a value of type {node.tag} is not known")
        try:
            return yaml.SafeLoader.construct_object(_CONSTRUCTOR, node)
        except ValueError:  # more digits than Python accepts
            raise self.error(node.start_mark, f"a number of {len(node.value)} characters"
                             ) from None

    def short_form(self, node: yaml.Node, name: str) -> Map:
        line = node.start_mark.line + 1
        function = name if name in _PLAIN else f"Fn::{name}"
        if function not in self.functions:
            raise self.error(node.start_mark, f"function !{name} is not known to the lab")
        argument: Any = str(node.value) if isinstance(node, yaml.ScalarNode) else self.plain(node)
        if function == "Fn::GetAtt" and isinstance(argument, str):
            resource, _, attribute = argument.partition(".")
            argument = List([resource, attribute], line, [line, line])
        return Map({function: argument}, line, {function: line})


_CONSTRUCTOR = yaml.SafeLoader("")


def read(text: str, file: str, functions: tuple[str, ...] = ()) -> Map:
    """`functions`: those that may have their short form. Raises TemplateError with a line of the
    text."""
    reader = _Reader(file, functions)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is ten times as fast
    try:
        reader.check_depth(yaml.parse(text, loader))
        root = yaml.compose(text, loader)
        if not isinstance(root, yaml.MappingNode):
            raise reader.error(root.start_mark if root else None, "not a mapping")
        found = reader.value(root)
    except yaml.MarkedYAMLError as error:
        raise reader.error(error.problem_mark, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise TemplateError(file, _line(text, error), "", "not YAML: "
                            f"{getattr(error, 'reason', 'a character that it does not have')}"
                            ) from None
    if not isinstance(found, Map):
        raise reader.error(root.start_mark, "not a mapping")
    return found


def _line(text: str, error: yaml.YAMLError) -> int:
    """For invalid characters YAML reports only a byte position, as UTF-8."""
    position = getattr(error, "position", 0) or 0
    return text.encode()[:position].count(b"\n") + 1
