"""The model of the project's template, and refused templates."""
from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from lab.model import model
from lab.model.without_effect import RESOURCE_ATTRIBUTES_WITHOUT_EFFECT, WITHOUT_EFFECT
from lab.template.interpreter import TemplateError
from lab.template.kinds import KINDS
from lab.template.resolve import ATTRIBUTES
from lab.unit import stack_tree


@pytest.fixture(scope="module")
def built() -> model.Model:
    return stack_tree.build(stack_tree.tree())


# contents of the document

def test_the_network(built: model.Model) -> None:
    assert built.vpc_cidr == "10.16.0.0/16" and built.resolver == "10.16.0.2"
    assert {n: (s.cidr, s.zone[-1], s.public, s.acl) for n, s in built.subnets.items()} == {
        "PublicA": ("10.16.1.0/24", "a", True, "PublicAclA"),
        "PublicC": ("10.16.2.0/24", "c", True, "PublicAclC"),
        "WebA": ("10.16.3.0/24", "a", False, "WebAclA"),
        "WebC": ("10.16.4.0/24", "c", False, "WebAclC"),
        "DatabaseA": ("10.16.5.0/24", "a", False, "DatabaseAclA"),
        "DatabaseC": ("10.16.6.0/24", "c", False, "DatabaseAclC")}
    assert built.subnet_of("10.16.4.18") is built.subnets["WebC"]
    assert built.subnet_of("10.16.9.1") is None and built.subnet_of("8.8.8.8") is None
    assert built.in_zone(["WebA", "WebC"], "ap-northeast-2c") == "WebC"
    assert built.subnets["WebA"].router == "10.16.3.1"
    assert built.zones == ["ap-northeast-2a", "ap-northeast-2c"]


def test_routes(built: model.Model) -> None:
    def routes(subnet: str) -> set[tuple[str, str, str]]:
        table = built.route_tables[built.subnets[subnet].route_table]
        return {(r.cidr or r.prefix_list, r.kind, r.target) for r in table.routes}
    assert routes("PublicA") == {("0.0.0.0/0", "igw", built.internet_gateway)}
    for zone in "AC":
        assert routes(f"Web{zone}") == {("0.0.0.0/0", "nat", f"Nat{zone}"),
                                        ("pl-78a54011", "gateway-endpoint", "S3Endpoint")}
    assert routes("DatabaseC") == set()
    assert {(n.name, n.subnet, n.public_address) for n in built.nats} == {
        ("NatA", "PublicA", "192.0.2.10"), ("NatC", "PublicC", "192.0.2.11")}
    assert "52.219.56.0/22" in built.prefix_lists["pl-78a54011"]


def test_the_web_acls_have_all_of_s3(built: model.Model) -> None:
    """An ACL cannot use a prefix list: it needs the list's ranges."""
    for acl in ("WebAclA", "WebAclC"):
        for block in built.prefix_lists["pl-78a54011"]:
            for egress, port in ((True, 443), (False, 40000)):
                assert any(e.allow and e.egress == egress and e.first <= port <= e.last
                           and IPv4Network(block).subnet_of(IPv4Network(e.cidr))
                           for e in built.acls[acl].entries), (acl, block, egress)


def test_groups_have_inline_and_separate_rules(built: model.Model) -> None:
    web = built.groups["WebGroup"]
    assert {(r.first, r.peer_kind, r.peer) for r in web.ingress} == {
        (22, "group", "BastionGroup"), (80, "group", "AlbGroup"), (8099, "group", "AlbGroup"),
        (3, "cidr", "0.0.0.0/0")}
    assert {(r.peer_kind, r.peer) for r in web.egress if r.first == 443} == {
        ("cidr", "52.219.0.0/16"), ("prefix", "pl-78a54011"), ("group", "EndpointGroup")}
    assert [(r.first, r.last) for r in web.egress if r.protocol == "icmp"] == [(8, model.ANY)]
    rule = next(r for r in web.ingress if r.first == 22)
    text = stack_tree.PATH.read_text().splitlines()[rule.line - 1]
    assert rule.name == "WebGroupInSsh" and text.strip().startswith("WebGroupInSsh:")


