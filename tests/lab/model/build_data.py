"""From the resolved template to the model: database and file system."""
from __future__ import annotations

from lab.template.interpreter import Stack
from .build_groups import GROUP
from .build_network import SUBNET, Network
from .build_rights import document
from .model import Database, FileSystem, MountTarget
from .reader import Properties, only

DATABASE = "AWS::RDS::DBInstance"
DATABASE_SUBNETS = "AWS::RDS::DBSubnetGroup"
DATABASE_PARAMETERS = "AWS::RDS::DBParameterGroup"
FILE_SYSTEM = "AWS::EFS::FileSystem"
MOUNT_TARGET = "AWS::EFS::MountTarget"
# Other parameters would change a real server, but not the lab's; the lab's servers always have
# this one (aws/rds_server.py).
PARAMETERS = {"require_secure_transport": ("1", "ON")}


def build_database(stack: Stack, network: Network) -> Database:
    resource = only(stack, DATABASE)
    for each in stack.of_type(DATABASE_PARAMETERS):
        _parameters(Properties.of(stack, each))
    subnets: dict[str, list[str]] = {}
    for each in stack.of_type(DATABASE_SUBNETS):
        with Properties.of(stack, each) as p:
            subnets[each.name] = network.one_in_each_zone(p, "SubnetIds")
    with Properties.of(stack, resource) as p:
        # RDS API Reference, CreateDBInstance: the identifier becomes a DNS name
        p.matching("DBInstanceIdentifier", "[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", "")
        p.one_of("Engine", ("mysql",))
        p.one_of("PubliclyAccessible", ("false",))
        p.one_of("ManageMasterUserPassword", ("true",))
        p.one_of("MultiAZ", ("true",), "false")
        p.one_of("Port", ("3306",), "3306")
        p.reference("DBParameterGroupName", DATABASE_PARAMETERS, "")
        return Database(
            resource.name, stack.ref(resource.name),
            stack.attribute(resource.name, "Endpoint.Address"),
            # RDS API Reference, CreateDBInstance: letters, digits and _, beginning with a letter
            p.matching("MasterUsername", "[A-Za-z][A-Za-z0-9_]{0,15}"),
            p.matching("DBName", "[A-Za-z][A-Za-z0-9_]{0,63}"),
            subnets[p.reference("DBSubnetGroupName", DATABASE_SUBNETS)],
            p.references("VPCSecurityGroups", GROUP),
            stack.attribute(resource.name, "MasterUserSecret.SecretArn"),
            p.one_of("EnableIAMDatabaseAuthentication", ("true", "false"), "false") == "true",
            stack.attribute(resource.name, "DbiResourceId"), resource.line)


def _parameters(p: Properties) -> None:
    with p:
        part = p.part("Parameters")
        if part is None:
            return
        with part:
            for name in part.values:
                if name not in PARAMETERS:
                    raise part.error(name, f"parameter {name} is not known to the lab")
                part.one_of(name, PARAMETERS[name])


def build_file_system(stack: Stack, network: Network) -> tuple[FileSystem, list[MountTarget]]:
    resource = only(stack, FILE_SYSTEM)
    with Properties.of(stack, resource) as p:
        if "FileSystemPolicy" in p.values:
            # Without effect (model/without_effect.py), but the value must be valid.
            document(p, "FileSystemPolicy", principal=True, resource=False)
    found = FileSystem(resource.name, stack.ref(resource.name), resource.line)
    targets: list[MountTarget] = []
    for each in stack.of_type(MOUNT_TARGET):
        with Properties.of(stack, each) as p:
            address = stack.attribute(each.name, "IpAddress")
            target = MountTarget(
                each.name, stack.ref(each.name),
                p.reference("FileSystemId", FILE_SYSTEM), p.reference("SubnetId", SUBNET),
                p.references("SecurityGroups", GROUP), address, each.line)
            zone = network.subnets[target.subnet].zone
            if any(network.subnets[t.subnet].zone == zone for t in targets):
                # EFS User Guide, "Quotas": one mount target per zone
                raise p.error("SubnetId", f"there is a mount target in {zone} already")
            targets.append(target)
    return found, targets
