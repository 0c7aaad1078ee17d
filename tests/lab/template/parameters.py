"""The parameters of a template: given or default values, checked against the parameter's
definition (CloudFormation User Guide, "Parameters")."""
from __future__ import annotations

import hashlib
import re

from .interpreter import List, Map, TemplateError, Tree

KEYS = ("Type", "Default", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue",
        "MaxValue", "NoEcho", "Description", "ConstraintDescription")
# AWS-specific types: CloudFormation requires an existing resource. Here any name is accepted.
_OWN_TYPES = re.compile(r"(List<)?AWS::(EC2::(AvailabilityZone::Name|Image::Id|Instance::Id|"
                        r"KeyPair::KeyName|SecurityGroup::Id|SecurityGroup::GroupName|Subnet::Id|"
                        r"Volume::Id|VPC::Id)|Route53::HostedZone::Id)>?")
NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")
_SSM = re.compile(r"AWS::SSM::Parameter::Value<(String|AWS::EC2::Image::Id)>")


def is_list(kind: str) -> bool:
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def parameter_values(tree: Tree, given: dict[str, str]) -> dict[str, str]:
    """Each parameter's value as text; TemplateError for a value that CloudFormation would
    refuse."""
    section = tree.section("Parameters")
    for name in given:
        if name not in section:
            raise tree.error(section.line, "", f"there is no parameter {name}")
    values = {}
    for name, definition in section.items():
        line = section.line_of(name)
        if not isinstance(definition, Map):
            raise tree.error(line, name, "a parameter is a mapping")
        _check_definition(tree, name, definition)
        kind = str(definition.get("Type", ""))
        if kind not in ("String", "Number", "CommaDelimitedList", "List<Number>") and not (
                _OWN_TYPES.fullmatch(kind) or _SSM.fullmatch(kind)):
            raise tree.error(definition.line_of("Type"), name,
                             f"parameter type {kind or '(none)'} is not known to the lab")
        if name in given:
            value = given[name]
        elif "Default" in definition:
            value = plain_text(definition["Default"])
        else:
            raise tree.error(line, name, "the parameter has no default and must be given")
        _check(tree, name, definition, kind, value)
        values[name] = value
    return values


def _check_definition(tree: Tree, name: str, definition: Map) -> None:
    """Checks a definition's keys and types; limits are numbers, also as text."""
    if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name):
        raise tree.error(tree.section("Parameters").line_of(name), name,
                         "a parameter's name has letters and digits only")
    for key, value in definition.items():
        def refuse(what: str) -> TemplateError:
            return tree.error(definition.line_of(key), name, what)
        if key not in KEYS:
            raise refuse(f"{key} is no key of a parameter")
        many = key == "AllowedValues"
        texts = value if many and isinstance(value, List) else [value]
        if many != isinstance(value, List) or not all(isinstance(t, (str, int, float))
                                                      for t in texts):
            raise refuse(f"{key} is not a {'list of texts' if many else 'text'}")
        if key in ("MinLength", "MaxLength", "MinValue", "MaxValue") and not NUMBER.fullmatch(
                plain_text(value)):
            raise refuse(f"{key} is not a number")


def referenced(kind: str, value: str) -> str | list[str]:
    """The value of Ref for a parameter."""
    if is_list(kind):
        return [item.strip() for item in value.split(",")]
    if _SSM.fullmatch(kind):
        # The name of an image in Systems Manager; the lab has no images.
        return f"ami-0{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


def plain_text(value: object) -> str:
    """A scalar as CloudFormation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check(tree: Tree, name: str, definition: Map, kind: str, value: str) -> None:
    def refuse(key: str, what: str) -> None:
        said = definition.get("ConstraintDescription")
        raise tree.error(definition.line_of(key), name,
                         f'"{value}" {what}' + (f": {said}" if said else ""))

    items = referenced(kind, value) if is_list(kind) else [value]
    if "AllowedValues" in definition:
        allowed = [plain_text(v) for v in definition["AllowedValues"]]
        if any(item not in allowed for item in items):
            refuse("AllowedValues", f"is none of {', '.join(allowed)}")
    if kind in ("Number", "List<Number>"):
        for item in items:
            if not NUMBER.fullmatch(item):
                refuse("Type", "is not a number")
            number = float(item)
            if "MinValue" in definition and number < float(definition["MinValue"]):
                refuse("MinValue", f"is less than {definition['MinValue']}")
            if "MaxValue" in definition and number > float(definition["MaxValue"]):
                refuse("MaxValue", f"is more than {definition['MaxValue']}")
        return
    if "MinLength" in definition and len(value) < float(definition["MinLength"]):
        refuse("MinLength", f"is shorter than {definition['MinLength']}")
    if "MaxLength" in definition and len(value) > float(definition["MaxLength"]):
        refuse("MaxLength", f"is longer than {definition['MaxLength']}")
    if "AllowedPattern" in definition:
        try:
            pattern = re.compile(str(definition["AllowedPattern"]))
        except (re.error, OverflowError, RecursionError) as error:
            raise tree.error(definition.line_of("AllowedPattern"), name,
                             f"AllowedPattern is no regular expression: {error}") from None
        # The pattern must match the whole of each item of a list.
        if any(not pattern.fullmatch(item) for item in items):
            refuse("AllowedPattern", f"does not match {pattern.pattern}")
    if _OWN_TYPES.fullmatch(kind) and not all(items):
        refuse("Type", f"is no {kind}")
