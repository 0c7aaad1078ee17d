"""Whether a set of IAM policy statements allows a request: pure, on the template's
statements as they stand. moto knows neither Condition nor Resource of an identity
policy, and both are what makes the stack's role a small one.

Source: IAM User Guide, "Policy evaluation logic" (an explicit deny wins, then an
allow, else denied by default) and "IAM JSON policy elements: Condition operators".
Only the operators below are known; a statement with another one stops AWS's
stand-in at its start (check) instead of being guessed at. Not here: boundaries, session policies,
resource policies, policy variables.
"""
from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Iterable, Mapping

Statement = Mapping[str, Any]
Context = Mapping[str, str]  # condition keys in lower case → the request's value

KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


def listed(value: Any) -> list[str]:
    """IAM takes one string where it takes a list."""
    return [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]


def like(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """IAM's wildcards: * and ? , nothing else."""
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(text, value, re.S | (re.I if ignore_case else 0)) is not None


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda expected, actual: compare(float(actual), float(expected))


def _address(expected: str, actual: str) -> bool:
    return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)


# name → (one expected value against the actual one, whether it is a negation)
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda e, a: e == a, False),
    "StringNotEquals": (lambda e, a: e == a, True),
    "StringEqualsIgnoreCase": (lambda e, a: e.lower() == a.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda e, a: e.lower() == a.lower(), True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (like, False),
    "ArnLike": (like, False),
    "ArnNotEquals": (like, True),
    "ArnNotLike": (like, True),
    "Bool": (lambda e, a: e.lower() == a.lower(), False),
    "NumericEquals": (_number(lambda a, e: a == e), False),
    "NumericLessThan": (_number(lambda a, e: a < e), False),
    "NumericLessThanEquals": (_number(lambda a, e: a <= e), False),
    "NumericGreaterThan": (_number(lambda a, e: a > e), False),
    "NumericGreaterThanEquals": (_number(lambda a, e: a >= e), False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
}
IF_EXISTS = "IfExists"


def check(statements: Iterable[Statement]) -> None:
    """ValueError if a statement says something that is not known here."""
    for statement in statements:
        name = statement.get("Sid", "a statement")
        if unknown := set(statement) - KEYS:
            raise ValueError(f"{name}: unknown element {', '.join(sorted(unknown))}")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise ValueError(f"{name}: Effect must be Allow or Deny")
        if "Action" not in statement and "NotAction" not in statement:
            raise ValueError(f"{name}: no Action")
        if "Resource" not in statement and "NotResource" not in statement:
            raise ValueError(f"{name}: no Resource")
        for operator, keys in statement.get("Condition", {}).items():
            if operator != "Null" and operator.removesuffix(IF_EXISTS) not in OPERATORS:
                raise ValueError(f"{name}: unknown condition operator {operator}")
            for values in keys.values():
                if "${" in "".join(listed(values)):
                    raise ValueError(f"{name}: policy variables are not known")


def _matches(statement: Statement, element: str, value: str, ignore_case: bool) -> bool:
    if f"Not{element}" in statement:
        return not any(like(p, value, ignore_case) for p in listed(statement[f"Not{element}"]))
    return any(like(p, value, ignore_case) for p in listed(statement[element]))


def _condition(operator: str, key: str, expected: Any, context: Context) -> bool:
    actual = context.get(key.lower())
    if operator == "Null":  # "true": the key must be absent
        return (actual is None) == (listed(expected)[0].lower() == "true")
    optional = operator.endswith(IF_EXISTS)
    test, negated = OPERATORS[operator.removesuffix(IF_EXISTS)]
    if actual is None:
        return optional or negated
    return any(test(value, actual) for value in listed(expected)) != negated


def _concerns(statement: Statement, action: str, resource: str, context: Context) -> bool:
    return (_matches(statement, "Action", action, ignore_case=True)
            and _matches(statement, "Resource", resource, ignore_case=False)
            and all(_condition(operator, key, expected, context)
                    for operator, keys in statement.get("Condition", {}).items()
                    for key, expected in keys.items()))


def allows(statements: Iterable[Statement], action: str, resource: str = "*",
           context: Context | None = None) -> bool:
    """`action` as AWS names it, "cloudwatch:PutMetricData"; `resource`: its ARN, "*"
    for an action that has none; `context`: condition keys in lower case."""
    allowed = False
    for statement in statements:
        if _concerns(statement, action, resource, context or {}):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed
