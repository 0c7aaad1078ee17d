"""userdata/stack.yaml by itself, without AWS and without the lab: quotas, secrets, and cfn-lint.
test_flows.py has its rules.

    python -m pytest -c tests/stack/pytest.ini tests/stack
"""
from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reading import ROOT, USER_DATA, Template, longest, named

# CloudFormation User Guide, "CloudFormation quotas".
TEMPLATE_BYTES, RESOURCES, PARAMETERS, OUTPUTS = 1 << 20, 500, 200, 200
# EC2 User Guide, "Access instance metadata": before it is base64-encoded.
USER_DATA_BYTES = 16384
TOPIC = "arn:aws:sns:ap-northeast-2:123456789012:practice"
# Everything that a parameter switches on.
ALL_ON = {"S3ThroughNat": "true", "NatGateways": "1", "PageWrites": "true", "AlarmTopic": TOPIC,
          "LifecycleHooks": "true", "LogBucket": "logs",
          "CertificateArn": "arn:aws:acm:ap-northeast-2:123456789012:certificate/0a-1b"}
ARM = {"Architecture": "arm64", "InstanceType": "t4g.small", "BastionInstanceType": "t4g.micro"}


def test_only_what_the_lab_can_build() -> None:
    stack = Template(ReadyServers="0")
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


def test_the_readme_s_table_has_every_parameter_with_its_default(stack: Template) -> None:
    readme = (ROOT / "userdata" / "README.md").read_text(encoding="utf-8")
    part = readme[readme.index("\n## Parameters\n"):readme.index("\n## What differs")]
    rows = re.findall(r"^\| (`.*`) \| (.*?) \|", part, re.M)
    shown = dict(pair for names, defaults in rows if "…" not in names for pair in
                 zip(re.findall(r"`(\w+)`", names), defaults.split(", ")))
    for name, parameter in stack.parameters.items():
        if "Default" not in parameter:
            assert f"`{name}`" in part and name not in shown
        elif not re.fullmatch(r"(Public|Web|Database)[AC]Cidr|VpcCidr|S3Cidr[A-D]|ImageId\w*", name):
            value = str(parameter["Default"]).replace("ap-northeast-2c", "-2c")
            assert shown[name].split(" ")[0] == (value or "–"), name


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


