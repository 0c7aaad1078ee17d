"""The values of Ref and Fn::GetAtt for each type of resource that the lab knows (CloudFormation
Template Reference, "Return values" on each type's page).

AWS generates random ids; here ids are derived from the names of stack and resource, and are the
same in each run. Public addresses are from 192.0.2.0/24, which RFC 5737 reserves for
documentation."""
from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol

FILE_SYSTEM = "fs-0123456789abcdef0"
DATABASE_DOMAIN = "c9akciq32rrw"   # the account's part of RDS's DNS names
BALANCER_NUMBER = "1234567890"
# Positions of the addresses in a network.
FIRST_ELASTIC, FIRST_PUBLIC = 10, 50
BASTION_HOST, MOUNT_TARGET_HOST = 144, 250


class Context(Protocol):
    """One resource, for the functions below (template/resolve.py)."""
    name: str
    type: str
    stack_name: str
    region: str
    account: str

    def property(self, name: str) -> Any:
        """A resolved property; None if it is missing."""

    def position(self) -> int:
        """The number among the resources of its type, from 0."""

    def peer(self, kind: str, identity: str) -> "Context | None":
        """The resource of a type whose Ref has this value."""

    def ref(self) -> str: ...


def digest(c: Context, what: str = "", letters: int = 17) -> str:
    return hashlib.sha256(f"{c.stack_name}/{c.name}/{what}".encode()).hexdigest()[:letters]


def _id(prefix: str) -> Callable[[Context], str]:
    """vpc-0…: a prefix and 17 hexadecimal digits, as at EC2."""
    return lambda c: f"{prefix}-0{digest(c, letters=16)}"


def _named(given: str) -> Callable[[Context], str]:
    """The name from a property, or a name like CloudFormation's: stack, logical name and twelve
    characters (User Guide, "Name Type")."""
    def name(c: Context) -> str:
        return str(c.property(given) or f"{c.stack_name}-{c.name}-{digest(c, letters=12).upper()}")
    return name


def _arn(service: str, resource: Callable[[Context], str]) -> Callable[[Context], str]:
    def arn(c: Context) -> str:
        region = "" if service == "iam" else c.region
        return f"arn:aws:{service}:{region}:{c.account}:{resource(c)}"
    return arn


def _property(name: str) -> Callable[[Context], Any]:
    return lambda c: c.property(name)


# addresses

def _in_subnet(c: Context, subnet_property: str, host: int) -> str:
    identity = c.property(subnet_property)
    subnet = c.peer("AWS::EC2::Subnet", str(identity))
    if subnet is None:
        raise LookupError(f"{subnet_property} {identity} is no subnet of this template")
    network = ipaddress.IPv4Network(str(subnet.property("CidrBlock")), strict=False)
    if network.num_addresses <= host:
        raise LookupError(f"{network} is too small for the lab: it wants host {host} of it")
    return str(network[host])


def _elastic(c: Context) -> str:
    if FIRST_ELASTIC + c.position() >= FIRST_PUBLIC:
        raise LookupError(f"the lab has {FIRST_PUBLIC - FIRST_ELASTIC} elastic addresses")
    return f"192.0.2.{FIRST_ELASTIC + c.position()}"


def _instance_public(c: Context) -> str:
    return f"192.0.2.{FIRST_PUBLIC + c.position()}"


def _instance_private(c: Context) -> str:
    return _in_subnet(c, "SubnetId", BASTION_HOST)


def _mount_target_address(c: Context) -> str:
    return _in_subnet(c, "SubnetId", MOUNT_TARGET_HOST)


def _zone_of_subnet(c: Context) -> str:
    subnet = c.peer("AWS::EC2::Subnet", str(c.property("SubnetId")))
    return str(subnet.property("AvailabilityZone")) if subnet else ""


# load balancing

def _short_name(c: Context) -> str:
    """Names of load balancers and target groups have at most 32 characters."""
    return str(c.property("Name") or c.stack_name)[:32]


def _balancer(c: Context) -> str:
    return f"app/{_short_name(c)}/{digest(c, letters=16)}"


def _target_group_name(c: Context) -> str:
    return str(c.property("Name") or f"{c.stack_name[:5]}-{c.name[:5]}-{digest(c, letters=12)}")


def _target_group(c: Context) -> str:
    return f"targetgroup/{_target_group_name(c)}/{digest(c, letters=16)}"


def _listener(c: Context) -> str:
    arn = str(c.property("LoadBalancerArn") or "")
    return arn.replace(":loadbalancer/", ":listener/") + f"/{digest(c, letters=16)}"


# scaling and data

def _policy(c: Context) -> str:
    name = _policy_name(c)
    return (f"arn:aws:autoscaling:{c.region}:{c.account}:scalingPolicy:{_uuid(c)}:"
            f"autoScalingGroupName/{c.property('AutoScalingGroupName')}:policyName/{name}")


def _policy_name(c: Context) -> str:
    # CloudFormation chooses the name; no property sets it.
    return f"{c.stack_name}-{c.name}-{digest(c, 'policy', 12).upper()}"


def _uuid(c: Context) -> str:
    d = digest(c, "uuid", 32)
    return f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}"


def _database(c: Context) -> str:
    return str(c.property("DBInstanceIdentifier") or c.stack_name).lower()


def _database_resource(c: Context) -> str:
    return f"db-{digest(c, 'resource', 26).upper()}"


def _secret(c: Context) -> str:
    """Only if RDS manages the password; the name begins with rds! (RDS User Guide, "Password
    management with Amazon RDS and AWS Secrets Manager")."""
    if str(c.property("ManageMasterUserPassword")).lower() != "true":
        raise LookupError("it has no managed secret (ManageMasterUserPassword)")
    return (f"arn:aws:secretsmanager:{c.region}:{c.account}:secret:"
            f"rds!db-{_uuid(c)}-{digest(c, 'secret', 6)}")


def _file_system(c: Context) -> str:
    return FILE_SYSTEM if c.position() == 0 else f"fs-0{digest(c, letters=16)}"


@dataclass(frozen=True)
class Kind:
    """A type: the value of Ref, and the values of Fn::GetAtt by attribute."""
    ref: Callable[[Context], str]
    attributes: dict[str, Callable[[Context], Any]] = field(default_factory=dict)
    also: tuple[str, ...] = ()   # attributes that other resources use as a name


def _itself(c: Context) -> str:
    return c.ref()


_ALB = "elasticloadbalancing"
KINDS: dict[str, Kind] = {
    "AWS::EC2::VPC": Kind(_id("vpc"), {
        "VpcId": _itself, "CidrBlock": _property("CidrBlock")}),
    "AWS::EC2::Subnet": Kind(_id("subnet"), {
        "SubnetId": _itself, "CidrBlock": _property("CidrBlock"), "VpcId": _property("VpcId"),
        "AvailabilityZone": _property("AvailabilityZone")}),
    "AWS::EC2::InternetGateway": Kind(_id("igw"), {"InternetGatewayId": _itself}),
    "AWS::EC2::VPCGatewayAttachment": Kind(lambda c: f"IGW|{c.property('VpcId')}"),
    "AWS::EC2::EIP": Kind(_elastic, {"AllocationId": _id("eipalloc"), "PublicIp": _elastic},
                          also=("AllocationId",)),
    "AWS::EC2::NatGateway": Kind(_id("nat"), {"NatGatewayId": _itself}),
    "AWS::EC2::RouteTable": Kind(_id("rtb"), {"RouteTableId": _itself}),
    "AWS::EC2::Route": Kind(
        lambda c: f"{c.property('RouteTableId')}|{c.property('DestinationCidrBlock')}"),
    "AWS::EC2::SubnetRouteTableAssociation": Kind(_id("rtbassoc"), {"Id": _itself}),
    "AWS::EC2::NetworkAcl": Kind(_id("acl"), {"Id": _itself}),
    "AWS::EC2::NetworkAclEntry": Kind(_id("acle"), {"Id": _itself}),
    "AWS::EC2::SubnetNetworkAclAssociation": Kind(_id("aclassoc"), {"AssociationId": _itself}),
    "AWS::EC2::SecurityGroup": Kind(_id("sg"), {"GroupId": _itself, "VpcId": _property("VpcId")}),
    "AWS::EC2::SecurityGroupIngress": Kind(_id("sgr"), {"Id": _itself}),
    "AWS::EC2::SecurityGroupEgress": Kind(_id("sgr"), {"Id": _itself}),
    "AWS::EC2::VPCEndpoint": Kind(_id("vpce"), {"Id": _itself}),
    "AWS::EC2::Instance": Kind(_id("i"), {
        "InstanceId": _itself, "PrivateIp": _instance_private, "PublicIp": _instance_public,
        "AvailabilityZone": _zone_of_subnet}),
    "AWS::EC2::LaunchTemplate": Kind(_id("lt"), {
        "LaunchTemplateId": _itself, "LatestVersionNumber": lambda c: "1",
        "DefaultVersionNumber": lambda c: "1"}),
    "AWS::AutoScaling::AutoScalingGroup": Kind(_named("AutoScalingGroupName"), {
        "AutoScalingGroupARN": _arn("autoscaling", lambda c: (
            f"autoScalingGroup:{_uuid(c)}:autoScalingGroupName/{c.ref()}"))}),
    "AWS::AutoScaling::ScalingPolicy": Kind(_policy, {"Arn": _itself, "PolicyName": _policy_name}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Kind(
        _arn(_ALB, lambda c: f"loadbalancer/{_balancer(c)}"), {
            "LoadBalancerArn": _itself, "LoadBalancerFullName": _balancer,
            "LoadBalancerName": _short_name, "SecurityGroups": _property("SecurityGroups"),
            "DNSName": lambda c: (f"{_short_name(c).lower()}-{BALANCER_NUMBER}.{c.region}."
                                  "elb.amazonaws.com")}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Kind(_arn(_ALB, _target_group), {
        "TargetGroupArn": _itself, "TargetGroupFullName": _target_group,
        "TargetGroupName": _target_group_name}),
    "AWS::ElasticLoadBalancingV2::Listener": Kind(_listener, {"ListenerArn": _itself}),
    "AWS::CloudFormation::WaitConditionHandle": Kind(lambda c: (
        f"https://cloudformation-waitcondition-{c.region}.s3.{c.region}.amazonaws.com/"
        f"{digest(c, letters=40)}?X-Amz-Signature={digest(c, 'signature', 64)}")),
    "AWS::CloudFormation::WaitCondition": Kind(_id("wait")),
    "AWS::CloudWatch::Alarm": Kind(_named("AlarmName")),
    "AWS::RDS::EventSubscription": Kind(_named("SubscriptionName")),
    "AWS::RDS::DBInstance": Kind(_database, {
        "Endpoint.Address": lambda c: (f"{_database(c)}.{DATABASE_DOMAIN}.{c.region}."
                                       "rds.amazonaws.com"),
        "Endpoint.Port": lambda c: str(c.property("Port") or "3306"),
        "DBInstanceArn": _arn("rds", lambda c: f"db:{_database(c)}"),
        "DbiResourceId": _database_resource, "MasterUserSecret.SecretArn": _secret}),
    "AWS::RDS::DBSubnetGroup": Kind(lambda c: _named("DBSubnetGroupName")(c).lower()),
    "AWS::RDS::DBParameterGroup": Kind(lambda c: _named("DBParameterGroupName")(c).lower(), {
        "DBParameterGroupName": _itself}),
    "AWS::EFS::FileSystem": Kind(_file_system, {
        "FileSystemId": _itself,
        "Arn": _arn("elasticfilesystem", lambda c: f"file-system/{_file_system(c)}")}),
    "AWS::EFS::MountTarget": Kind(_id("fsmt"), {
        "Id": _itself, "IpAddress": _mount_target_address}),
    "AWS::IAM::Role": Kind(_named("RoleName"), {
        "Arn": _arn("iam", lambda c: f"role{c.property('Path') or '/'}{c.ref()}"),
        "RoleId": lambda c: f"AROA{digest(c, letters=17).upper()}"}),
    # "Ref returns the resource name" (CloudFormation, AWS::IAM::Policy)
    "AWS::IAM::Policy": Kind(lambda c: f"{c.stack_name}-{c.name}", {"Id": _itself}),
    "AWS::IAM::InstanceProfile": Kind(_named("InstanceProfileName"), {
        "Arn": _arn("iam", lambda c: f"instance-profile{c.property('Path') or '/'}{c.ref()}")},
        also=("Arn",)),
}
