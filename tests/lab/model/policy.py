"""Whether a set of IAM policy statements allows a request. Pure, on the template's statements.
moto ignores Condition and Resource of identity policies, which limit the rights of the stack's
role.

Source: IAM User Guide, "Policy evaluation logic" (an explicit deny wins, then an allow, else
denied by default) and "IAM JSON policy elements: Condition operators". Only the operators below
are supported; check() refuses a statement with another one when the model is built. Endpoint
policies are evaluated in the same way, and both must allow a request (VPC User Guide, "Control
access to VPC endpoints using endpoint policies"). Not supported: boundaries, session policies,
policy variables."""
from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Iterable, Mapping

Statement = Mapping[str, Any]
Context = Mapping[str, str]  # condition keys in lower case → the request's value

KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


# IAM JSON policy elements: Action, Resource, Principal
FORMS = {"Action": re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+"),
         "Resource": re.compile(r"\*|arn:[^:\s]+:[^:\s]*:[^:\s]*:[^:\s]*:\S+")}
SAID = {"Action": "SERVICE:NAME or *", "Resource": "arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME or *"}
PRINCIPAL = re.compile(r"\d{12}|arn:aws:iam::\d{12}:(root|role/[\w+=,.@/-]+)")

# The condition keys that AWS's stand-in provides (aws/server.py, Server.about). Not aws:SourceIp:
# behind an endpoint the server sees the endpoint's address, not the caller's.
CONTEXT = frozenset({
    "aws:securetransport", "aws:principalarn", "aws:principalaccount",
    "aws:requestedregion", "cloudwatch:namespace", "secretsmanager:secretid",
    "secretsmanager:versionstage"})


def listed(value: Any) -> list[str]:
    """IAM accepts a string in place of a list; true and false are texts for IAM."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]


def like(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """IAM's wildcards: only * and ? ."""
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(text, value, re.S | (re.I if ignore_case else 0)) is not None


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda expected, actual: compare(float(actual), float(expected))


def _address(expected: str, actual: str) -> bool:
    return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)


# name → (comparison of an expected and the actual value, whether it is a negation)
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


def check(statements: Iterable[Any], principal: bool = False, resource: bool = True,
          keys: frozenset[str] | None = None) -> None:
    """Raises ValueError for a statement that is not supported. `principal`: a resource's policy,
    which must name principals; `resource`: it must name resources; `keys`: the allowed condition
    keys, in lower case; None: any."""
    for statement in statements:
        if not isinstance(statement, Mapping):
            raise ValueError("a statement is not a mapping")
        name = statement.get("Sid", "a statement")
        try:
            _check(statement, principal, resource, keys)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _check(statement: Statement, principal: bool, resource: bool, keys: frozenset[str] | None
           ) -> None:
    if unknown := set(statement) - KEYS - ({"Principal"} if principal else set()):
        raise ValueError(f"unknown element {', '.join(sorted(map(str, unknown)))}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("Effect must be Allow or Deny")
    for element, needed in (("Action", True), ("Resource", resource)):
        given = [e for e in (element, f"Not{element}") if e in statement]
        if needed and not given:
            raise ValueError(f"no {element}")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        for value in _texts(given[0], statement[given[0]]) if given else []:
            if not FORMS[element].fullmatch(value):
                raise ValueError(f'{given[0]} "{value}" is not of the form {SAID[element]}')
    if principal:
        for value in principals(statement.get("Principal")):
            if value != "*" and not PRINCIPAL.fullmatch(value):
                raise ValueError(f'Principal "{value}" is no account and no role')
    for operator, tests in _mapping("Condition", statement.get("Condition", {})).items():
        if operator != "Null" and str(operator).removesuffix(IF_EXISTS) not in OPERATORS:
            raise ValueError(f"unknown condition operator {operator}")
        for key, expected in _mapping(str(operator), tests).items():
            if keys is not None and str(key).lower() not in keys:
                raise ValueError(f"condition key {key} is not known")
            _check_values(str(operator), _texts(str(key), expected))


def _check_values(operator: str, values: list[str]) -> None:
    """Checks that every comparison depends only on the request's value."""
    for value in values:
        if "${" in value:
            raise ValueError("policy variables are not known")
        try:
            if operator.startswith("Numeric"):
                float(value)
            elif "IpAddress" in operator:
                ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f'{operator}: "{value}" cannot be compared') from None
        if operator.startswith(("Bool", "Null")) and value not in ("true", "false"):
            raise ValueError(f'{operator}: "{value}" is neither true nor false')


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is not a mapping")
    return value


def _texts(what: str, value: Any) -> list[str]:
    found = value if isinstance(value, (list, tuple)) else [value]
    if not found or not all(isinstance(v, (str, int, float)) for v in found):
        raise ValueError(f"{what} is neither a text nor a list of texts")
    return listed(value)


def principals(said: Any) -> list[str]:
    """"*", or {AWS: one or a list of them}."""
    if said == "*":
        return ["*"]
    if not isinstance(said, Mapping) or set(said) != {"AWS"}:
        raise ValueError("Principal is neither * nor AWS: … alone")
    return _texts("Principal", said["AWS"])


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


def principal_arn(caller: str) -> str:
    """aws:PrincipalArn of a caller: for a session its role's ARN (IAM User Guide, "AWS global
    condition context keys")."""
    return re.sub(r"^arn:aws:sts::(\d+):assumed-role/([^/]+)/.*$", r"arn:aws:iam::\1:role/\2",
                  caller)


def _names(statement: Statement, context: Context) -> bool:
    """Whether an endpoint's policy matches the caller: everybody, the account, or the role of a
    session (IAM JSON policy elements, "Principal")."""
    if "Principal" not in statement:
        return True
    caller = context.get("aws:principalarn", "")
    account = caller.split(":")[4] if caller.startswith("arn:") else ""
    meant = {"*", caller, principal_arn(caller), account, f"arn:aws:iam::{account}:root"}
    return any(named in meant for named in principals(statement["Principal"]))


def _concerns(statement: Statement, action: str, resource: str, context: Context) -> bool:
    return (_names(statement, context)
            and _matches(statement, "Action", action, ignore_case=True)
            and _matches(statement, "Resource", resource, ignore_case=False)
            and all(_condition(operator, key, expected, context)
                    for operator, keys in statement.get("Condition", {}).items()
                    for key, expected in keys.items()))


def allows(statements: Iterable[Statement], action: str, resource: str = "*",
           context: Context | None = None) -> bool:
    """`action`: AWS's name, "cloudwatch:PutMetricData"; `resource`: its ARN, "*" for an action
    without one; `context`: condition keys in lower case."""
    allowed = False
    for statement in statements:
        if _concerns(statement, action, resource, context or {}):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed
