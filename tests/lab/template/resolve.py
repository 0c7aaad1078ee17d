"""Resolves a template: parameters, conditions, dependencies, properties and outputs, in
CloudFormation's order (CloudFormation Template Reference, "Intrinsic function reference")."""
from __future__ import annotations

import base64
import re
from typing import Any

from .interpreter import (CONDITION_FUNCTIONS, FUNCTIONS, List, Map, Resource, Stack, Tree,
                       function_of, with_lines)
from .kinds import KINDS
from .order import SUBSTITUTION, check_order, depends_on
from .parameters import parameter_values, plain_text, referenced

ATTRIBUTES = ("Type", "Properties", "DependsOn", "Condition", "DeletionPolicy",
              "UpdateReplacePolicy", "Metadata", "UpdatePolicy")
MOST_RESOURCES = 500   # CloudFormation User Guide, "quotas"
OUTPUT_KEYS = ("Description", "Value", "Condition", "Export")
KEPT = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")   # values of DeletionPolicy


class _NoValue:
    """AWS::NoValue: the property is left out."""


NO_VALUE = _NoValue()


class _One:
    """template_types.Context for one resource: resolves a property on request."""

    def __init__(self, resolver: "Resolver", name: str, kind: str) -> None:
        self.resolver, self.name, self.type = resolver, name, kind
        self.stack_name, self.region = resolver.stack_name, resolver.region
        self.account = resolver.account

    def property(self, name: str) -> Any:
        properties = self.resolver.resources[self.name].get("Properties") or Map()
        if name not in properties:
            return None
        value = self.resolver.value(properties[name], self.name, properties.line_of(name))
        return None if value is NO_VALUE else value

    def position(self) -> int:
        alike = [n for n in self.resolver.present if self.resolver.kind(n) == self.type]
        return alike.index(self.name)

    def peer(self, kind: str, identity: str) -> "_One | None":
        for name in self.resolver.present:
            if self.resolver.kind(name) == kind:
                one = _One(self.resolver, name, kind)
                if one.ref() == identity:
                    return one
        return None

    def ref(self) -> str:
        return KINDS[self.type].ref(self)


