"""The region's services (aws/server.py), for the lab: starts them on a host, creates the
stack's resources with boto3, queries and controls them. Hosts use the services' real names
and the endpoints' interfaces; this module uses the backplane.

    aws = Aws(host, model, venv, ca, "100.64.0.10", password)
    aws.start(authority.issue(*aws.names())); aws.wait_ready(); aws.build()
"""
from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

import boto3
from botocore.config import Config

from parts import control
from parts.cloudwatch import Credentials
from parts.host import Host
from parts.pki import Certificate
from parts.process import Process

from lab.model.model import Model, Role, ScalingPolicy
from .sessions import LIFE_S

SOCKET = "/run/aws.sock"
FOLDER = "/etc/aws-lab"
SERVICES = ("monitoring", "autoscaling", "secretsmanager", "sts", "ec2", "iam")

# The controller's rights, from the service-linked role (EC2 Auto Scaling User Guide,
# "Service-linked roles": AutoScalingServiceRolePolicy).
SERVICE_ROLE = "AWSServiceRoleForAutoScaling"
SERVICE_STATEMENTS = [{"Effect": "Allow", "Resource": "*", "Action": [
    "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:PutMetricAlarm",
    "ec2:RunInstances", "ec2:TerminateInstances", "ec2:DescribeInstances"]}]


@dataclass(frozen=True)
class Made:
    """An instance that RunInstances has made of a version of the launch template."""
    id: str
    address: str
    version: int
    user_data: str


