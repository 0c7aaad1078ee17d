"""The API of instance refreshes, versions and warm pools (lab/aws/refreshing.py, aws/in_moto.py), asked by
boto3. In a process of its own: the lab changes moto."""
from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2]
NAME = {"AutoScalingGroupName": "web"}
STATE: dict[str, Any] = {"desired": 0, "min": 0, "max": 3, "version": 1, "instances": {}, "waiting": {}}


def test_the_api_of_instance_refreshes() -> None:
    done = subprocess.run([sys.executable, "-m", "lab.unit.test_refreshing"], cwd=TESTS, text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def main() -> None:
    from parts import moto_common  # noqa: F401  (before anything of moto)
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws
    from lab.aws import in_moto, refreshing

    def refused(call: Any, code: str, **more: Any) -> None:
        try:
            call(**NAME, **more)
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error
        else:
            raise AssertionError(f"{more} was accepted")

    def user_data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    with mock_aws():
        in_moto.install()
        refreshing.install()
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
        ec2 = boto3.client("ec2", "ap-northeast-2", **keys)
        scaling = boto3.client("autoscaling", "ap-northeast-2", **keys)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        data = {"ImageId": "ami-12345678", "InstanceType": "t3.micro", "UserData": user_data("one")}
        template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)[
            "LaunchTemplate"]["LaunchTemplateId"]
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={
            **data, "UserData": user_data("two")})
        scaling.create_auto_scaling_group(
            **NAME, MinSize=0, MaxSize=3, VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
        group = in_moto.Group("123456789012", "ap-northeast-2", "web")

        # An instance has the version that it was launched of.
        assert [group.launch(subnet, version)["user_data"] for version in (1, 2)] == ["one", "two"]
        shown = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        assert shown["LaunchTemplate"]["Version"] == "1"
        assert [i["LaunchTemplate"]["Version"] for i in shown["Instances"]] == ["1", "2"]

        start, back, cancel = (scaling.start_instance_refresh, scaling.rollback_instance_refresh,
                               scaling.cancel_instance_refresh)
        wanted = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": "2"}}
        refused(cancel, "ActiveInstanceRefreshNotFound")
        refused(start, "ValidationError", Preferences={"AutoRollback": True})
        refused(start, "ValidationError", Preferences={"MaxHealthyPercentage": 150})
        refused(start, "ValidationError", Strategy="ReplaceRootVolume")
        refused(start, "InvalidLaunchTemplateId.VersionNotFound",
                DesiredConfiguration={"LaunchTemplate": {**wanted["LaunchTemplate"], "Version": "9"}})
        name = start(**NAME, DesiredConfiguration=wanted, Preferences={"AutoRollback": True})[
            "InstanceRefreshId"]
        refused(start, "InstanceRefreshInProgress")
        assert back(**NAME)["InstanceRefreshId"] == name
        orders = group.sync({**STATE, "refreshes": []})["orders"]
        assert [order["kind"] for order in orders] == ["refresh", "rollback"]
        assert (orders[0]["id"], orders[0]["version"]) == (name, 2)

        # What the controller tells is what is shown.
        found = scaling.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]
        assert found["Status"] == "Pending" and found["DesiredConfiguration"] == wanted
        group.sync({**STATE, "version": 2, "refreshes": [{
            **in_moto.refreshes[name], "Status": "Successful", "EndTime": 2.0, "PercentageComplete": 100}]})
        found = scaling.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]
        assert (found["Status"], found["EndTime"].timestamp()) == ("Successful", 2.0)
        shown = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        assert shown["LaunchTemplate"]["Version"] == "2"

        scaling.put_warm_pool(**NAME, PoolState="Running", InstanceReusePolicy={"ReuseOnScaleIn": True})
        assert group.sync({**STATE, "refreshes": []})["pool"] == {
            "state": "Warmed:Running", "least": 0, "prepared": None, "reuse": True}
        scaling.delete_warm_pool(**NAME, ForceDelete=True)
        assert group.sync({**STATE, "refreshes": []})["pool"] is None

        # There is no way back without a desired configuration.
        start(**NAME)
        refused(back, "IrreversibleInstanceRefresh")
        assert cancel(**NAME)["InstanceRefreshId"] != name


if __name__ == "__main__":
    main()