class Resolver:
    def __init__(self, tree: Tree, parameters: dict[str, str], account: str, region: str,
                 stack_name: str) -> None:
        self.tree, self.account, self.region, self.stack_name = tree, account, region, stack_name
        self.parameters = parameter_values(tree, parameters)
        self.types = {n: str(d["Type"]) for n, d in tree.section("Parameters").items()}
        self.resources = tree.section("Resources")
        if not 1 <= len(self.resources) <= MOST_RESOURCES:
            raise tree.error(tree.root.line_of("Resources"), "",
                             f"there are {len(self.resources) or 'no'} resources, which is not "
                             f"within 1 to {MOST_RESOURCES}")
        self.conditions: dict[str, bool | None] = {}
        self.pseudo = {
            "AWS::Region": region, "AWS::AccountId": account, "AWS::Partition": "aws",
            "AWS::StackName": stack_name, "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack_name}/"
                            "00000000-0000-0000-0000-000000000001"}
        self.present: list[str] = []   # resources whose condition is true

    def kind(self, name: str) -> str:
        return str(self.resources[name]["Type"])

    # conditions

    def condition(self, name: object, owner: str, line: int) -> bool:
        section = self.tree.section("Conditions")
        key = str(name)
        if key not in section:
            raise self.tree.error(line, owner, f"there is no condition {name}")
        if key not in self.conditions:
            self.conditions[key] = None   # in progress
            self.conditions[key] = self.truth(section[key], key, section.line_of(key))
        known = self.conditions[key]
        if known is None:
            raise self.tree.error(section.line_of(key), key, "the condition depends on itself")
        return known

    def truth(self, value: object, owner: str, line: int) -> bool:
        if not isinstance(value, Map) or len(value) != 1:
            raise self.tree.error(line, owner, "a condition is one function")
        name, argument = next(iter(value.items()))
        line = value.line_of(name)
        if name not in CONDITION_FUNCTIONS:
            raise self.tree.error(line, owner, f"function {name} is not known in a condition")
        if name == "Condition":
            return self.condition(argument, owner, line)
        if not isinstance(argument, List):
            raise self.tree.error(line, owner, f"{name} takes a list")
        if name == "Fn::Equals":
            if len(argument) != 2:
                raise self.tree.error(line, owner, "Fn::Equals takes two values")
            left, right = (self.text(v, owner, line, name) for v in argument)
            return left == right
        truths = [self.truth(v, owner, argument.line_of(i)) for i, v in enumerate(argument)]
        if name == "Fn::Not":
            if len(truths) != 1:
                raise self.tree.error(line, owner, "Fn::Not takes one condition")
            return not truths[0]
        if not 2 <= len(truths) <= 10:
            raise self.tree.error(line, owner, f"{name} takes two to ten conditions")
        return all(truths) if name == "Fn::And" else any(truths)

    # values

    def value(self, value: object, owner: str, line: int) -> Any:
        """The value without functions; NO_VALUE if it is left out."""
        name = function_of(value)
        if name:
            assert isinstance(value, Map)
            return self.call(name, value[name], owner, value.line_of(name))
        if isinstance(value, Map):
            found = Map(line=value.line, lines=dict(value.lines))
            for key, item in value.items():
                if str(key).startswith("Fn::") or key == "Ref":
                    raise self.tree.error(value.line_of(key), owner,
                                          f"{key} stands beside other keys")
                resolved = self.value(item, owner, value.line_of(key))
                if resolved is not NO_VALUE:
                    found[key] = resolved
            return found
        if isinstance(value, List):
            result = List(line=value.line)
            for index, item in enumerate(value):
                resolved = self.value(item, owner, value.line_of(index))
                if resolved is not NO_VALUE:
                    result.append(resolved)
                    result.lines.append(value.line_of(index))
            return result
        return value

    def call(self, name: str, argument: Any, owner: str, line: int) -> Any:
        def refuse(what: str) -> Exception:
            return self.tree.error(line, owner, what)

        if name == "Ref":
            return with_lines(self.ref(argument, owner, line), line)
        if name == "Fn::Sub":
            return self.sub(argument, owner, line)
        if name == "Fn::Base64":
            text = self.text(argument, owner, line, name)
            return base64.b64encode(text.encode()).decode()
        if not isinstance(argument, List):
            raise refuse(f"{name} takes a list") if name in FUNCTIONS else refuse(
                f"function {name} is not known to the lab")
        if name == "Fn::GetAtt":
            if len(argument) != 2 or not all(isinstance(a, str) for a in argument):
                raise refuse("Fn::GetAtt takes a resource and an attribute")
            return with_lines(self.attribute(argument[0], argument[1], owner, line), line)
        if name == "Fn::If":
            if len(argument) != 3:
                raise refuse("Fn::If takes a condition and two values")
            chosen = 1 if self.condition(argument[0], owner, line) else 2
            return self.value(argument[chosen], owner, argument.line_of(chosen))
        if name == "Fn::Join":
            if len(argument) != 2 or not isinstance(argument[0], str):
                raise refuse("Fn::Join takes a separator and a list")
            items = self.value(argument[1], owner, line)
            if not isinstance(items, list) or any(isinstance(i, (dict, list)) for i in items):
                raise refuse("Fn::Join joins a list of texts")
            return str(argument[0]).join(plain_text(i) for i in items)
        if name == "Fn::Select":
            if len(argument) != 2:
                raise refuse("Fn::Select takes an index and a list")
            index = plain_text(self.value(argument[0], owner, line))
            items = self.value(argument[1], owner, line)
            if not isinstance(items, list) or index not in map(str, range(len(items))):
                raise refuse(f"Fn::Select: there is no item {index}")
            return items[int(index)]
        raise refuse(f"function {name} is not known to the lab" if name not in CONDITION_FUNCTIONS
                     else f"function {name} stands in Conditions only")

    def text(self, value: object, owner: str, line: int, what: str) -> str:
        found = self.value(value, owner, line)
        if isinstance(found, (dict, list)) or found is NO_VALUE:
            raise self.tree.error(line, owner, f"{what} takes a text")
        return plain_text(found)

    def ref(self, name: object, owner: str, line: int) -> Any:
        key = str(name)
        if key == "AWS::NoValue":
            return NO_VALUE
        if key in self.pseudo:
            return self.pseudo[key]
        if key in self.parameters:
            return referenced(self.types[key], self.parameters[key])
        self.check_present(key, owner, line)
        return self.guarded(_One(self, key, self.kind(key)).ref, owner, line, f"Ref {key}")

    def attribute(self, name: str, attribute: str, owner: str, line: int) -> Any:
        self.check_present(name, owner, line)
        known = KINDS[self.kind(name)].attributes
        if attribute not in known:
            raise self.tree.error(line, owner, f"{name} ({self.kind(name)}) has no attribute "
                                  f"{attribute} that the lab knows")
        one = _One(self, name, self.kind(name))
        found = self.guarded(lambda: known[attribute](one), owner, line, f"{name}.{attribute}")
        if found is None:
            raise self.tree.error(line, owner, f"{name}.{attribute} is not given by the template")
        return found

    def guarded(self, make: Any, owner: str, line: int, what: str) -> Any:
        try:
            return make()
        except (LookupError, ValueError) as error:
            raise self.tree.error(line, owner, f"{what}: {error}") from None

    def check_present(self, name: str, owner: str, line: int) -> None:
        if name not in self.resources:
            raise self.tree.error(line, owner, f"there is no parameter or resource {name}")
        if name not in self.present:
            raise self.tree.error(line, owner, f"{name} is left out by its condition")

    def sub(self, argument: Any, owner: str, line: int) -> str:
        own: dict[str, str] = {}
        if isinstance(argument, List):
            if len(argument) != 2 or not isinstance(argument[1], Map):
                raise self.tree.error(line, owner, "Fn::Sub takes a text, or a text and a mapping")
            own = {k: self.text(v, owner, argument[1].line_of(k), f"Fn::Sub's {k}")
                   for k, v in argument[1].items()}
            argument = argument[0]
        if not isinstance(argument, str):
            raise self.tree.error(line, owner, "Fn::Sub takes a text")

        def one(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):   # CloudFormation writes ${!name} for a literal ${name}
                return "${" + name[1:] + "}"
            if name in own:
                return own[name]
            inside = argument.count("\n", 0, match.start()) + 1
            where = f" (in line {inside} of the text)" if "\n" in argument else ""
            if not re.fullmatch(r"[A-Za-z0-9:.]+", name):
                raise self.tree.error(line, owner, f"${{{name}}} is no name{where}; "
                                      f"${{!{name}}} stays as it is")
            base, dot, attribute = name.partition(".")
            if base not in self.resources and name not in self.parameters | self.pseudo:
                raise self.tree.error(line, owner, f"there is no parameter or resource {base}"
                                      f"{where}; ${{!{name}}} stays as it is")
            found = (self.attribute(base, attribute, owner, line) if dot
                     else self.ref(name, owner, line))
            if isinstance(found, (dict, list)):
                raise self.tree.error(line, owner, f"${{{name}}} is a list{where}")
            return plain_text(found)

        return SUBSTITUTION.sub(one, argument)

    # resources

    def check_rule(self, name: str) -> None:
        """Checks parameters against each other, before anything is made (CloudFormation User
        Guide, "Rules"). Of the functions for rules only those of conditions are supported."""
        section = self.tree.section("Rules")
        body = section[name]
        if not isinstance(body, Map) or set(body) != {"Assertions"} or \
                not isinstance(body["Assertions"], List):
            raise self.tree.error(section.line_of(name), name,
                                  "a rule is a list of Assertions here")
        for i, each in enumerate(body["Assertions"]):
            line = body["Assertions"].line_of(i)
            if not isinstance(each, Map) or set(each) != {"Assert", "AssertDescription"}:
                raise self.tree.error(line, name, "an assertion is Assert and AssertDescription")
            if not self.truth(each["Assert"], name, line):
                raise self.tree.error(line, name, f"refused: {each['AssertDescription']}")

    def check_resources(self) -> None:
        for name, body in self.resources.items():
            line = self.resources.line_of(name)
            if not isinstance(body, Map):
                raise self.tree.error(line, name, "a resource is a mapping")
            if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name):
                raise self.tree.error(line, name, "a logical name has letters and digits only")
            if name in self.parameters:
                raise self.tree.error(line, name, "there is a parameter of this name")
            for key in body:
                if key not in ATTRIBUTES:
                    raise self.tree.error(body.line_of(key), name,
                                          f"attribute {key} is not known to the lab")
            kind = body.get("Type")
            if not isinstance(kind, str) or kind not in KINDS:
                raise self.tree.error(body.line_of("Type"), name,
                                      f"resource type {kind or '(none)'} is not known to the lab")
            if not isinstance(body.get("Properties", Map()), Map):
                raise self.tree.error(body.line_of("Properties"), name,
                                      "Properties is not a mapping")
            if "Condition" not in body or self.condition(body["Condition"], name,
                                                         body.line_of("Condition")):
                self.present.append(name)

    def all_identities(self) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
        """Name → value of Ref; (type, every value that identifies it) → name."""
        refs: dict[str, str] = {}
        names: dict[tuple[str, str], str] = {}
        for name in self.present:
            one, line = _One(self, name, self.kind(name)), self.resources.line_of(name)
            refs[name] = str(self.ref(name, name, line))
            others = [str(self.attribute(name, a, name, line)) for a in KINDS[one.type].also]
            for identity in [refs[name], *others]:
                if (one.type, identity) in names:
                    raise self.tree.error(line, name, f"{names[one.type, identity]} is "
                                          f"{identity} already")
                names[one.type, identity] = name
        return refs, names

    def resource(self, name: str) -> Resource:
        body = self.resources[name]
        line = self.resources.line_of(name)
        attributes = Map(line=body.line, lines=dict(body.lines))
        for key in body:   # also keys without an effect here: CloudFormation checks them
            if key not in ("Type", "Properties", "Condition"):
                attributes[key] = self.value(body[key], name, body.line_of(key))
        for key in ("DeletionPolicy", "UpdateReplacePolicy"):
            if attributes.get(key, KEPT[0]) not in KEPT:
                raise self.tree.error(body.line_of(key), name,
                                      f"{key} is none of {', '.join(KEPT)}")
        properties = self.value(body.get("Properties", Map(line=line)), name, line)
        if not isinstance(properties, Map):
            raise self.tree.error(body.line_of("Properties"), name, "Properties is not a mapping")
        return Resource(name, self.kind(name), properties, line,
                        depends_on(self.tree, name, self.present), attributes)


