#!/usr/bin/python3 -IS
"""A STAND-IN for AWS's command line and one account, for test_deploy.py: the state is a JSON file
($FAKE_AWS), and each call is a line of the file beside it, .calls. Answers have the members that
userdata/deploy reads; the refusals have the words of AWS as reference pages give them. Faults are
switched on by members of the state: see test_deploy.py.

"end_after": so many changing calls are carried out, and then the caller is killed.
"""
import fcntl
import itertools
import json
import os
import signal
import sys

PATH = os.environ["FAKE_AWS"]
READS = ("describe", "get", "list", "head")


def fail(code: str, text: str = "refused") -> None:
    sys.stderr.write(f"\nAn error occurred ({code}) when calling the Some operation: {text}\n")
    sys.exit(254)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def stack_event(state: dict, status: str, name: str, reason: str = "") -> None:
    state["events"].insert(0, {
        "LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason,
        "StackId": "arn:stack", "PhysicalResourceId": "arn:stack" if name == "practice" else name})


def cloudformation(state: dict, verb: str, words: list[str]) -> object:
    if option(words, "--stack-name").endswith("-image"):
        return image_stack(state["image"], verb, words)
    if verb in ("create-stack", "update-stack"):
        given = {p["ParameterKey"]: state["parameters"][p["ParameterKey"]] if "UsePreviousValue" in p
                 else p["ParameterValue"] for p in json.loads(option(words, "--parameters"))}
        if verb == "update-stack" and given == state["parameters"]:
            fail("ValidationError", "No updates are to be performed.")
        state["stack"] = verb.split("-")[0].upper() + "_IN_PROGRESS"
        version = given.pop("WebVersion", "1")
        if verb == "create-stack":
            state["newest"] = int(version)
        elif version != state["version"]:
            fail("ValidationError", "an update gives the group another version than it has")
        elif given != {k: v for k, v in state["parameters"].items() if k != "WebVersion"}:
            state["newest"] += 1  # each parameter is one of the launch template, here
        state["version"] = version
        state["parameters"] = {**given, "WebVersion": version}
        stack_event(state, state["stack"], "practice")
        return {"StackId": "arn:stack"}
    if verb == "delete-stack":
        state["stack"] = ""
        state["deleted"].append("arn:stack")
        return {}
    if verb == "list-stacks":
        return {"StackSummaries": [{"StackName": "other", "StackId": "arn:other"}, *(
            {"StackName": "practice", "StackId": one} for one in state["deleted"])]}
    if option(words, "--stack-name") in state["deleted"]:
        return resource(state, words)
    if not state["stack"]:
        fail("ValidationError", "Stack with id practice does not exist")
    if verb == "describe-stacks":
        found = {"StackId": "arn:stack", "StackStatus": state["stack"], "Outputs": [
            {"OutputKey": "Url", "OutputValue": state["url"]}], "Parameters": [
            {"ParameterKey": k, "ParameterValue": v} for k, v in state["parameters"].items()]}
        if state.get("looks"):  # an operation lasts so many of them
            state["looks"] -= 1
        elif state["stack"].endswith("_IN_PROGRESS"):
            rolls_back = state["stack"] == "CREATE_IN_PROGRESS" and state.get("ends_as")
            state["stack"] = "ROLLBACK_IN_PROGRESS" if rolls_back else \
                state["stack"].replace("IN_PROGRESS", "COMPLETE")
            if rolls_back:
                state["looks"] = 1
                stack_event(state, "CREATE_FAILED", "Bastion", "Your quota allows for 0 more")
                stack_event(state, "CREATE_FAILED", "Database", "Resource creation cancelled")
        return {"Stacks": [found]}
    if verb == "describe-stack-events":
        return {"StackEvents": state["events"]}
    return resource(state, words)


def image_stack(own: dict, verb: str, words: list[str]) -> object:
    """Beside the other stack; it makes an image each time that it is made or changed."""
    if verb in ("create-stack", "update-stack"):
        given = {p["ParameterKey"]: p["ParameterValue"] for p in json.loads(option(words, "--parameters"))}
        if verb == "update-stack" and given == own["parameters"]:
            fail("ValidationError", "No updates are to be performed.")
        own.update(stack=verb.split("-")[0].upper() + "_IN_PROGRESS", parameters=given)
    elif verb == "delete-stack":
        own["stack"] = ""
    elif not own["stack"]:
        fail("ValidationError", "Stack with id practice-image does not exist")
    elif verb == "describe-stack-events":
        return {"StackEvents": [{"LogicalResourceId": "Image", "ResourceStatus": "CREATE_FAILED",
                                 "ResourceStatusReason": "Workflow step ApplyBuildComponents failed"}]}
    elif verb == "describe-stacks":
        found = {"StackStatus": own["stack"], "Parameters": [
            {"ParameterKey": k, "ParameterValue": v} for k, v in own["parameters"].items()],
            "Outputs": [{"OutputKey": "Image", "OutputValue": own.get("made", "")}]}
        if own["stack"].endswith("_IN_PROGRESS"):
            own["stack"] = own.get("ends_as") or own["stack"].replace("IN_PROGRESS", "COMPLETE")
            if not own.get("ends_as"):
                own["made"] = f"ami-{len(own['images']) + 1:08x}"
                own["images"].append(own["made"])
        return {"Stacks": [found]}
    return {}