def test_acl_entries_are_in_order_and_know_their_line(built: model.Model) -> None:
    text = stack_tree.PATH.read_text().splitlines()
    for acl in built.acls.values():
        for egress in (False, True):
            numbers = [e.number for e in acl.entries if e.egress == egress]
            assert numbers == sorted(set(numbers)) and numbers
        for entry in acl.entries if acl.name != model.DEFAULT_ACL else []:
            assert text[entry.line - 1].strip().startswith(f"{entry.name}:")
    entry = next(e for e in built.acls["WebAclA"].entries if e.name == "WebAclAOut6100")
    assert (entry.protocol, entry.icmp_type, entry.icmp_code) == (model.ICMP, 8, model.ANY)
    assert entry.allow and entry.egress and entry.first == model.ANY


def test_hosts_and_services(built: model.Model) -> None:
    assert [(b.name, b.subnet, b.groups, b.address) for b in built.bastions] == [
        ("BastionA", "PublicA", ["BastionGroup"], "10.16.1.144"),
        ("BastionC", "PublicC", ["BastionGroup"], "10.16.2.144")]
    assert built.bastions[0].public_address in built.outputs["SshThroughBastionA"]
    assert built.alb.dns_name == "practice-1234567890.ap-northeast-2.elb.amazonaws.com"
    assert (built.alb.subnets, built.alb.listener.port) == (["PublicA", "PublicC"], 80)
    group = built.target_group
    assert (group.port, group.health_port, group.health_path, group.cross_zone) == (
        80, 8099, "/healthz", True)
    assert built.group.target_groups == ["TargetGroup"] and built.group.subnets == ["WebA", "WebC"]
    assert (built.group.min, built.group.desired, built.group.health_check_type) == (2, 2, "ELB")
    assert (built.policy.period, built.policy.namespace) == (10, "WebNodeAgent")
    assert built.policy.dimensions == {"AutoScalingGroupName": built.group.id}
    assert built.policy.warmup is None and built.group.warmup is not None


def test_data_and_rights(built: model.Model) -> None:
    database = built.database
    assert database.endpoint == "practice.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com"
    assert (database.user, database.database_name) == ("admin", "practice")
    assert database.subnets == ["DatabaseA", "DatabaseC"]
    assert built.file_system.id == "fs-0123456789abcdef0"
    assert {(t.subnet, t.address) for t in built.mount_targets} == {
        ("WebA", "10.16.3.250"), ("WebC", "10.16.4.250")}
    role = built.roles[built.launch.role]
    assert role.trusted == ["ec2.amazonaws.com"]
    rights = {a: s["Resource"] for s in role.statements for a in s["Action"]}
    assert rights["secretsmanager:GetSecretValue"] == [database.secret_arn]
    assert {(e.service, e.kind, e.private_dns) for e in built.endpoints} == {
        ("s3", "Gateway", False), ("monitoring", "Interface", True),
        ("secretsmanager", "Interface", True), ("autoscaling", "Interface", True)}


def test_the_launch_template(built: model.Model) -> None:
    launch = built.launch
    assert launch.user_data.startswith("#cloud-config\n")
    assert (launch.hop_limit, launch.http_tokens, launch.tags_enabled) == (1, "required", True)
    assert (launch.role, launch.groups) == ("WebRole", ["WebGroup"])


def test_parameters_reach_everything() -> None:
    other = stack_tree.build(stack_tree.tree(), HealthCheckPort="8098", MaxSize="3",
                             CpuPeriod="30")
    assert other.target_group.health_port == 8098 and other.group.max == 3
    assert other.policy.period == 30
    assert {r.first for r in other.groups["WebGroup"].ingress} == {3, 22, 80, 8098}


# AWS's defaults

def test_defaults_of_the_target_group() -> None:
    tree = stack_tree.tree()
    for key in ("HealthCheckPort", "HealthCheckPath", "HealthCheckProtocol", "Matcher",
                "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
                "UnhealthyThresholdCount", "TargetGroupAttributes"):
        tree.unset("TargetGroup", key)
    group = stack_tree.build(tree).target_group
    assert (group.health_port, group.health_path, group.interval, group.timeout, group.healthy,
            group.unhealthy, group.matcher, group.deregistration_delay, group.cross_zone) == (
                80, "/", 30, 5, 5, 2, "200", 300, True)


