"""The model of the lab: the resolved template as plain data. All other parts of the lab use only
this model.

Conventions. `name` is the logical name in the template; references use this name (subnets, groups,
roles, …). `id` is the value of Ref: vpc-…, subnet-…, an ARN, a name. `line` is a line of the
template. Times are in seconds. Missing values have AWS's defaults, with their source in
model/build.py."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .network import (ANY, DEFAULT_ACL, ICMP, MAIN_ROUTE_TABLE, TCP, UDP, Acl, AclEntry,
                            Endpoint, Group, Nat, Route, RouteTable, Rule, Subnet)

if TYPE_CHECKING:
    from lab.template.interpreter import Stack

__all__ = [
    "ANY", "DEFAULT_ACL", "ICMP", "MAIN_ROUTE_TABLE", "TCP", "UDP", "Acl", "AclEntry", "Alb",
    "AutoScalingGroup", "Bastion", "Database", "Endpoint", "FileSystem", "Group", "Hook", "LaunchTemplate",
    "Listener", "Model", "MountTarget", "Nat", "Role", "Route", "RouteTable", "Rule",
    "ScalingPolicy", "Subnet", "TargetGroup", "build"]


# hosts

@dataclass
class Bastion:
    """An instance outside of the Auto Scaling group."""
    name: str
    id: str
    subnet: str
    groups: list[str]
    instance_type: str
    address: str              # private: the value of BastionA.PrivateIp
    public_address: str       # the value of BastionA.PublicIp; "" without a public address
    source_check: bool        # SourceDestCheck
    hop_limit: int
    line: int


@dataclass
class LaunchTemplate:
    name: str
    id: str
    user_data: str            # decoded text
    image: str
    instance_type: str
    groups: list[str]
    role: str                 # the role of the instance profile
    hop_limit: int            # of the token's PUT response
    http_tokens: str          # "required"
    tags_enabled: bool        # InstanceMetadataTags
    tags: dict[str, str]      # TagSpecifications for instances
    line: int


# load balancer

@dataclass
class Listener:
    name: str
    id: str                   # ARN
    port: int
    protocol: str             # "HTTP"
    target_group: str
    line: int


@dataclass
class Alb:
    name: str
    id: str                   # ARN
    dns_name: str
    subnets: list[str]        # with one node each
    groups: list[str]
    idle_timeout: int
    listener: Listener
    line: int


@dataclass
class TargetGroup:
    name: str
    id: str                   # ARN
    full_name: str            # targetgroup/…/…
    port: int
    protocol: str
    health_port: int          # "traffic-port" is resolved to `port`
    health_path: str
    interval: int
    timeout: int
    healthy: int              # HealthyThresholdCount
    unhealthy: int
    matcher: str              # "200", "200,202", "200-299"
    deregistration_delay: int
    cross_zone: bool          # "use_load_balancer_configuration" is the ALB's
    algorithm: str            # "round_robin", "least_outstanding_requests", …
    line: int


# scaling

@dataclass
class ScalingPolicy:
    """Target tracking on a custom metric."""
    name: str
    id: str                   # ARN
    policy_name: str
    group: str
    target: float
    metric_name: str
    namespace: str
    dimensions: dict[str, str]
    statistic: str
    unit: str | None
    period: int
    disable_scale_in: bool
    warmup: int | None        # EstimatedInstanceWarmup; None: the group's
    line: int


@dataclass(frozen=True)
class Hook:
    """A lifecycle hook."""
    name: str
    launching: bool           # else terminating
    heartbeat: int            # HeartbeatTimeout, in seconds
    default: str              # DefaultResult: CONTINUE, ABANDON


@dataclass
class AutoScalingGroup:
    name: str
    id: str                   # the group's name in AWS
    min: int
    max: int
    desired: int
    subnets: list[str]
    launch: str               # name of the launch template
    version: int              # of it
    health_check_type: str    # "EC2", "ELB"
    grace: int                # HealthCheckGracePeriod
    warmup: int | None        # DefaultInstanceWarmup
    default_cooldown: int
    target_groups: list[str]
    tags: dict[str, str]      # those with PropagateAtLaunch
    line: int
    hooks: list[Hook] = field(default_factory=list)


# database and files

@dataclass
class Database:
    """An RDS for MySQL instance."""
    name: str
    id: str                   # DBInstanceIdentifier
    endpoint: str
    user: str                 # the master user
    database_name: str
    subnets: list[str]
    groups: list[str]
    secret_arn: str           # of RDS's managed secret
    iam: bool                 # IAM database authentication
    resource_id: str          # of rds-db:connect's resource
    line: int


@dataclass
class FileSystem:
    name: str
    id: str
    line: int


@dataclass
class MountTarget:
    name: str
    id: str
    file_system: str
    subnet: str
    groups: list[str]
    address: str              # IpAddress
    line: int


@dataclass
class Role:
    name: str
    id: str                   # the role's name in AWS
    trusted: list[str]        # services that may assume it: "ec2.amazonaws.com"
    # The statements of all its policies, also of separate resources; Action and Resource are
    # lists.
    statements: list[dict[str, Any]]
    line: int


@dataclass
class Model:
    region: str
    account: str
    vpc_id: str
    vpc_cidr: str
    internet_gateway: str     # name; "" if none is attached
    alb: Alb
    target_group: TargetGroup
    group: AutoScalingGroup
    policy: ScalingPolicy
    launch: LaunchTemplate
    database: Database
    file_system: FileSystem
    subnets: dict[str, Subnet] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    route_tables: dict[str, RouteTable] = field(default_factory=dict)
    nats: list[Nat] = field(default_factory=list)
    bastions: list[Bastion] = field(default_factory=list)
    mount_targets: list[MountTarget] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    prefix_lists: dict[str, list[str]] = field(default_factory=dict)
    signals: int = 0          # that the stack's creation waits for
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def resolver(self) -> str:
        """VPC base plus two (VPC User Guide, "Amazon DNS server")."""
        return str(ipaddress.IPv4Network(self.vpc_cidr)[2])

    @property
    def zones(self) -> list[str]:
        return sorted({subnet.zone for subnet in self.subnets.values()})

    def subnet_of(self, address: str) -> Subnet | None:
        """The subnet of an address; None outside of the VPC."""
        asked = ipaddress.IPv4Address(address)
        return next((s for s in self.subnets.values() if asked in s.network), None)

    def in_zone(self, names: list[str], zone: str) -> str:
        """The subnet in this zone; LookupError without one."""
        for name in names:
            if self.subnets[name].zone == zone:
                return name
        raise LookupError(f"none of {', '.join(names)} is in {zone}")


def build(stack: "Stack") -> Model:
    """The model of a resolved template; template.TemplateError, with the line, for everything that
    the lab does not support."""
    from .build import build as build_model
    return build_model(stack)