def _outputs(resolver: Resolver) -> dict[str, str]:
    found = {}
    section = resolver.tree.section("Outputs")
    for name, body in section.items():
        line = section.line_of(name)
        if not isinstance(body, Map) or "Value" not in body:
            raise resolver.tree.error(line, name, "an output has a Value")
        for key in body:
            if key not in OUTPUT_KEYS:
                raise resolver.tree.error(body.line_of(key), name, f"{key} is no key of an output")
        if "Condition" in body and not resolver.condition(body["Condition"], name, line):
            continue
        found[name] = resolver.text(body["Value"], name, body.line_of("Value"), "an output")
    return found


def resolve(tree: Tree, parameters: dict[str, str], account: str, region: str,
            stack_name: str) -> Stack:
    resolver = Resolver(tree, parameters, account, region, stack_name)
    for name in tree.section("Conditions"):
        resolver.condition(name, name, tree.section("Conditions").line_of(name))
    for name in tree.section("Rules"):
        resolver.check_rule(name)
    resolver.check_resources()
    check_order(tree, resolver.present)
    resources = {name: resolver.resource(name) for name in resolver.present}
    refs, names = resolver.all_identities()

    def attribute(name: str, wanted: str) -> object:
        return resolver.attribute(name, wanted, name, resolver.resources.line_of(name))

    return Stack(tree.path, stack_name, region, account, dict(resolver.parameters), resources,
                 _outputs(resolver), refs, names, tree, attribute)