def test_a_group_without_egress_rules_lets_everything_out() -> None:
    tree = stack_tree.tree()
    tree.unset("EndpointGroup", "SecurityGroupEgress")
    egress = stack_tree.build(tree).groups["EndpointGroup"].egress
    assert [(r.protocol, r.peer_kind, r.peer) for r in egress] == [("-1", "cidr", "0.0.0.0/0")]


def test_a_subnet_without_associations_has_the_defaults() -> None:
    tree = stack_tree.tree()
    for name, body in list(tree.section("Resources").items()):
        if "Association" in body["Type"] and body["Properties"]["SubnetId"] == {"Ref": "WebA"}:
            tree.remove(name)
    built = stack_tree.build(tree)
    subnet = built.subnets["WebA"]
    assert (subnet.acl, subnet.route_table) == (model.DEFAULT_ACL, model.MAIN_ROUTE_TABLE)
    assert [(e.egress, e.allow, e.protocol) for e in built.acls[subnet.acl].entries] == [
        (False, True, model.ANY), (True, True, model.ANY)]
    assert built.route_tables[subnet.route_table].routes == []


# refused templates

def refused(resource: str, path: str, value: Any) -> str:
    tree = stack_tree.tree()
    tree.set(resource, path, value)
    with pytest.raises(TemplateError) as error:
        stack_tree.build(tree)
    assert error.value.line > 1 and str(error.value).startswith("stack.yaml:")
    assert error.value.resource == resource
    return str(error.value)