def resource(state: dict, words: list[str]) -> object:
    name = option(words, "--logical-resource-id")
    if name in state.get("not_yet", []):
        fail("ValidationError", f"Resource {name} does not exist for stack practice")
    return {"StackResourceDetail": {"PhysicalResourceId": {
        "S3Endpoint": "vpce-0123", "FileSystem": "fs-0123"}.get(name, name)}}


def answer(state: dict, service: str, verb: str, words: list[str]) -> object:
    if service == "sts":
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/admin"}
    if service == "freetier":
        return {"accountPlanType": state["plan"], "accountPlanStatus": "ACTIVE"}
    if service == "service-quotas":
        return {"Quota": {"Value": state["quota"]}}
    if service == "cloudformation":
        return cloudformation(state, verb, words)
    if service == "ssm":
        return {"Parameter": {"Value": state["parent"]}}
    if service == "logs":
        return {"logGroups": [{"logGroupName": name} for name in state["logs"]]}
    if service == "efs":
        return {"FileSystems": [{"FileSystemId": "fs-0123"}, {"FileSystemId": "fs-other"}]}
    if service == "elbv2":
        return {"TargetHealthDescriptions": [
            {"Target": {"Id": f"i-{n}"}, "TargetHealth": {"State": state["health"]}} for n in (1, 2)]}
    if service == "autoscaling":
        return autoscaling(state, verb, words)
    if service == "s3":
        return {}
    if service == "s3api":
        if verb == "head-bucket" and state["bucket"] != "own":
            fail(*{"": ("404", "Not Found"), "other": ("403", "Forbidden")}[state["bucket"]])
        if verb == "get-bucket-policy":
            if not state.get("policy"):
                fail("NoSuchBucketPolicy", "The bucket policy does not exist")
            return {"Policy": state["policy"]}
        if verb == "put-bucket-policy":
            state["policy"] = option(words, "--policy")
        if verb == "delete-bucket" and state.get("other_objects"):
            fail("BucketNotEmpty", "The bucket you tried to delete is not empty")
        state["bucket"] = {"create-bucket": "own", "delete-bucket": ""}.get(verb, state["bucket"])
        return {}
    if service == "rds":
        if verb == "describe-orderable-db-instance-options":
            good = option(words, "--engine-version") in state["engines"]
            return {"OrderableDBInstanceOptions": [{"MultiAZCapable": True}] if good else []}
        if verb == "describe-db-engine-versions":
            return {"DBEngineVersions": [{"EngineVersion": v} for v in state["engines"]]}
        if verb == "describe-db-snapshots":
            return {"DBSnapshots": [
                {"DBSnapshotIdentifier": name, "AllocatedStorage": 20, "DBInstanceIdentifier": of}
                for name, of in (("final", "Database"), ("foreign", "another"))]}
        return {"DBInstances": [{"MultiAZ": state["multi"], "AvailabilityZone": "ap-northeast-2a",
                                 "SecondaryAvailabilityZone": "ap-northeast-2c"}]}
    return ec2(state, verb, words)


