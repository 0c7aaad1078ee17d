"""From the resolved template to the model: where data lies, and who may reach it."""
from __future__ import annotations

from typing import Any

from .model import Database, FileSystem, MountTarget, Role
from .model_build_network import GROUP, SUBNET, Network
from .model_reader import Properties, only
from .template import List, Map, Resource, Stack

DATABASE = "AWS::RDS::DBInstance"
DATABASE_SUBNETS = "AWS::RDS::DBSubnetGroup"
DATABASE_PARAMETERS = "AWS::RDS::DBParameterGroup"
FILE_SYSTEM = "AWS::EFS::FileSystem"
MOUNT_TARGET = "AWS::EFS::MountTarget"


def build_database(stack: Stack) -> Database:
    resource = only(stack, DATABASE)
    with Properties.of(stack, resource) as p:
        p.text("DBInstanceIdentifier", "")
        p.one_of("Engine", ("mysql",))
        p.one_of("PubliclyAccessible", ("false",))
        p.one_of("ManageMasterUserPassword", ("true",))
        subnets = Properties.of(stack, stack.resources[p.reference("DBSubnetGroupName",
                                                                   DATABASE_SUBNETS)])
        parameters: dict[str, Any] = {}
        group = p.reference("DBParameterGroupName", DATABASE_PARAMETERS, "")
        if group:
            with Properties.of(stack, stack.resources[group]) as own:
                parameters = own.raw("Parameters", {})
        with subnets:
            return Database(
                resource.name, stack.ref(resource.name),
                stack.attribute(resource.name, "Endpoint.Address"),
                p.integer("Port", 3306, 1150, 65535),
                p.text("MasterUsername"), p.text("DBName"), p.text("EngineVersion", ""),
                subnets.references("SubnetIds", SUBNET), p.references("VPCSecurityGroups", GROUP),
                p.flag("MultiAZ", "false"),
                stack.attribute(resource.name, "MasterUserSecret.SecretArn"),
                {k: str(v) for k, v in parameters.items()}, resource.line)


def build_file_system(stack: Stack, network: Network) -> tuple[FileSystem, list[MountTarget]]:
    resource = only(stack, FILE_SYSTEM)
    with Properties.of(stack, resource) as p:
        encrypted, policy = p.flag("Encrypted", "false"), p.raw("FileSystemPolicy", None)
    arn = stack.attribute(resource.name, "Arn")
    found = FileSystem(resource.name, stack.ref(resource.name), arn, encrypted,
                       policy, resource.line)
    targets: list[MountTarget] = []
    for each in stack.of_type(MOUNT_TARGET):
        with Properties.of(stack, each) as p:
            p.text("IpAddress", "")
            address = stack.attribute(each.name, "IpAddress")
            target = MountTarget(
                each.name, stack.ref(each.name),
                p.reference("FileSystemId", FILE_SYSTEM), p.reference("SubnetId", SUBNET),
                p.references("SecurityGroups", GROUP), address, each.line)
            zone = network.subnets[target.subnet].zone
            if any(network.subnets[t.subnet].zone == zone for t in targets):
                # EFS User Guide, "Quotas": one mount target in each zone
                raise p.error("SubnetId", f"there is a mount target in {zone} already")
            targets.append(target)
    return found, targets


def _list(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def build_role(stack: Stack, resource: Resource) -> Role:
    with Properties.of(stack, resource) as p:
        p.text("RoleName", "")
        p.text("Path", "/")
        if p.texts("ManagedPolicyArns", []):
            raise p.error("ManagedPolicyArns", "AWS's managed policies are not known to the lab")
        trusted: list[str] = []
        for statement in _statements(p, "AssumeRolePolicyDocument", p.raw(
                "AssumeRolePolicyDocument")):
            trusted += _list(statement.get("Principal", {}).get("Service", []))
        statements: list[dict[str, Any]] = []
        for policy in p.parts("Policies"):
            with policy:
                policy.text("PolicyName")
                statements += _statements(policy, "PolicyDocument", policy.raw("PolicyDocument"))
    for statement in statements:
        for key in ("Action", "Resource"):
            if key in statement:
                statement[key] = _list(statement[key])
    arn = stack.attribute(resource.name, "Arn")
    return Role(resource.name, stack.ref(resource.name), arn, trusted, statements,
                resource.line)


def _statements(p: Properties, key: str, document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, Map) or document.get("Version") != "2012-10-17":
        raise p.error(key, f'{key} is no policy document of Version "2012-10-17"')
    found = document.get("Statement", [])
    return [dict(s) for s in (found if isinstance(found, List) else [found])]