@pytest.mark.parametrize("resource, path, value, said", [
    ("Vpc", "Colour", "red", "property Colour is not known to the lab"),
    ("Vpc", "CidrBlock", "10.16", "no IPv4 CIDR block"),
    ("WebA", "CidrBlock", "10.17.0.0/24", "is not within the VPC's 10.16.0.0/16"),
    ("WebC", "CidrBlock", "10.16.3.128/25", "overlaps with WebA's 10.16.3.0/24"),
    ("WebA", "VpcId", "vpc-1", '"vpc-1" is no AWS::EC2::VPC of this template'),
    ("Vpc", "CidrBlock", "100.64.0.0/16", "the lab's internet has the rest"),
    ("Vpc", "EnableDnsSupport", False, "no VPC without a resolver"),
    ("WebA", "AvailabilityZone", "us-east-1a", '"us-east-1a" is no zone of ap-northeast-2'),
    ("NatC", "SubnetId", {"Ref": "PublicA"}, "has room for one NAT gateway in PublicA"),
    ("NatC", "AllocationId", {"Fn::GetAtt": ["NatEipA", "AllocationId"]}, "NatEipA belongs to"),
    ("NatEipA", "Domain", "standard", 'Domain: "standard" is not known'),
    ("WebDefaultRouteA", "DestinationCidrBlock", "10.16.0.0/16", "is the VPC's own, and local"),
    ("MonitoringEndpoint", "SubnetIds", [], "SubnetIds is empty"),
    ("MonitoringEndpoint", "SubnetIds", [{"Ref": "WebA"}, {"Ref": "PublicA"}],
     "one subnet in a zone"),
    ("SecretsManagerEndpoint", "ServiceName", "com.amazonaws.ap-northeast-2.monitoring",
     "the lab has one endpoint of monitoring"),
    ("S3Endpoint", "SubnetIds", [{"Ref": "WebA"}], "property SubnetIds is not known"),
    ("WebAclAIn100", "RuleNumber", 40000, "RuleNumber: 40000 is not within 1 to 32766"),
    ("WebAclAIn200", "RuleNumber", 100, "WebAclAIn100 has number 100 of WebAclA"),
    ("WebAclAIn100", "Protocol", 47, 'Protocol: "47" is not known'),
    ("WebAclAIn100", "PortRange", {"From": 30, "To": 20}, "the range of ports 30 to 20 is empty"),
    ("WebAclAIn100", "PortRange.From", "http", "is not a whole number"),
    ("WebAclAIn100", "RuleAction", "permit", 'RuleAction: "permit" is not known'),
    ("WebAclAIn100", "Ipv6CidrBlock", "::/0", "property Ipv6CidrBlock is not known"),
    ("WebAclAOut6100", "Icmp", {"Type": -1, "Code": 0}, "a code without a type"),
    ("WebGroupInSsh", "CidrIp", "0.0.0.0/0", "a rule has one of CidrIp, SourceSecurityGroupId"),
    ("WebGroupInSsh", "IpProtocol", "esp", 'IpProtocol: "esp" is not known'),
    ("WebGroupInHttp", "ToPort", 20, "the range of ports 80 to 20 is empty"),
    ("WebGroup", "SecurityGroupEgress.0.DestinationPrefixListId", "pl-1",
     "the lab does not know what prefix list pl-1 has"),
    ("WebGroup", "SecurityGroupEgress.1.SourcePort", 5, "property SourcePort is not known"),
    ("WebDefaultRouteA", "DestinationCidrBlock", "elsewhere", "no IPv4 CIDR block"),
    ("PublicDefaultRoute", "NatGatewayId", {"Ref": "NatA"}, "a GatewayId or a NatGatewayId"),
    ("MonitoringEndpoint", "ServiceName", "com.amazonaws.ap-northeast-2.logs",
     "com.amazonaws.ap-northeast-2.logs is not known to the lab as Interface"),
    ("Alb", "LoadBalancerAttributes.0.Key", "colour", "colour is not known to the lab"),
    ("Alb", "Subnets", [{"Ref": "PublicA"}], "one subnet in each of ap-northeast-2a, ap-"),
    ("Alb", "Type", "network", 'Type: "network" is not known to the lab'),
    ("TargetGroup", "HealthCheckTimeoutSeconds", 5, "of 5 s is not less than the interval of 5 s"),
    ("TargetGroup", "HealthCheckIntervalSeconds", 4, "4 is not within 5 to 300"),
    ("TargetGroup", "Matcher.HttpCode", "500", "500 is not within 200 to 499"),
    ("Alb", "Subnets.1", {"Ref": "WebA"}, "one subnet in each of ap-northeast-2a, ap-"),
    ("Alb", "Name", "a.b", 'Name: "a.b" is not of the form'),
    ("Alb", "Scheme", "internal", 'Scheme: "internal" is not known'),
    ("TargetGroup", "TargetGroupAttributes.1.Value", "perhaps",
     'cross_zone.enabled: "perhaps" is not known'),
    ("TargetGroup", "TargetGroupAttributes.1",
     {"Key": "load_balancing.algorithm.type", "Value": "fastest"}, 'algorithm.type: "fastest" is not known'),
    ("TargetGroup", "TargetGroupAttributes.1",
     {"Key": "slow_start.duration_seconds", "Value": 30}, 'slow_start.duration_seconds: "30" is not known'),
    ("TargetGroup", "TargetGroupAttributes.1", {"Key": "stickiness.enabled", "Value": True},
     'stickiness.enabled: "true" is not known'),
    ("TargetGroup", "TargetGroupAttributes.1",
     {"Key": "deletion_protection.enabled", "Value": True}, "is not known to the lab"),
    ("TargetGroup", "HealthCheckPath", "/a b", 'HealthCheckPath: "/a b" is not of the form'),
    ("TargetGroup", "TargetType", "ip", 'TargetType: "ip" is not known'),
    ("HttpListener", "Protocol", "HTTPS", 'Protocol: "HTTPS" is not known'),
    ("Group", "DesiredCapacity", 9, "9 is not within 2 to 4"),
    ("Group", "LaunchTemplate.Version", "$Latest",
     'Version: "$Latest" is not a whole number'),
    ("Group", "TargetGroupARNs", [], "TargetGroupARNs is empty"),
    ("Group", "VPCZoneIdentifier", [{"Ref": "PublicA"}], "PublicA has MapPublicIpOnLaunch"),
    ("CpuPolicy", "TargetTrackingConfiguration.TargetValue", "inf", '"inf" is not a number'),
    ("Group", "MixedInstancesPolicy", {}, "property MixedInstancesPolicy"),
    ("CpuPolicy", "PolicyType", "StepScaling", 'PolicyType: "StepScaling" is not known'),
    ("CpuPolicy", "TargetTrackingConfiguration.CustomizedMetricSpecification.Period", 20,
     'Period: "20" is not known'),
    ("Database", "Engine", "postgres", 'Engine: "postgres" is not known'),
    ("Database", "MasterUserPassword", "secret", "property MasterUserPassword is not known"),
    ("Database", "ManageMasterUserPassword", False, "managed secret"),
    ("Database", "MultiAZ", False, 'MultiAZ: "false" is not known'),
    ("Database", "DBInstanceIdentifier", "my db", "is not of the form"),
    ("Database", "Port", "3307", 'Port: "3307" is not known'),
    ("Database", "MasterUsername", "admin'; --", "MasterUsername: "),
    ("DatabaseParameters", "Parameters", {"require_secure_transport": "0"}, '"0" is not known'),
    ("DatabaseParameters", "Parameters", {"max_connections": "5"},
     "parameter max_connections is not"),
    ("DatabaseSubnets", "SubnetIds", [{"Ref": "DatabaseA"}],
     "one subnet in each of ap-northeast-2a"),
    ("MountTargetC", "IpAddress", "10.16.4.9", "property IpAddress is not known"),
    ("MountTargetC", "SubnetId", {"Ref": "WebA"}, "a mount target in ap-northeast-2a already"),
    ("LaunchTemplate", "LaunchTemplateData.UserData", "#cloud-config", "text in Base64"),
    ("LaunchTemplate", "LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit", 65,
     "65 is not within 1 to 64"),
    ("LaunchTemplate", "LaunchTemplateData.MetadataOptions.HttpTokens", "optional",
     'HttpTokens: "optional" is not known'),
    ("LaunchTemplate", "LaunchTemplateData.KeyName", "other", "the lab has one key pair"),
    ("BastionA", "MetadataOptions.InstanceMetadataTags", "enabled", '"enabled" is not known'),
    ("BastionA", "MetadataOptions.HttpTokens", "optional", 'HttpTokens: "optional" is not known'),
    ("BastionA", "UserData", "", "property UserData is not known"),
    ("BastionC", "SubnetId", {"Ref": "PublicA"}, "one bastion in ap-northeast-2a, already"),
    ("BastionA", "SubnetId", {"Ref": "Vpc"}, "is no AWS::EC2::Subnet of this template"),
])
def test_refused(resource: str, path: str, value: Any, said: str) -> None:
    tree = stack_tree.tree()
    tree.set(resource, path, value)
    with pytest.raises(TemplateError) as error:
        stack_tree.build(tree)
    assert said in str(error.value)
    assert error.value.line > 1 and error.value.file == "stack.yaml"


