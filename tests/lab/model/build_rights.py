"""From the resolved template to the model: permissions. Roles with all of their policies, instance
profiles, and all policy documents."""
from __future__ import annotations

from typing import Any

from lab.template.interpreter import List, Map, Resource, Stack
from . import policy
from .model import Role
from .reader import Properties

ROLE = "AWS::IAM::Role"
POLICY = "AWS::IAM::Policy"
PROFILE = "AWS::IAM::InstanceProfile"
VERSION = "2012-10-17"
EC2 = "ec2.amazonaws.com"


def build_roles(stack: Stack) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    names: dict[str, set[str]] = {}   # role → its policies
    for each in stack.of_type(ROLE):
        names[each.name] = set()
        roles[each.name] = _role(stack, each, names[each.name])
    for each in stack.of_type(POLICY):
        _attach(stack, each, roles, names)
    return roles


def _role(stack: Stack, resource: Resource, names: set[str]) -> Role:
    with Properties.of(stack, resource) as p:
        p.matching("RoleName", "[A-Za-z0-9_+=,.@-]{1,64}", "")   # IAM API Reference, CreateRole
        p.one_of("Path", ("/",), "/")
        if p.texts("ManagedPolicyArns", []):
            raise p.error("ManagedPolicyArns", "AWS's managed policies are not known to the lab")
        _trust(p)
        statements: list[dict[str, Any]] = []
        for each in p.parts("Policies"):
            with each:
                if each.text("PolicyName") in names:
                    raise each.error("PolicyName", f"{each.text('PolicyName')} is given twice")
                names.add(each.text("PolicyName"))
                statements += document(each, "PolicyDocument", keys=policy.CONTEXT)
    return Role(resource.name, stack.ref(resource.name), [EC2], statements, resource.line)


def _trust(p: Properties) -> None:
    """Only EC2 may assume a role, without a condition."""
    key = "AssumeRolePolicyDocument"
    for statement in statements_of(p, key):
        with statement as s:
            s.text("Sid", "")
            s.one_of("Effect", ("Allow",))
            s.one_of("Action", ("sts:AssumeRole",))
            principal = s.part("Principal")
            if principal is None:
                raise s.error("", f"{key}: Principal is missing")
            with principal:
                for service in principal.some("Service"):
                    if service != EC2:
                        raise principal.error("Service", f'{key}: "{service}" is not known to '
                                              f"the lab, whose roles are those of {EC2}")


def _attach(stack: Stack, resource: Resource, roles: dict[str, Role],
            names: dict[str, set[str]]) -> None:
    """A separate policy resource is an inline policy of its roles (CloudFormation,
    AWS::IAM::Policy: "embedded in the specified IAM group, user or role")."""
    with Properties.of(stack, resource) as p:
        name = p.text("PolicyName")
        statements = document(p, "PolicyDocument", keys=policy.CONTEXT)
        for role in p.references("Roles", ROLE):
            if name in names[role]:
                # IAM identifies inline policies by name: a second one would replace the first.
                raise p.error("PolicyName", f"{role} has a policy {name} already")
            names[role].add(name)
            roles[role].statements += statements


def roles_of_profiles(stack: Stack) -> dict[str, str]:
    """Instance profile → role. IAM User Guide, "Use instance profiles": exactly one role."""
    found = {}
    for each in stack.of_type(PROFILE):
        with Properties.of(stack, each) as p:
            p.text("Path", "/")
            p.text("InstanceProfileName", "")
            roles = p.references("Roles", ROLE)
            if len(roles) != 1:
                raise p.error("Roles", f"an instance profile has one role, not {len(roles)}")
            found[each.name] = roles[0]
    return found


def statements_of(p: Properties, key: str) -> list[Properties]:
    """The statements of a policy document."""
    part = p.part(key)
    if part is None:
        raise p.error("", f"{key} is missing")
    with part:
        part.text("Id", "")
        # The default version is of 2008, which has no variables.
        part.one_of("Version", (VERSION,))
        said = part.raw("Statement")
        found = said if isinstance(said, List) else [said]
        if not found or not all(isinstance(s, Map) for s in found):
            raise part.error("Statement", f"{key}: Statement is not a list of mappings")
        return [Properties(p.stack, p.resource, s, f"{part.kind}.Statement") for s in found]


def document(p: Properties, key: str, principal: bool = False, resource: bool = True,
             keys: frozenset[str] | None = None) -> list[dict[str, Any]]:
    """The statements of a policy, all checked (policy.check)."""
    found = []
    for statement in statements_of(p, key):
        try:
            policy.check([statement.values], principal, resource, keys)
        except ValueError as error:
            raise p.stack.error(statement.line(), p.resource.name, f"{key}: {error}") from None
        found.append({k: policy.listed(v) if k in ("Action", "Resource") else v
                      for k, v in statement.values.items()})
    return found
