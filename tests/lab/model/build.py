"""From the resolved template to the model (model/model.py): the whole, the load balancer and
scaling. model/build_*.py have the other parts.

Defaults are AWS's, with their page."""
from __future__ import annotations

import re

from lab.template.interpreter import Stack
from .build_data import build_database, build_file_system
from .build_groups import GROUP, build_endpoints, build_groups
from .build_hosts import LAUNCH, build_instances, build_launch, check_keys
from .build_network import SUBNET, VPC, Network, build_network
from .build_rights import build_roles
from .model import Alb, AutoScalingGroup, Hook, Listener, Model, ScalingPolicy, TargetGroup
from .reader import Properties, only
from .without_effect import ATTRIBUTES_WITHOUT_EFFECT

ALB = "AWS::ElasticLoadBalancingV2::LoadBalancer"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
ASG = "AWS::AutoScaling::AutoScalingGroup"
POLICY = "AWS::AutoScaling::ScalingPolicy"
# ELB API Reference, CreateLoadBalancer: these names become DNS names
NAME = "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
TARGETS: dict[str, tuple[str, ...]] = {
    "deregistration_delay.timeout_seconds": (),
    "load_balancing.cross_zone.enabled": ("true", "false", "use_load_balancer_configuration"),
    # Supported by HAProxy, too (aws/alb.py)
    "load_balancing.algorithm.type": ("round_robin", "least_outstanding_requests",
                                      "weighted_random"),
    "slow_start.duration_seconds": ("0",),
    "stickiness.enabled": ("false",)}


# load balancer

