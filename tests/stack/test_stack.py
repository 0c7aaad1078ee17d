"""userdata/stack.yaml by itself, without AWS and without the lab: its rules against the
document's and against each other, quotas, secrets, and cfn-lint.

    python -m pytest -c tests/stack/pytest.ini tests/stack
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from flows import ANYWHERE, LINUX, UNKNOWN, needed, nothing, rules
from reading import ROOT, STACK, USER_DATA, Row, Template

# VPC User Guide, "Amazon VPC quotas": 20 in each direction, the default deny included.
ACL_QUOTA = 20
# CloudFormation User Guide, "CloudFormation quotas".
TEMPLATE_BYTES, RESOURCES, PARAMETERS, OUTPUTS = 1 << 20, 500, 200, 200
# EC2 User Guide, "Access instance metadata": before it is base64-encoded.
USER_DATA_BYTES = 16384
ALL_TCP, OLD_CLIENTS = (0, 65535), (49152, 65535)
S3 = "S3Cidr"

# The document's rows, (kind of subnet, way, number, ports, other side); "own" is the web
# subnet of the same zone. The second list has those that stand there differently, and as what.
DOCUMENT = [
    ("Public", "In", 100, (22, 22), ANYWHERE),
    ("Public", "In", 200, LINUX, "WebACidr"), ("Public", "In", 300, LINUX, "WebCCidr"),
    ("Public", "Out", 100, OLD_CLIENTS, ANYWHERE),
    ("Public", "Out", 200, (22, 22), "WebACidr"), ("Public", "Out", 300, (22, 22), "WebCCidr"),
    ("Web", "In", 100, (22, 22), "PublicACidr"), ("Web", "In", 200, (22, 22), "PublicCCidr"),
    ("Web", "Out", 100, LINUX, "PublicACidr"), ("Web", "Out", 200, LINUX, "PublicCCidr"),
    ("Public", "In", 1100, (80, 80), ANYWHERE),
    ("Public", "In", 1200, ALL_TCP, "WebACidr"), ("Public", "In", 1300, ALL_TCP, "WebCCidr"),
    ("Public", "In", 2100, LINUX, S3), ("Public", "In", 2200, (443, 443), "own"),
    ("Public", "Out", 2100, (443, 443), S3), ("Public", "Out", 2200, LINUX, "own"),
    ("Web", "In", 2100, LINUX, S3), ("Web", "Out", 2100, (443, 443), S3),
    ("Web", "Out", 3100, (3306, 3306), "DatabaseACidr"),
    ("Web", "Out", 3200, (3306, 3306), "DatabaseCCidr"),
    ("Database", "In", 3100, (3306, 3306), "WebACidr"),
    ("Database", "In", 3200, (3306, 3306), "WebCCidr"),
    ("Database", "Out", 3100, LINUX, "WebACidr"), ("Database", "Out", 3200, LINUX, "WebCCidr"),
    # Lost with the figures; as the description restates them.
    ("Public", "Out", 1200, (80, 80), "WebACidr"), ("Public", "Out", 1300, (80, 80), "WebCCidr"),
    ("Web", "In", 1100, (80, 80), "PublicACidr"), ("Web", "In", 1200, (80, 80), "PublicCCidr"),
    ("Web", "Out", 1100, UNKNOWN, "PublicACidr"), ("Web", "Out", 1200, UNKNOWN, "PublicCCidr"),
    ("Web", "In", 3100, LINUX, "DatabaseACidr"), ("Web", "In", 3200, LINUX, "DatabaseCCidr"),
]
REPLACED = {
    ("Public", "Out", 100): UNKNOWN,   # clients that are not Windows
    ("Public", "In", 1200): UNKNOWN,   # answers to ALB nodes, and no more
    ("Public", "In", 1300): UNKNOWN,
    ("Public", "In", 2100): UNKNOWN,   # answers to NAT gateways
}
DOCUMENT_GROUPS = [
    ("BastionGroup", "In", 22, ANYWHERE), ("BastionGroup", "Out", 22, "WebGroup"),
    ("WebGroup", "In", 22, "BastionGroup"),
    ("AlbGroup", "In", 80, ANYWHERE), ("AlbGroup", "Out", 80, "WebGroup"),
    ("WebGroup", "In", 80, "AlbGroup"), ("WebGroup", "Out", 443, "52.219.0.0/16"),
    ("WebGroup", "Out", 2049, "MountTargetGroup"), ("MountTargetGroup", "In", 2049, "WebGroup"),
    ("WebGroup", "Out", 3306, "DatabaseGroup"), ("DatabaseGroup", "In", 3306, "WebGroup"),
]
# Ours: the health check, the endpoints, ping.
ADDED_GROUPS = [
    ("AlbGroup", "Out", 8099, "WebGroup"), ("WebGroup", "In", 8099, "AlbGroup"),
    ("WebGroup", "Out", 443, "EndpointGroup"), ("EndpointGroup", "In", 443, "WebGroup"),
    ("WebGroup", "Out", 443, "pl-78a54011"), ("WebGroup", "Out", 8, ANYWHERE),
]


@pytest.fixture(scope="module")
def stack() -> Template:
    return Template()


# the rules

def test_acl_rows_say_in_their_names_what_they_are(stack: Template) -> None:
    for name, row in stack.rows().items():
        number = stack.properties(name)["RuleNumber"]
        assert name == f"{row.acl}{row.way}{number}"
        assert stack.properties(name)["RuleAction"] == "allow"
    assert len(set(stack.rows().values())) == len(stack.rows())


def test_acls_keep_to_the_quota(stack: Template) -> None:
    counts = Counter((row.acl, row.way) for row in stack.rows().values())
    assert len(counts) == 12
    assert all(count + 1 <= ACL_QUOTA for count in counts.values()), counts
    readme = (ROOT / "userdata" / "README.md").read_text(encoding="utf-8")
    for kind in ("Public", "Web", "Database"):
        numbers = counts[f"{kind}AclA", "In"], counts[f"{kind}AclA", "Out"]
        assert numbers == (counts[f"{kind}AclC", "In"], counts[f"{kind}AclC", "Out"])
        assert f"| `{kind}AclA`, `{kind}AclC` | {numbers[0]} | {numbers[1]} |" in readme


def test_each_subnet_has_an_acl_of_its_own(stack: Template) -> None:
    acls = {subnet: stack.acl_of(subnet) for subnet in stack.of("EC2::Subnet")}
    assert acls == {f"{kind}{zone}": f"{kind}Acl{zone}"
                    for kind in ("Public", "Web", "Database") for zone in "AC"}


@pytest.mark.parametrize("zone", ["A", "C"])
def test_rows_of_the_document_are_there(stack: Template, zone: str) -> None:
    rows = stack.rows()
    for kind, way, number, ports, side in DOCUMENT:
        cidr = stack.plain({"Ref": f"Web{zone}Cidr" if side == "own" else side})
        expected = REPLACED.get((kind, way, number), ports)
        assert (kind, way, number) not in REPLACED or expected != ports
        acl = f"{kind}Acl{zone}"
        assert rows[f"{acl}{way}{number}"] == Row(acl, way, 6, *expected, cidr)


def test_rows_are_those_that_the_security_groups_need(stack: Template) -> None:
    rows, flows = set(stack.rows().values()), needed(stack)
    assert {row: flows[row] for row in flows if row not in rows} == {}, "missing"
    assert rows - set(flows) == set(), "for nobody"


def test_security_groups_have_the_document_s_rules_and_ours(stack: Template) -> None:
    there = [rule for rule in rules(stack) if not nothing(rule)]
    assert Counter((r.group, r.way, r.first, r.peer) for r in there) == Counter(
        DOCUMENT_GROUPS + ADDED_GROUPS)
    for rule in there:
        icmp = rule.protocol == "icmp"
        assert rule.protocol == "tcp" or icmp
        assert rule.last == (-1 if icmp else rule.first)


def test_what_a_group_sends_to_a_group_that_one_takes(stack: Template) -> None:
    groups = stack.of("EC2::SecurityGroup")
    there = [rule for rule in rules(stack) if rule.peer in groups]
    out = {(r.group, r.peer, r.protocol, r.first, r.last) for r in there if r.way == "Out"}
    taken = {(r.peer, r.group, r.protocol, r.first, r.last) for r in there if r.way == "In"}
    assert out == taken and len(out) == 6


def test_no_group_has_the_egress_that_is_added_to_groups_without(stack: Template) -> None:
    # CloudFormation Template Reference, AWS::EC2::SecurityGroup: without egress rules all is let out.
    for name in stack.of("EC2::SecurityGroup"):
        egress = stack.properties(name).get("SecurityGroupEgress")
        assert egress, f"{name} has no egress rules of its own"
        assert all(rule["CidrIp"] != ANYWHERE or rule["IpProtocol"] == "icmp"
                   for rule in egress if "CidrIp" in rule)


# the rest of the template

def test_only_what_the_lab_can_build(stack: Template) -> None:
    kinds = {r["Type"].removeprefix("AWS::") for r in stack.resources.values()}
    assert kinds <= set("""EC2::VPC EC2::Subnet EC2::InternetGateway EC2::VPCGatewayAttachment
        EC2::EIP EC2::NatGateway EC2::RouteTable EC2::Route EC2::SubnetRouteTableAssociation
        EC2::NetworkAcl EC2::NetworkAclEntry EC2::SubnetNetworkAclAssociation EC2::SecurityGroup
        EC2::SecurityGroupIngress EC2::SecurityGroupEgress EC2::VPCEndpoint EC2::Instance
        EC2::LaunchTemplate AutoScaling::AutoScalingGroup AutoScaling::ScalingPolicy
        ElasticLoadBalancingV2::LoadBalancer ElasticLoadBalancingV2::TargetGroup
        ElasticLoadBalancingV2::Listener RDS::DBInstance RDS::DBSubnetGroup
        RDS::DBParameterGroup EFS::FileSystem EFS::MountTarget IAM::Role
        IAM::Policy IAM::InstanceProfile""".split())
    assert "Transform" not in stack.root


def test_the_console_s_form_has_every_parameter_once(stack: Template) -> None:
    form = stack.root["Metadata"]["AWS::CloudFormation::Interface"]
    shown = [name for group in form["ParameterGroups"] for name in group["Parameters"]]
    assert Counter(shown) == Counter(list(stack.parameters))
    assert set(form["ParameterLabels"]) <= set(stack.parameters)


def test_no_parameter_is_free_of_constraints(stack: Template) -> None:
    for name, p in stack.parameters.items():
        number = {"MinValue", "MaxValue"} <= set(p) or "AllowedValues" in p
        assert number or "AllowedPattern" in p or p["Type"].startswith("AWS::"), name


def test_no_secret_goes_through_the_template(stack: Template) -> None:
    assert "resolve:" not in stack.text
    assert not any("NoEcho" in p or re.search("(?i)password|secret|token", name)
                   for name, p in stack.parameters.items())
    assert "MasterUserPassword" not in stack.resources["Database"]["Properties"]
    values = [str(output["Value"]) for output in stack.outputs.values()]
    asked = [v for v in values if re.search("(?i)password|secret", v)]
    assert asked == [str({"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]})]


def test_instances_answer_metadata_with_a_token_only(stack: Template) -> None:
    launch = stack.properties("LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"]
    assert launch == {"HttpEndpoint": "enabled", "HttpTokens": "required",
                      "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"}
    for name in stack.of("EC2::Instance"):
        options = stack.properties(name)["MetadataOptions"]
        assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_everything_stored_is_encrypted(stack: Template) -> None:
    disks = [stack.properties(name) for name in stack.of("EC2::Instance")]
    disks.append(stack.properties("LaunchTemplate")["LaunchTemplateData"])
    assert all(d["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] for d in disks)
    assert stack.properties("Database")["StorageEncrypted"]
    assert stack.properties("FileSystem")["Encrypted"]


def test_the_role_may_do_two_things(stack: Template) -> None:
    inline, = stack.properties("WebRole")["Policies"]
    attached, = map(stack.properties, stack.of("IAM::Policy"))
    assert attached["Roles"] == ["WebRole"]
    metric, = inline["PolicyDocument"]["Statement"]
    assert metric["Action"] == "cloudwatch:PutMetricData"
    assert metric["Condition"] == {"StringEquals": {"cloudwatch:namespace": "WebNodeAgent"}}
    secret, = attached["PolicyDocument"]["Statement"]
    assert secret["Action"] == "secretsmanager:GetSecretValue"
    assert secret["Resource"] == "Database.MasterUserSecret.SecretArn"


@pytest.mark.parametrize("name", ["WebRole", "WebProfile", "FileSystem", "MountTargetA"])
def test_the_file_system_does_not_wait_for_the_database(stack: Template, name: str) -> None:
    # It takes RDS a quarter of an hour, and the file system's policy names the role.
    assert "Database" not in stack.waits_for(name)
    assert "Database" in stack.waits_for("Group")
    assert "WebProfile" in stack.waits_for("FileSystem")  # so that the role has settled


def test_endpoints_let_through_what_the_role_needs(stack: Template) -> None:
    for name in stack.of("EC2::VPCEndpoint"):
        endpoint = stack.properties(name)
        statement, = endpoint["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Allow" and "*" not in str(statement["Action"])
        # CloudWatch has no resources to name, but namespaces.
        wide = statement["Resource"] == "*"
        assert wide == (name == "MonitoringEndpoint"), name
        # What dnf asks S3 for it asks without credentials.
        said = statement.get("Condition", {"StringEquals": {}})["StringEquals"]
        asker = None if endpoint["VpcEndpointType"] == "Gateway" else "WebRole.Arn"
        assert said.get("aws:PrincipalArn") == asker, name
        assert said.get("cloudwatch:namespace") == ("WebNodeAgent" if wide else None), name


@pytest.mark.parametrize("kind, good, bad", [
    ("VpcCidr", ["10.16.0.0/16", "192.168.255.0/28"],
     ["10.16.0.0/8", "10.16.0/16", "10.256.0.0/16", "10.016.0.0/16", "10.16.0.0"]),
    ("AdminCidr", ["0.0.0.0/0", "203.0.113.7/32"],
     ["203.0.113.7", "203.0.113.0/33", "999.0.113.0/24", "1.2.3.4.5/24"])])
def test_a_mistyped_network_is_refused_at_once(stack: Template, kind: str, good: list[str],
                                               bad: list[str]) -> None:
    # And not by the resource that comes after a quarter of an hour of database.
    for name, parameter in stack.parameters.items():
        if "Cidr" in name and (name.startswith(("Admin", "S3"))) == (kind == "AdminCidr"):
            pattern = re.compile(parameter["AllowedPattern"])
            assert all(pattern.fullmatch(text) for text in [*good, parameter["Default"]]), name
            assert not any(pattern.fullmatch(text) for text in bad), name


def test_the_file_system_takes_the_role_and_tls(stack: Template) -> None:
    allow, deny = stack.properties("FileSystem")["FileSystemPolicy"]["Statement"]
    assert (allow["Effect"], allow["Principal"]) == ("Allow", {"AWS": "WebRole.Arn"})
    assert all(action.startswith("elasticfilesystem:Client") for action in allow["Action"])
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_database_takes_tls_only_and_stands_in_both_zones(stack: Template) -> None:
    database = stack.properties("Database")
    assert database["MultiAZ"] and database["ManageMasterUserPassword"]
    assert not database["PubliclyAccessible"]
    parameters = stack.properties(database["DBParameterGroupName"])
    assert parameters["Parameters"] == {"require_secure_transport": "1"}
    family = parameters["Family"].removeprefix("mysql")
    assert str(database["EngineVersion"]).startswith(f"{family}.")
    zones = {stack.properties(subnet)["AvailabilityZone"]
             for subnet in stack.properties(database["DBSubnetGroupName"])["SubnetIds"]}
    assert len(zones) == 2


def test_the_policy_tracks_what_the_agent_pushes(stack: Template) -> None:
    target = stack.properties("CpuPolicy")["TargetTrackingConfiguration"]
    assert target["CustomizedMetricSpecification"] == {
        "Namespace": "WebNodeAgent", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Unit": "Percent", "Period": 10,
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "Group"}]}


def test_the_group_waits_for_what_its_instances_need(stack: Template) -> None:
    group = stack.resources["Group"]
    needs = {*stack.of("EC2::VPCEndpoint"), *stack.of("EFS::MountTarget"),
             *stack.of("ElasticLoadBalancingV2::Listener")}
    needs |= {name for name in stack.of("EC2::Route")
              if "NatGatewayId" in stack.properties(name)}
    # Instances have the profile by way of the launch template; nothing there names this one.
    needs |= set(stack.of("IAM::Policy"))
    assert needs <= set(group["DependsOn"])
    assert group["Properties"]["HealthCheckType"] == "ELB"
    assert stack.properties("TargetGroup")["HealthCheckPort"] == 8099


# the user-data

def test_the_user_data_in_it_is_the_file() -> None:
    make = ROOT / "tests" / "setup" / "make_user_data"
    done = subprocess.run([sys.executable, "-B", make, "--check"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_user_data_fits(stack: Template) -> None:
    encoded = stack.resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text = encoded["Fn::Base64"]["Fn::Sub"]
    assert text == USER_DATA.read_text(encoding="utf-8")
    # Each placeholder is worth an ARN, the longest that takes its place.
    longest = re.sub(r"\$\{[^!}][^}]*\}", "x" * 130, text)
    assert len(longest.encode()) <= USER_DATA_BYTES


def test_the_template_fits(stack: Template) -> None:
    assert len(stack.text.encode()) <= TEMPLATE_BYTES
    assert len(stack.resources) <= RESOURCES
    assert len(stack.parameters) <= PARAMETERS and len(stack.outputs) <= OUTPUTS


# cfn-lint

@pytest.mark.parametrize("region", ["ap-northeast-2", "us-east-1"])
def test_cfn_lint_has_nothing_to_say(stack: Template, tmp_path: Path, region: str) -> None:
    # Neither the template nor a file of the user's may silence it.
    assert "cfn-lint" not in stack.root["Metadata"]
    assert not any("cfn-lint" in r.get("Metadata", {}) for r in stack.resources.values())
    # It cannot judge EngineVersion, which comes by a parameter: its own list (1.51.0) ends before
    # 8.4.11, which RDS has since September 2026.
    quiet = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([Path(sys.executable).with_name("cfn-lint"), "--regions", region, "--",
                           STACK],
                          cwd=tmp_path, env=quiet, capture_output=True, text=True, timeout=100,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
