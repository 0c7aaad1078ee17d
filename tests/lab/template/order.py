"""The dependencies in a template: by DependsOn, Ref, Fn::GetAtt, Fn::Sub."""
from __future__ import annotations

import re

from .interpreter import List, Map, Tree, function_of

SUBSTITUTION = re.compile(r"\$\{([^}]*)\}")   # of Fn::Sub


def depends_on(tree: Tree, name: str, present: list[str]) -> list[str]:
    """The present resources in DependsOn."""
    resources = tree.section("Resources")
    body = resources[name]
    said = body.get("DependsOn", List())
    named = said if isinstance(said, List) else [said]
    for other in named:
        if not isinstance(other, str):
            raise tree.error(body.line_of("DependsOn"), name,
                             "DependsOn is neither a name nor a list of names")
        if other not in resources or other == name:
            raise tree.error(body.line_of("DependsOn"), name,
                             f"DependsOn: there is no other resource {other}")
    return [other for other in named if other in present]


def mentioned(value: object, resources: Map) -> set[str]:
    """The resources that a value refers to."""
    name = function_of(value)
    argument = value[name] if isinstance(value, Map) and name else None
    if name == "Ref":
        return {str(argument)} & set(resources)
    if name == "Fn::GetAtt":
        return {str(argument[0])} & set(resources) if isinstance(argument, List) and argument \
            else set()
    found: set[str] = set()
    if name == "Fn::Sub":
        text = argument[0] if isinstance(argument, List) and argument else argument
        found = {m.partition(".")[0] for m in SUBSTITUTION.findall(str(text))} & set(resources)
    items = value.values() if isinstance(value, Map) else value if isinstance(value, List) else ()
    for item in items:
        found |= mentioned(item, resources)
    return found


def check_order(tree: Tree, present: list[str]) -> None:
    """Refuses circular dependencies, as CloudFormation does."""
    resources = tree.section("Resources")
    needs = {n: mentioned(resources[n].get("Properties"), resources)
             | set(depends_on(tree, n, present)) for n in present}
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        if name in path:
            circle = " → ".join(path[path.index(name):] + [name])
            raise tree.error(resources.line_of(name), name, f"circular dependency: {circle}")
        if name in done or name not in needs:
            return
        path.append(name)
        for other in sorted(needs[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in present:
        visit(name)