def _attributes(p: Properties, key: str, known: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """`known`: the supported values of each attribute; empty: a number, checked later."""
    found = p.pairs(key)
    for name, value in found.items():
        if name not in known and name not in ATTRIBUTES_WITHOUT_EFFECT[p.kind]:
            raise p.error(key, f"{key}: {name} is not known to the lab")
        played = known.get(name, ("true", "false") if name.endswith(".enabled") else ())
        if played and value not in played:
            raise p.error(key, f'{key}: {name}: "{value}" is not known to the lab; it knows '
                               f"{', '.join(played)}")
    return found


def _whole(p: Properties, key: str, values: dict[str, str], name: str, default: int, low: int,
           high: int) -> int:
    return p.whole(key, values.get(name, str(default)), low, high)


def _listener(stack: Stack) -> Listener:
    resource = only(stack, LISTENER)
    with Properties.of(stack, resource) as p:
        p.reference("LoadBalancerArn", ALB)
        actions = p.parts("DefaultActions")
        if len(actions) != 1:
            raise p.error("DefaultActions", "the lab knows one default action")
        with actions[0] as action:
            action.one_of("Type", ("forward",))
            target = action.reference("TargetGroupArn", TARGET_GROUP)
        return Listener(resource.name, stack.ref(resource.name),
                        p.integer("Port", low=1, high=65535), p.one_of("Protocol", ("HTTP",)),
                        target, resource.line)


def build_alb(stack: Stack, network: Network) -> Alb:
    resource = only(stack, ALB)
    with Properties.of(stack, resource) as p:
        p.one_of("Type", ("application",), "application")
        p.one_of("IpAddressType", ("ipv4",), "ipv4")
        p.matching("Name", NAME, "")
        p.one_of("Scheme", ("internet-facing",), "internet-facing")
        # ALB User Guide, "Subnets for your load balancer": at least two zones
        subnets = network.one_in_each_zone(p, "Subnets")
        # ALB User Guide, "Load balancer attributes": 60 s; cross-zone is always on, target groups
        # may turn it off.
        attributes = _attributes(p, "LoadBalancerAttributes", {
            "idle_timeout.timeout_seconds": (), "load_balancing.cross_zone.enabled": ("true",),
            "routing.http.drop_invalid_header_fields.enabled": ("true",)})  # as aws/alb.py does
        idle = _whole(p, "LoadBalancerAttributes", attributes, "idle_timeout.timeout_seconds", 60,
                      1, 4000)
        dns = stack.attribute(resource.name, "DNSName")
        return Alb(resource.name, stack.ref(resource.name), dns, subnets,
                   p.references("SecurityGroups", GROUP), idle, _listener(stack), resource.line)


def build_target_group(stack: Stack) -> TargetGroup:
    """Defaults: ALB User Guide, "Health checks for your target groups" and "Target group
    attributes". (The API reference has another timeout, 6 s.)"""
    resource = only(stack, TARGET_GROUP)
    arn = stack.ref(resource.name)
    with Properties.of(stack, resource) as p:
        p.reference("VpcId", VPC)
        p.matching("Name", NAME, "")
        p.one_of("TargetType", ("instance",), "instance")
        p.one_of("ProtocolVersion", ("HTTP1",), "HTTP1")
        p.one_of("IpAddressType", ("ipv4",), "ipv4")
        p.one_of("HealthCheckEnabled", ("true",), "true")
        port = p.integer("Port", low=1, high=65535)
        health = p.text("HealthCheckPort", "traffic-port")
        interval = p.integer("HealthCheckIntervalSeconds", 30, 5, 300)
        timeout = p.integer("HealthCheckTimeoutSeconds", 5, 2, 120)
        if timeout >= interval:
            raise p.error("HealthCheckTimeoutSeconds", f"the time-out of {timeout} s is not less "
                          f"than the interval of {interval} s")
        matcher = "200"
        part = p.part("Matcher")
        if part:
            with part:
                matcher = part.text("HttpCode")
            if not re.fullmatch(r"[2-4][0-9]{2}([-,][2-4][0-9]{2})*", matcher):
                raise p.error("Matcher", f"{matcher} is not within 200 to 499")
        key = "TargetGroupAttributes"
        values = _attributes(p, key, TARGETS)
        p.one_of("HealthCheckProtocol", ("HTTP",), "HTTP")
        return TargetGroup(
            resource.name, arn, f"targetgroup/{arn.partition(':targetgroup/')[2]}", port,
            p.one_of("Protocol", ("HTTP",)),
            port if health == "traffic-port" else p.whole("HealthCheckPort", health, 1, 65535),
            # ELB API Reference, CreateTargetGroup: up to 1024 characters. The path becomes part of
            # a request.
            p.matching("HealthCheckPath", r"/[!-~]{0,1023}", "/"),
            interval, timeout, p.integer("HealthyThresholdCount", 5, 2, 10),
            p.integer("UnhealthyThresholdCount", 2, 2, 10), matcher,
            _whole(p, key, values, "deregistration_delay.timeout_seconds", 300, 0, 3600),
            values.get("load_balancing.cross_zone.enabled", "true") != "false",
            values.get("load_balancing.algorithm.type", "round_robin"), resource.line)


# scaling

def build_hooks(group: Properties) -> list[Hook]:
    """Defaults and bounds: Auto Scaling API reference, PutLifecycleHook."""
    hooks = []
    for hook in group.parts("LifecycleHookSpecificationList"):
        with hook:
            transition = hook.one_of("LifecycleTransition", (
                "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"))
            hook.text("NotificationMetadata", "")  # nobody is notified
            hooks.append(Hook(
                hook.text("LifecycleHookName"), transition.endswith("LAUNCHING"),
                hook.integer("HeartbeatTimeout", 3600, 30, 7200),
                hook.one_of("DefaultResult", ("CONTINUE", "ABANDON"), "ABANDON")))
    return hooks


def build_group(stack: Stack, network: Network) -> AutoScalingGroup:
    """Defaults: Auto Scaling API reference, CreateAutoScalingGroup."""
    resource = only(stack, ASG)
    with Properties.of(stack, resource) as p:
        # Auto Scaling API Reference, CreateAutoScalingGroup: 1 to 255 characters, no colon. The
        # name becomes a tag, a dimension and a part of file names.
        p.matching("AutoScalingGroupName", "[A-Za-z0-9._-]{1,255}", "")
        low, high = p.integer("MinSize", low=0), p.integer("MaxSize", low=0)
        desired = p.integer("DesiredCapacity", low, 0)
        if not low <= desired <= high:
            raise p.error("DesiredCapacity", f"DesiredCapacity: {desired} is not within {low} "
                          f"to {high}")
        launch = p.part("LaunchTemplate")
        if launch is None:
            raise p.error("", "LaunchTemplate is missing")
        with launch:
            template = launch.reference("LaunchTemplateId", LAUNCH)
            # "$Latest" and "$Default" exclude a rollback (aws/refreshing.py).
            version = launch.integer("Version", low=1)
        p.one_of("NewInstancesProtectedFromScaleIn", ("false",), "false")
        subnets = p.references("VPCZoneIdentifier", SUBNET)
        for name in subnets:
            if network.subnets[name].maps_public_ip:
                raise p.error("VPCZoneIdentifier", f"{name} has MapPublicIpOnLaunch; the lab's "
                              "instances have no public addresses")
        tags: dict[str, str] = {}
        for tag in p.parts("Tags"):
            with tag:
                name, value = tag.text("Key"), tag.text("Value")
                if tag.flag("PropagateAtLaunch"):
                    tags[name] = value
        return AutoScalingGroup(
            resource.name, stack.ref(resource.name), low, high, desired,
            subnets, template, version,
            p.one_of("HealthCheckType", ("EC2", "ELB"), "EC2"),
            p.integer("HealthCheckGracePeriod", 0, 0), p.integer("DefaultInstanceWarmup", None, 0),
            p.integer("Cooldown", 300, 0), p.references("TargetGroupARNs", TARGET_GROUP), tags,
            resource.line, build_hooks(p))


def build_policy(stack: Stack) -> ScalingPolicy:
    resource = only(stack, POLICY)
    with Properties.of(stack, resource) as p:
        p.one_of("PolicyType", ("TargetTrackingScaling",))
        group = p.reference("AutoScalingGroupName", ASG)
        warmup = p.integer("EstimatedInstanceWarmup", None, 0)
        tracking = p.part("TargetTrackingConfiguration")
        if tracking is None:
            raise p.error("", "TargetTrackingConfiguration is missing")
        with tracking as t:
            target, stays = t.number("TargetValue"), t.flag("DisableScaleIn", "false")
            metric = t.part("CustomizedMetricSpecification")
            if metric is None:
                raise t.error("", "the lab knows a CustomizedMetricSpecification only")
        with metric as m:
            unit = m.text("Unit", "") or None
            return ScalingPolicy(
                resource.name, stack.ref(resource.name),
                stack.attribute(resource.name, "PolicyName"), group,
                target, m.text("MetricName"), m.text("Namespace"), m.pairs("Dimensions", "Name"),
                m.one_of("Statistic", ("Average", "Minimum", "Maximum", "SampleCount", "Sum")),
                unit, whole_period(m), stays, warmup, resource.line)


def whole_period(m: Properties) -> int:
    """10, 30 or 60 s, by default 60 (Auto Scaling User Guide, "Create a target tracking policy
    using high-resolution metrics")."""
    return int(m.one_of("Period", ("10", "30", "60"), "60"))


def build_signals(stack: Stack) -> int:
    """The number of signals that the stack waits for."""
    handle, count = "AWS::CloudFormation::WaitConditionHandle", 0
    for each in stack.of_type(handle):
        with Properties.of(stack, each):
            pass
    for each in stack.of_type("AWS::CloudFormation::WaitCondition"):
        with Properties.of(stack, each) as p:
            p.reference("Handle", handle)
            count += p.integer("Count", 1, 1)
    return count


def build(stack: Stack) -> Model:
    network = build_network(stack)
    build_groups(stack, network)
    build_endpoints(stack, network)
    check_keys(stack)
    file_system, mount_targets = build_file_system(stack, network)
    model = Model(
        region=stack.region, account=stack.account,
        vpc_id=network.vpc_id, vpc_cidr=network.vpc_cidr,
        internet_gateway=network.internet_gateway, alb=build_alb(stack, network),
        target_group=build_target_group(stack), group=build_group(stack, network),
        policy=build_policy(stack), launch=build_launch(stack),
        database=build_database(stack, network), file_system=file_system,
        subnets=network.subnets, groups=network.groups,
        acls=network.acls, route_tables=network.route_tables, nats=network.nats,
        bastions=build_instances(stack, network), mount_targets=mount_targets,
        endpoints=network.endpoints, roles=build_roles(stack),
        prefix_lists=network.prefix_lists, signals=build_signals(stack), parameters=stack.parameters, outputs=stack.outputs)
    for resource in stack.resources.values():
        if not resource.read:
            raise stack.error(resource.line, resource.name, "the lab does not build it")
    return model