def test_the_line_is_that_of_the_property() -> None:
    text = stack_tree.PATH.read_text().splitlines()
    line = next(i for i, t in enumerate(text, 1) if "HealthCheckPath" in t)
    assert refused("TargetGroup", "HealthCheckPath", ["/"]) == (
        f"stack.yaml:{line}: TargetGroup: HealthCheckPath is not a text")


def test_a_rule_twice_is_refused() -> None:
    tree = stack_tree.tree()
    tree.add("Again", "AWS::EC2::SecurityGroupIngress", {
        "GroupId": {"Ref": "WebGroup"}, "IpProtocol": 6, "FromPort": 22, "ToPort": 22,
        "SourceSecurityGroupId": {"Ref": "BastionGroup"}})
    with pytest.raises(TemplateError, match="Again: the rule is there already, on line"):
        stack_tree.build(tree)


def test_one_of_each_is_built() -> None:
    tree = stack_tree.tree()
    tree.add("Second", "AWS::EFS::FileSystem", {})
    with pytest.raises(TemplateError, match="Second: the lab builds one AWS::EFS::FileSystem"):
        stack_tree.build(tree)
    tree.remove("Second")
    tree.remove("CpuPolicy")
    with pytest.raises(TemplateError, match="the template has 0"):
        stack_tree.build(tree)