def autoscaling(state: dict, verb: str, words: list[str]) -> object:
    if verb == "describe-auto-scaling-groups":
        gone = state["stack"] == "ROLLBACK_COMPLETE"
        return {"AutoScalingGroups": [] if gone else [{
            "Instances": [{"InstanceId": "i-1"}],
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": state["version"]}}]}
    refreshes = state.setdefault("refreshes", [])
    now = refreshes[0] if refreshes else {"Status": ""}
    runs = now["Status"] in ("Pending", "InProgress")
    if verb == "start-instance-refresh":
        if runs or now["Status"] == "RollbackInProgress":
            fail("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
        number = len(refreshes) + 1
        refreshes.insert(0, {"InstanceRefreshId": f"refresh-{number}", "Status": "Pending", "Preferences": json.loads(
            option(words, "--preferences")), "DesiredConfiguration": json.loads(
            option(words, "--desired-configuration"))})
        return {"InstanceRefreshId": f"refresh-{number}"}
    if verb == "rollback-instance-refresh":
        if not runs:
            fail("ActiveInstanceRefreshNotFound", "No active Instance Refresh")
        now["Status"] = "RollbackInProgress"
        return {"InstanceRefreshId": now["InstanceRefreshId"]}
    if verb == "describe-instance-refreshes":
        answer = json.loads(json.dumps(refreshes))
        step(state, now)
        return {"InstanceRefreshes": answer}
    return {"Activities": [*state.get("activities", []), {
        "StatusCode": "Failed", "Description": "Launching a new EC2 instance", "Cause": "before",
        "StartTime": "2026-12-01T04:00:00Z", "StatusMessage": "The specified instance type is not eligible"}]}


def step(state: dict, refresh: dict) -> None:
    """What happens until the next look."""
    activities = state.setdefault("activities", [])
    launched = {"StatusCode": "Successful", "Description": "Launching a new EC2 instance: i-0a",
                "Cause": "in response to an instance refresh", "StartTime": "2026-12-01T05:00:00.5Z"}
    if refresh["Status"] == "RollbackInProgress":
        refresh["Status"] = state.get("rollback_ends", "RollbackSuccessful")
    elif refresh["Status"] == "Pending":
        refresh.update(Status="InProgress", PercentageComplete=0, StartTime="2026-12-01T05:00:00+00:00")
        activities[:0] = [{**launched, "StatusCode": "MidLifecycleAction"}]
    elif refresh["Status"] == "InProgress" and not refresh.setdefault("seen", False):
        refresh["seen"] = True
    elif refresh["Status"] == "InProgress" and state.get("bad"):
        activities[:1] = {
            "abandoned": [{**launched, "StatusCode": "Cancelled", "StatusMessage": "Instance failed to complete "
                           "user's Lifecycle Action: Lifecycle Action with token t was abandoned"}],
            "unhealthy": [{**launched, "Description": "Terminating EC2 instance: i-0a", "StatusCode": "InProgress",
                           "Cause": "taken out of service in response to an ELB system health check failure"},
                          launched]}[state["bad"]]
    elif refresh["Status"] == "InProgress" and not refresh["PercentageComplete"]:
        refresh["PercentageComplete"] = 50
        activities[:1] = [{**launched, "Description": "Terminating EC2 instance: i-1",
                           "StatusCode": "WaitingForELBConnectionDraining"}, launched]
    elif refresh["Status"] == "InProgress":
        refresh.update(Status="Successful", PercentageComplete=100)
        state["version"] = refresh["DesiredConfiguration"]["LaunchTemplate"]["Version"]


def ec2(state: dict, verb: str, words: list[str]) -> object:
    if verb == "describe-vpcs":
        return {"Vpcs": state["vpcs"]}
    if verb == "describe-images":
        return {"Images": [{"ImageId": name} for name in state["image"]["images"]]}
    if verb == "deregister-image":
        state["image"]["images"].remove(option(words, "--image-id"))
        return {}
    if verb == "describe-key-pairs":
        if not state["key"]:
            fail("InvalidKeyPair.NotFound", "The key pair does not exist")
        return {"KeyPairs": [{"PublicKey": state["key"]}]}
    if verb == "import-key-pair":
        with open(option(words, "--public-key-material").removeprefix("fileb://")) as file:
            state["key"] = file.read()
        return {}
    if verb == "delete-key-pair":
        state["key"] = ""
        return {}
    if verb == "describe-instance-types":
        names = itertools.takewhile(lambda word: not word.startswith("-"),
                                    words[words.index("--instance-types") + 1:])
        return {"InstanceTypes": [
            {"InstanceType": n, "FreeTierEligible": n in ("t3.micro", "t3.small"),
             "VCpuInfo": {"DefaultVCpus": 2}} for n in names]}
    if verb == "describe-launch-templates":
        return {"LaunchTemplates": [{"LatestVersionNumber": state["newest"]}]}
    if verb == "describe-instances":
        if "--filters" in words:
            return {"Reservations": []}
        return {"Reservations": [{"Instances": [{"PrivateIpAddress": a} for a in state["addresses"]]}]}
    if verb == "describe-instance-type-offerings":
        types = option(words, "--filters").partition("Values=")[2].split(",")
        return {"InstanceTypeOfferings": [{"Location": "ap-northeast-2" + zone, "InstanceType": one}
                                          for zone in state["zones"] for one in types]}
    if verb == "describe-managed-prefix-lists":
        return {"PrefixLists": [{"PrefixListId": state["list"]}]}
    if verb == "get-managed-prefix-list-entries":
        return {"Entries": [{"Cidr": cidr} for cidr in state["ranges"]]}
    if verb == "get-console-output":
        if "--latest" in words and state.get("ended"):
            fail("UnsupportedOperation", "The instance is not running")
        return {"Output": "booting\nuser-data: the certificates have another checksum\n"}
    raise SystemExit(f"fake aws: {verb}?")


def main() -> None:
    words = sys.argv[1:]
    service, verb = words[:2]
    with open(PATH, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        state = json.load(file)
        with open(PATH + ".calls", "a") as calls:
            calls.write(json.dumps(words) + "\n")
        if service in state.get("denied", []):
            fail("AccessDeniedException", "not authorized")
        if verb in state.get("unknown", []):
            sys.stderr.write("usage: aws [options] <command> <subcommand>\naws: error: argument operation: "
                             "Found invalid choice\n")
            sys.exit(252)
        found = answer(state, service, verb, words)
        changes = service == "s3" or not verb.startswith(READS)
        if changes and "end_after" in state:
            state["end_after"] -= 1
        file.seek(0)
        file.truncate()
        json.dump(state, file)
        file.flush()
    if changes and state.get("end_after") == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    print(json.dumps(found))


main()