class Aws:
    """`address`: the host's on the backplane. `ca`: the lab's root certificate, a file of the
    machine. `password`: the database's first master password. `granted` is called when an instance has
    a new session."""

    def __init__(self, host: Host, model: Model, venv: Path, ca: Path, address: str,
                 password: str, granted: Callable[[], None] = lambda: None) -> None:
        self.host, self.model, self.address = host, model, address
        self.keys: dict[str, list[str]] = {}  # of the instances' sessions: secret and token
        self._granted = granted
        self._venv, self._ca, self._password = venv, ca, password
        self.process: Process | None = None
        self._admin: Credentials | None = None
        self._policies: dict[str, list[dict[str, Any]] | None] = {}
        self._built = False

    # start

    def host_name(self, service: str) -> str:
        return f"{service}.{self.model.region}.amazonaws.com"

    def names(self) -> list[str]:
        """The names in the server's certificate."""
        return [*(self.host_name(s) for s in SERVICES), "sts.amazonaws.com", "iam.amazonaws.com",
                self.address]

    def start(self, certificate: Certificate) -> None:
        """Call wait_ready() before the first request."""
        plan = {"account": self.model.account, "region": self.model.region,
                "group": self.model.group.id, "roles": self._roles(), "secret": self._secret()}
        self.host.write(f"{FOLDER}/plan.json", json.dumps(plan), 0o600)
        self.host.write(f"{FOLDER}/cert.pem", certificate.certificate)
        self.host.write(f"{FOLDER}/key.pem", certificate.key, 0o600)
        self.process = self.host.python(
            "lab.aws.server", SOCKET, self.address, f"{FOLDER}/cert.pem", f"{FOLDER}/key.pem",
            f"{FOLDER}/plan.json", log="aws", interpreter=f"{self._venv}/bin/python")

    def wait_ready(self) -> None:
        self._ask(op="count")

    def _roles(self) -> dict[str, dict[str, Any]]:
        roles = {role.id: {"trusted": role.trusted, "statements": role.statements}
                 for role in self.model.roles.values()}
        roles[SERVICE_ROLE] = {"trusted": ["autoscaling.amazonaws.com"],
                               "statements": SERVICE_STATEMENTS}
        return roles

    def _secret(self) -> dict[str, str] | None:
        database = self.model.database
        return {"arn": database.secret_arn, "user": database.user,
                "password": self._password} if database.secret_arn else None

    def _ask(self, **order: Any) -> Any:
        answer = control.ask(self.host.path(SOCKET), order, 30)
        if "error" in answer:
            raise RuntimeError(f"aws: {order['op']}: {answer['error']}")
        return answer["ok"]

    # the stack, as CloudFormation would have made it

    def build(self) -> None:
        """Makes VPC, subnets, security groups, launch template, Auto Scaling group (without
        instances: the controller launches them), policy. Not rules, routes and other parts of the
        network: network/ makes them from the model."""
        self._ask(op="endpoints", policies=self._policies)
        self._built = True
        with self.host.net():
            ec2, scaling = self.client("ec2"), self.client("autoscaling")
            self._pin("vpc", self.model.vpc_id)
            ec2.create_vpc(CidrBlock=self.model.vpc_cidr)
            for subnet in self.model.subnets.values():
                self._pin("subnet", subnet.id)
                ec2.create_subnet(VpcId=self.model.vpc_id, CidrBlock=subnet.cidr,
                                  AvailabilityZone=subnet.zone)
            for group in self.model.groups.values():
                self._pin("sg", group.id)
                ec2.create_security_group(GroupName=group.name, Description=group.name,
                                          VpcId=self.model.vpc_id)
            self._pin("lt", self.model.launch.id)
            ec2.create_launch_template(LaunchTemplateName=self.model.launch.name,
                                       LaunchTemplateData=self._launch_data())
            self._create_group(scaling)
            self._put_policy(scaling)

    def _pin(self, kind: str, name: str) -> None:
        self._ask(op="pin", ids={kind: [name]})

    def _launch_data(self) -> dict[str, Any]:
        launch = self.model.launch
        return {
            "ImageId": launch.image, "InstanceType": launch.instance_type,
            "SecurityGroupIds": [self.model.groups[g].id for g in launch.groups],
            "UserData": base64.b64encode(launch.user_data.encode()).decode(),
            "MetadataOptions": {"HttpTokens": launch.http_tokens,
                                "HttpPutResponseHopLimit": launch.hop_limit},
            # moto refuses an empty list.
            **({"TagSpecifications": [{"ResourceType": "instance", "Tags": [
                {"Key": k, "Value": v} for k, v in launch.tags.items()]}]}
               if launch.tags else {})}

    def _create_group(self, client: Any) -> None:
        group = self.model.group
        client.create_auto_scaling_group(
            AutoScalingGroupName=group.id, MinSize=group.min, MaxSize=group.max,
            DesiredCapacity=group.desired, DefaultCooldown=group.default_cooldown,
            HealthCheckType=group.health_check_type, HealthCheckGracePeriod=group.grace,
            LaunchTemplate={"LaunchTemplateId": self.model.launch.id, "Version": str(group.version)},
            VPCZoneIdentifier=",".join(self.model.subnets[s].id for s in group.subnets),
            TargetGroupARNs=[self.model.target_group.id],
            Tags=[{"Key": k, "Value": v, "PropagateAtLaunch": True}
                  for k, v in group.tags.items()])
        for hook in group.hooks:
            client.put_lifecycle_hook(
                AutoScalingGroupName=group.id, LifecycleHookName=hook.name,
                LifecycleTransition="autoscaling:EC2_INSTANCE_"
                + ("LAUNCHING" if hook.launching else "TERMINATING"),
                HeartbeatTimeout=hook.heartbeat, DefaultResult=hook.default)
        if group.warmup is not None:
            self._ask(op="attributes", values={"default_instance_warmup": group.warmup})

    def _put_policy(self, client: Any) -> None:
        policy = self.model.policy
        metric = {"MetricName": policy.metric_name, "Namespace": policy.namespace,
                  "Statistic": policy.statistic, "Period": policy.period,
                  "Dimensions": self.dimensions(policy.dimensions),
                  **({"Unit": policy.unit} if policy.unit else {})}
        client.put_scaling_policy(
            AutoScalingGroupName=self.model.group.id, PolicyName=policy.policy_name,
            PolicyType="TargetTrackingScaling",
            **({"EstimatedInstanceWarmup": policy.warmup} if policy.warmup is not None else {}),
            TargetTrackingConfiguration={
                "TargetValue": policy.target, "DisableScaleIn": policy.disable_scale_in,
                "CustomizedMetricSpecification": metric})

    def update(self, model: Model) -> None:
        """A stack update: roles, a new version of the launch template, the policy. The controller
        updates the group's sizes and version (controller.update)."""
        changed = model.launch != self.model.launch
        self.model = model
        self._ask(op="roles", roles=self._roles())
        with self.host.net():
            if changed:
                self.client("ec2").create_launch_template_version(
                    LaunchTemplateId=model.launch.id, LaunchTemplateData=self._launch_data())
            self._put_policy(self.client("autoscaling"))

    @staticmethod
    def dimensions(pairs: dict[str, str]) -> list[dict[str, str]]:
        return [{"Name": name, "Value": value} for name, value in pairs.items()]

    def endpoints(self, policies: dict[str, list[dict[str, Any]] | None]) -> None:
        """The VPC endpoints' policies, by the address of their interface on the backplane."""
        self._policies = policies
        if self._built:
            self._ask(op="endpoints", policies=policies)

    # principals

    @property
    def role(self) -> Role:
        """The role of the instances."""
        return self.model.roles[self.model.launch.role]

    def assume(self, role: str, session: str, life_s: float | None = None) -> Credentials:
        """Makes a session; without `life_s` it does not expire."""
        return Credentials(**self._ask(op="assume", role=role, session=session, life=life_s))

    def service(self) -> Credentials:
        """The service-linked role of Auto Scaling. AWS renews its sessions; here they do not
        expire."""
        return self.assume(SERVICE_ROLE, "AutoScaling")

    def admin(self) -> Credentials:
        if self._admin is None:
            self._admin = Credentials(**self._ask(op="user", name="admin"))
        return self._admin

    def role_credentials(self, instance_id: str) -> str:
        """A new session of the instance, for iam/security-credentials/<aws.role.id> in its
        metadata; earlier sessions stay valid until they expire. The session's name is the
        instance's id, as on EC2."""
        now = datetime.datetime.now(datetime.timezone.utc)
        made = self.assume(self.role.id, instance_id, LIFE_S)
        self.keys[made.access_key] = [made.secret, made.token]
        self._granted()

        def stamp(at: datetime.datetime) -> str:
            return at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps({
            "Code": "Success", "LastUpdated": stamp(now), "Type": "AWS-HMAC",
            "AccessKeyId": made.access_key, "SecretAccessKey": made.secret, "Token": made.token,
            "Expiration": stamp(now + datetime.timedelta(seconds=LIFE_S))}, indent=2)

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """A boto3 client, by default the admin's; use it inside `with aws.host.net()`."""
        who = credentials or self.admin()
        return boto3.session.Session().client(
            service, region_name=self.model.region, endpoint_url=f"https://{self.address}",
            verify=str(self._ca), aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret, aws_session_token=who.token or None,
            config=Config(retries={"max_attempts": 0}, proxies={},
                          connect_timeout=5, read_timeout=20))

    # the secret

    def rotate(self, password: str) -> str:
        """Stores this password in the managed secret and returns the version's id. The caller
        changes the database."""
        return str(self._ask(op="rotate", password=password))

    # for the controller, and for the network

    def reserve(self, subnet: str, address: str) -> None:
        """Takes an address that another interface of the lab has out of EC2's hands;
        by the subnet's logical name."""
        self._ask(op="reserve", subnet=self.model.subnets[subnet].id, address=address)

    def launch(self, subnet: str, version: int = 1) -> Made:
        """RunInstances for the group."""
        made = self._ask(op="launch", subnet=self.model.subnets[subnet].id, version=version)
        return Made(made["instance"], made["address"], version, made["user_data"])

    def terminated(self, instance_id: str) -> None:
        self._ask(op="terminated", instance=instance_id)

    def sync(self, state: dict[str, Any]) -> dict[str, Any]:
        return dict(self._ask(op="sync", state=state))

    # the metric

    def metric(self, client: Any, policy: ScalingPolicy, starts: Sequence[float]
               ) -> list[tuple[float | None, int]]:
        """The policy's metric in these periods, given by their starts (Unix time, in
        order, on the period's grid): (statistic or None, samples). GetMetricData by
        `client`: a principal that may."""
        metric = {"Namespace": policy.namespace, "MetricName": policy.metric_name,
                  "Dimensions": self.dimensions(policy.dimensions)}

        def query(name: str, statistic: str) -> dict[str, Any]:
            return {"Id": name, "MetricStat": {
                "Metric": metric, "Period": policy.period, "Stat": statistic,
                **({"Unit": policy.unit} if policy.unit else {})}}

        def utc(at: float) -> datetime.datetime:
            return datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        with self.host.net():
            answer = client.get_metric_data(
                StartTime=utc(starts[0]), EndTime=utc(starts[-1] + policy.period),
                ScanBy="TimestampAscending", MetricDataQueries=[
                    query("value", policy.statistic), query("samples", "SampleCount")])
        found = {result["Id"]: dict(zip((at.timestamp() for at in result["Timestamps"]),
                                        result["Values"]))
                 for result in answer["MetricDataResults"]}
        return [(found["value"].get(start), int(found["samples"].get(start, 0)))
                for start in starts]