def test_the_role_may_do_three_things_and_complete_hooks(stack: Template) -> None:
    inline, = Template(LifecycleHooks="false").properties("WebRole")["Policies"]
    attached, = map(stack.properties, stack.of("IAM::Policy"))
    assert attached["Roles"] == ["WebRole"]
    metric, = inline["PolicyDocument"]["Statement"]
    assert metric["Action"] == "cloudwatch:PutMetricData"
    assert metric["Condition"] == {"StringEquals": {"cloudwatch:namespace": "WebNodeAgent"}}
    secret, login = attached["PolicyDocument"]["Statement"]
    # The users that wna-database makes, on this database.
    assert login["Action"] == "rds-db:connect"
    assert [each["Fn::Sub"].partition(":dbuser:")[2] for each in login["Resource"]] == [
        "${Database.DbiResourceId}/wna_iam", "${Database.DbiResourceId}/page_iam"]
    assert stack.properties("Database")["EnableIAMDatabaseAuthentication"]
    # A micro class has too little memory for it.
    for given in ({"DatabaseAuth": "password"}, {"DatabaseInstanceClass": "db.t4g.micro"}):
        by_password = Template(**given)
        attached, = map(by_password.properties, by_password.of("IAM::Policy"))
        assert attached["PolicyDocument"]["Statement"] == [secret]
        assert not by_password.properties("Database")["EnableIAMDatabaseAuthentication"]
        told = by_password.properties("LaunchTemplate")["LaunchTemplateData"]["UserData"]
        assert told["Fn::Base64"]["Fn::Sub"][1]["DatabaseAuth"] == "password"
    assert secret["Action"] == "secretsmanager:GetSecretValue"
    assert secret["Resource"] == "Database.MasterUserSecret.SecretArn"
    with_hooks = Template(LifecycleHooks="true")
    inline, = with_hooks.properties("WebRole")["Policies"]
    assert inline["PolicyDocument"]["Statement"][0] == metric
    _, hooks = inline["PolicyDocument"]["Statement"]
    endpoint, = with_hooks.properties("AutoScalingEndpoint")["PolicyDocument"]["Statement"]
    assert hooks["Action"] == endpoint["Action"] == [
        "autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
    assert hooks["Resource"] == endpoint["Resource"]
    assert hooks["Resource"]["Fn::Sub"].endswith("autoScalingGroupName/${AWS::StackName}-Group-*")


@pytest.mark.parametrize("name", ["WebRole", "WebProfile", "FileSystem", "MountTargetA"])
def test_the_file_system_does_not_wait_for_the_database(stack: Template, name: str) -> None:
    # It takes RDS a quarter of an hour, and the file system's policy names the role.
    assert "Database" not in stack.waits_for(name)
    assert "Database" in stack.waits_for("Group")
    assert "WebProfile" in stack.waits_for("FileSystem")  # so that the role has settled


@pytest.mark.parametrize("hooks", ["false", "true"])
def test_endpoints_let_through_what_the_role_needs(hooks: str) -> None:
    stack = Template(LifecycleHooks=hooks)
    assert ("AutoScalingEndpoint" in stack.resources) == (hooks == "true")
    for name in stack.of("EC2::VPCEndpoint"):
        endpoint = stack.properties(name)
        statement, *more = endpoint["PolicyDocument"]["Statement"]
        assert bool(more) == (name == "S3Endpoint")
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
        if "Cidr" in name and (name.startswith(("Admin", "Client", "S3"))) == (kind == "AdminCidr"):
            pattern = re.compile(parameter["AllowedPattern"])
            assert all(pattern.fullmatch(text) for text in [*good, stack.values[name]]), name
            assert not any(pattern.fullmatch(text) for text in bad), name


def test_the_file_system_takes_the_role_and_tls(stack: Template) -> None:
    allow, deny = stack.properties("FileSystem")["FileSystemPolicy"]["Statement"]
    assert (allow["Effect"], allow["Principal"]) == ("Allow", {"AWS": "WebRole.Arn"})
    assert all(action.startswith("elasticfilesystem:Client") for action in allow["Action"])
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_database_takes_tls_only_and_stands_in_both_zones(stack: Template) -> None:
    database = stack.properties("Database")
    assert database["MultiAZ"] == "true" and database["ManageMasterUserPassword"]
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
    assert needs <= named(group)
    assert "AutoScalingEndpoint" in named(group)
    assert group["Properties"]["HealthCheckType"] == "ELB"
    assert stack.properties("TargetGroup")["HealthCheckPort"] == 8099


@pytest.mark.parametrize("name, good, bad", [
    ("RepositoryKey", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQGN",
     b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nmQGN"), ("RepositoryKey", None, b"\x99\x01\x8d"),
    ("CaBundleSha256", "ab" * 32, "AB" * 32), ("CaBundleSha256", None, "ab" * 31)])
def test_what_user_data_trusts_has_its_form(stack: Template, name: str, good: Any, bad: Any) -> None:
    """Neither has a default, and the private key in place of the public one is refused."""
    assert "Default" not in stack.parameters[name]
    pattern = stack.parameters[name]["AllowedPattern"]
    good, bad = (base64.b64encode(each).decode() if isinstance(each, bytes) else each
                 for each in (good, bad))
    assert good is None or re.fullmatch(pattern, good)
    assert not re.fullmatch(pattern, bad) and not re.fullmatch(pattern, "")


def test_the_stack_is_complete_when_its_servers_are_ready(stack: Template) -> None:
    wait = stack.resources["Ready"]
    assert wait["DependsOn"] == "Group" and wait["Properties"]["Handle"] == {"Ref": "ReadyHandle"}
    # A size of the group could not be changed with the group: nothing updates a wait condition.
    assert wait["Properties"]["Count"] == {"Ref": "ReadyServers"}
    assert named(stack.resources["Group"]) >= {"LaunchTemplate"}
    assert "ReadyHandle" in named(stack.resources["LaunchTemplate"])
    _, put = stack.properties("S3Endpoint")["PolicyDocument"]["Statement"]
    assert (put["Action"], put["Resource"]["Fn::Sub"]) == (
        "s3:PutObject",
        "arn:${AWS::Partition}:s3:::cloudformation-waitcondition-${AWS::Region}/*")
    without = Template(ReadyServers="0")
    assert not {"Ready", "ReadyHandle"} & set(without.resources)
    assert len(without.properties("S3Endpoint")["PolicyDocument"]["Statement"]) == 1
    user_data = without.properties("LaunchTemplate")["LaunchTemplateData"]["UserData"]
    assert user_data["Fn::Base64"]["Fn::Sub"][1]["ReadyUrl"] == "none"


def test_no_update_gives_web_servers_an_unproved_version(stack: Template) -> None:
    group = stack.resources["Group"]
    assert set(group["UpdatePolicy"]) == {"AutoScalingScheduledAction"}
    # A rollback of an instance refresh needs a number, and an image's ID.
    assert group["Properties"]["LaunchTemplate"]["Version"] == {"Ref": "WebVersion"}
    assert stack.parameters["WebVersion"]["Default"] == "1"
    for name in ("ImageId", "ImageIdArm64"):
        assert stack.parameters[name]["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"


def test_hooks_keep_a_dead_agent_out_and_let_it_go() -> None:
    assert "LifecycleHookSpecificationList" not in Template(LifecycleHooks="false").properties("Group")
    launch, terminate = Template(LifecycleHooks="true").properties("Group")[
        "LifecycleHookSpecificationList"]
    assert (launch["LifecycleTransition"], launch["DefaultResult"]) == (
        "autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON")
    assert (terminate["LifecycleTransition"], terminate["DefaultResult"]) == (
        "autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE")
    # Auto Scaling API Reference, LifecycleHookSpecification: 30 to 7200.
    assert 30 <= terminate["HeartbeatTimeout"] < launch["HeartbeatTimeout"] <= 7200


def test_with_a_certificate_http_leads_to_https(stack: Template) -> None:
    assert "HttpsListener" not in stack.resources
    assert stack.properties("HttpListener")["DefaultActions"] == [
        {"Type": "forward", "TargetGroupArn": "TargetGroup"}]
    https = Template(**ALL_ON)
    redirect, = https.properties("HttpListener")["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    listener = https.properties("HttpsListener")
    assert (listener["Port"], listener["DefaultActions"][0]["TargetGroupArn"]) == (443, "TargetGroup")
    assert listener["Certificates"] == [{"CertificateArn": ALL_ON["CertificateArn"]}]
    assert "HttpsListener" in https.waits_for("Group")


def test_logs_only_with_a_bucket(stack: Template) -> None:
    def attributes(of: Template) -> dict[str, str]:
        return {a["Key"]: a["Value"] for a in of.properties("Alb")["LoadBalancerAttributes"]}
    assert not any("logs" in key for key in attributes(stack))
    added = {k: v for k, v in attributes(Template(**ALL_ON)).items() if "logs" in k}
    assert added == {f"{kind}_logs.s3.{key}": value for kind in ("access", "health_check")
                     for key, value in (("enabled", "true"), ("bucket", "logs"))}


def test_images_are_of_the_architecture_or_baked() -> None:
    def images(**given: str) -> tuple[str, str, str]:
        stack = Template(**given)
        launch = stack.properties("LaunchTemplate")["LaunchTemplateData"]["ImageId"]
        return (launch, *(stack.properties(name)["ImageId"] for name in ("BastionA", "BastionC")))
    assert all(image.endswith("-x86_64") for image in images())
    assert all(image.endswith("-arm64") for image in images(**ARM))
    baked, *bastions = images(**ARM, WebImage="ami-0123456789abcdef0")
    assert baked == "ami-0123456789abcdef0" and all(b.endswith("-arm64") for b in bastions)
    # The default types are refused with the other architecture, before anything is made.
    rule, = Template(**ARM).root["Rules"]["Machines"]["Assertions"]
    assert [Template(**given).true(rule["Assert"]) for given in
            ({}, ARM, {"Architecture": "arm64"}, {**ARM, "BastionInstanceType": "t3.micro"})] \
        == [True, True, False, False]


def test_alarms_only_with_a_topic(stack: Template) -> None:
    kinds = ("CloudWatch::Alarm", "RDS::EventSubscription")
    assert not any(stack.of(kind) for kind in kinds)
    with_topic = Template(AlarmTopic=TOPIC)
    alarms = {name: with_topic.properties(name) for name in with_topic.of("CloudWatch::Alarm")}
    assert len(alarms) == 3
    assert all(a["AlarmActions"] == a["OKActions"] == [TOPIC] for a in alarms.values())
    # The metric's alarm looks at what the policy looks at, and no data is an alarm.
    policy = with_topic.properties("CpuPolicy")["TargetTrackingConfiguration"]
    tracked, watched = policy["CustomizedMetricSpecification"], alarms["MetricAlarm"]
    assert all(tracked[key] == watched[key] for key in ("Namespace", "MetricName", "Dimensions"))
    assert watched["TreatMissingData"] == "breaching"
    assert alarms["UnhealthyAlarm"]["Period"] * alarms["UnhealthyAlarm"]["EvaluationPeriods"] == 600
    events, = map(with_topic.properties, with_topic.of("RDS::EventSubscription"))
    assert (events["SnsTopicArn"], events["SourceIds"]) == (TOPIC, ["Database"])


# the user-data

def test_the_user_data_in_it_is_the_file() -> None:
    make = ROOT / "tests" / "setup" / "make_user_data"
    done = subprocess.run([sys.executable, "-B", make, "--check"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_user_data_fits(stack: Template) -> None:
    encoded = stack.resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text = encoded["Fn::Base64"]["Fn::Sub"][0]
    assert text == USER_DATA.read_text(encoding="utf-8")
    assert len(longest(text).encode()) <= USER_DATA_BYTES


def test_the_template_fits(stack: Template) -> None:
    assert len(stack.text.encode()) <= TEMPLATE_BYTES
    assert len(stack.resources) <= RESOURCES
    assert len(stack.parameters) <= PARAMETERS and len(stack.outputs) <= OUTPUTS


# cfn-lint

@pytest.mark.parametrize("region, given", [
    ("ap-northeast-2", {}), ("us-east-1", {}), ("ap-northeast-2", ALL_ON), ("ap-northeast-2", ARM),
    ("ap-northeast-2", {"WebImage": "ami-0123456789abcdef0", "MultiAZ": "false"})])
def test_cfn_lint_has_nothing_to_say(stack: Template, tmp_path: Path, region: str,
                                     given: dict[str, str]) -> None:
    """It judges default values, also as property values: the parameters become defaults."""
    copy = tmp_path / "stack.yaml"
    text = stack.text
    for name, value in given.items():
        quoted = value if value.isdigit() else f"'{value}'"
        text, count = re.subn(rf"^(  {name}: .*Default: )('[^']*'|[^,}}]*)", rf"\g<1>{quoted}", text,
                              flags=re.M)
        assert count == 1, name
    copy.write_text(text)
    # Neither the template nor a file of the user's may silence it.
    assert "cfn-lint" not in stack.root["Metadata"]
    assert not any("cfn-lint" in r.get("Metadata", {}) for r in stack.resources.values())
    quiet = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([Path(sys.executable).with_name("cfn-lint"), "--regions", region, "--",
                           copy],
                          cwd=tmp_path, env=quiet, capture_output=True, text=True, timeout=100,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