def without(resource: str, path: str) -> str:
    tree = stack_tree.tree()
    tree.unset(resource, path)
    with pytest.raises(TemplateError) as error:
        stack_tree.build(tree)
    assert error.value.resource == resource and error.value.line > 1
    return error.value.what


def test_what_may_not_be_left_out() -> None:
    """AWS would accept each removal; the lab needs these properties."""
    assert "MultiAZ" in without("Database", "MultiAZ")
    assert "IamInstanceProfile is missing" in without("LaunchTemplate",
                                                      "LaunchTemplateData.IamInstanceProfile")
    assert "KeyName is missing" in without("BastionA", "KeyName")
    assert "SecurityGroupIds is missing" in without("MonitoringEndpoint", "SecurityGroupIds")
    assert "TargetGroupARNs is missing" in without("Group", "TargetGroupARNs")


def test_a_resource_that_nothing_is_made_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = stack_tree.tree()
    tree.set("Database", "DBSubnetGroupName", {"Ref": "Other"})
    tree.add("Other", "AWS::RDS::DBSubnetGroup", {
        "DBSubnetGroupDescription": "x", "SubnetIds": [{"Ref": "DatabaseA"}, {"Ref": "DatabaseC"}]})
    stack_tree.build(tree)   # accepted, although the database has another one
    tree.add("Twice", "AWS::EC2::LaunchTemplate", {})
    with pytest.raises(TemplateError, match="Twice: the lab builds one AWS::EC2::LaunchTemplate"):
        stack_tree.build(tree)
    tree.remove("Twice")
    # A type with ids that no part of the lab builds.
    monkeypatch.setitem(KINDS, "AWS::EC2::Volume", KINDS["AWS::EC2::InternetGateway"])
    tree.add("Disk", "AWS::EC2::Volume", {"Size": 1})
    with pytest.raises(TemplateError, match="Disk: the lab does not build it"):
        stack_tree.build(tree)


def test_a_third_zone_is_refused() -> None:
    tree = stack_tree.tree()
    tree.add("WebB", "AWS::EC2::Subnet", {
        "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.16.9.0/24",
        "AvailabilityZone": "ap-northeast-2b"})
    with pytest.raises(TemplateError, match=r"the lab has two zones.*2a, ap-northeast-2b, ap-"):
        stack_tree.build(tree)


def test_a_cloud_config_is_understood_before_anything_is_built() -> None:
    text = stack_tree.PATH.read_text().splitlines()
    line = next(i for i, t in enumerate(text, 1) if t.strip() == "UserData:")
    told = refused("LaunchTemplate", "LaunchTemplateData.UserData", {
        "Fn::Base64": "#cloud-config\nruncmd: [ls]\nrunmcd: [ls]\n"})
    assert told == (f"stack.yaml:{line}: LaunchTemplate: UserData, line 3 of the cloud-config: "
                    "unknown key: runmcd")
    assert "more than 16384" in refused("LaunchTemplate", "LaunchTemplateData.UserData", {
        "Fn::Base64": "#cloud-config\n" + "#" * 16384})


def test_private_names_need_the_vpcs_names() -> None:
    tree = stack_tree.tree()
    tree.set("Vpc", "EnableDnsHostnames", False)
    with pytest.raises(TemplateError, match="the VPC must have EnableDnsHostnames"):
        stack_tree.build(tree)


# properties without effect

def test_the_list_names_known_types_only() -> None:
    for kind in WITHOUT_EFFECT:
        assert kind.partition(".")[0] in KINDS
    assert set(RESOURCE_ATTRIBUTES_WITHOUT_EFFECT) | {"Type", "Properties", "Condition"} == set(
        ATTRIBUTES)


def test_what_has_no_effect_changes_nothing_but_what_is_not_listed_does() -> None:
    tree = stack_tree.tree()
    tree.set("Database", "KmsKeyId", "key")
    tree.set("Vpc", "Tags", [{"Key": "a", "Value": "b"}])
    assert stack_tree.build(tree) == stack_tree.build(stack_tree.tree())
    tree.set("TargetGroup", "HealthCheckPath", "/")
    assert stack_tree.build(tree) != stack_tree.build(stack_tree.tree())
