"""userdata/deploy: the verbs."""
from __future__ import annotations

import argparse
import difflib
import ipaddress
import os
from typing import Any

from .aws import Aws, AwsError, Deployment, Stop, say, warn
from .bucket import Bucket
from .group import Group
from .image import Image
from .local import Local, fetch
from .looks import Looks, Problem
from .refresh import Refresh, shown
from .result import Result, costs
from .stack import DEAD, Stack, is_own, parameters

FOLDER = "~/.web-node-agent"
OWN = ("KeyName", "RepositoryUrl", "RepositoryBucket", "RepositoryKey", "CaBundleSha256", "WebVersion")


def main(words: list[str]) -> int:
    options = parse(words)
    try:
        return VERBS[options.verb](begin(options))
    except (Stop, AwsError) as error:
        warn(str(error))
        return 1
    except KeyboardInterrupt:
        warn("broken off; the same command goes on")
        return 130


def setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def parse(words: list[str]) -> Any:
    root = argparse.ArgumentParser(
        prog="userdata/deploy", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="The stack of userdata/stack.yaml in your AWS account.\n\n"
        "  up      looks at everything that AWS could refuse, then makes or changes the stack,\n"
        "          waits until its servers are healthy, and prints address and costs\n"
        "  image   bakes an image with all packages for the servers, and prints the command that takes it\n"
        "  status  the state of stack, servers and database\n"
        "  down    removes what up has made, and lists what stays and costs\n\n"
        "Broken off at any point, the same command goes on.")
    root.add_argument("verb", choices=tuple(VERBS))
    root.add_argument("--stack", default="practice", help="its name (%(default)s)")
    root.add_argument("--region", default=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
                      help="default: AWS_REGION or AWS_DEFAULT_REGION")
    root.add_argument("--set", type=setting, action="append", default=[], metavar="NAME=VALUE",
                      help="a parameter of the template")
    root.add_argument("--admin-cidr", metavar="CIDR",
                      help="who may use SSH, ADDRESS/32; own: the public address of this machine")
    root.add_argument("--packages", metavar="FOLDER", help="with the RPMs, or a finished repository")
    root.add_argument("--rds-ca", metavar="FILE", help="RDS's certificates (default: downloaded once)")
    root.add_argument("--bucket", help="its name (default: made of stack, account and region)")
    root.add_argument("--folder", default=FOLDER, help="of keys and packages (%(default)s)")
    root.add_argument("--again", action="store_true", help="up: first deletes a stack that failed")
    root.add_argument("--dry-run", action="store_true",
                      help="prints every call; makes only those that change nothing")
    root.add_argument("--template", default=os.path.join(os.path.dirname(__file__), "..", "stack.yaml"),
                      help=argparse.SUPPRESS)
    options = root.parse_args(words)
    options.settings, options.default_folder = dict(options.set), FOLDER
    if not options.region:
        root.error("no region: --region, or the variable AWS_REGION")
    return options


def begin(options: Any) -> Deployment:
    aws = Aws(options.region, options.dry_run)
    caller = aws.read("sts", "get-caller-identity")
    deployment = Deployment(options, aws, caller["Account"], caller["Arn"].split(":")[1])
    say(f"account {caller['Account']} ({caller['Arn'].rpartition(':')[2]}), region {options.region}, "
        f"stack {options.stack}")
    return deployment


def check_settings(d: Deployment) -> None:
    for name in d.options.settings:
        if name in OWN:
            raise Stop(f"--set {name}: deploy itself makes what it names")
        if not d.template.has(name):
            near = difflib.get_close_matches(name, d.template.defaults, 1)
            raise Stop(f"--set {name}: no parameter of the template"
                       + (f"; do you mean {near[0]}?" if near else ""))


def settle(d: Deployment, kept: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters to be given, and all values that the stack would have. `kept`: those of a stack
    that is there, which stay."""
    template = d.template
    check_settings(d)
    given = {"KeyName": d.key_name, "RepositoryUrl": d.repository_url, "RepositoryBucket": d.bucket}
    if "ZoneA" not in kept:
        given |= {"ZoneA": d.region + "a", "ZoneC": d.region + "c"}
    if d.options.admin_cidr:
        given["AdminCidr"] = own_address() if d.options.admin_cidr == "own" else d.options.admin_cidr
    given = {name: value for name, value in given.items() if template.has(name)} | d.options.settings
    defaults = {name: value for name, value in template.defaults.items() if value is not None}
    return given, defaults | {n: v for n, v in kept.items() if template.has(n)} | given


def own_address() -> str:
    try:
        text = fetch("https://checkip.amazonaws.com").decode(errors="replace").strip()
        return f"{ipaddress.IPv4Address(text)}/32"
    except (Stop, ValueError) as error:
        raise Stop(f"your public address is not known ({error}): add --admin-cidr ADDRESS/32") from None


def unfit(d: Deployment, values: dict[str, str]) -> list[Problem]:
    """Values that CloudFormation would refuse when the bucket and the keys are made already."""
    named = {name: value for name, value in values.items() if d.template.has(name)}
    problems = [Problem(f"{name} is {value}, not {wanted}", f"Change it: --set {name}=...")
                for name, value in named.items() if name != "AdminCidr"
                and (wanted := d.template.refuses(name, value))]
    if d.template.has("AdminCidr") and d.template.refuses("AdminCidr", values.get("AdminCidr", "")):
        problems.append(Problem(
            f"who may use SSH to the bastions? {values.get('AdminCidr', 'nothing')} is no network",
            "Add the public address you come from: --admin-cidr ADDRESS/32; or this machine's: "
            "--admin-cidr own"))
    return problems


def look(d: Deployment, values: dict[str, str], local: Local) -> None:
    """All problems at once, before anything is made."""
    looks = Looks(d, values)
    problems = unfit(d, values)
    if not problems:  # the looks calculate with the values
        looks.all()
    problems += local.look() + local.look_key() + Bucket(d).look() + Stack(d).look(d.options.again)
    for note in looks.notes:
        warn(note)
    refuse(problems + looks.problems)
    say("looked at all that AWS could refuse: nothing is in the way"
        + (", but not all could be checked" if looks.notes else ""))


def refuse(problems: list[Problem]) -> None:
    if not problems:
        return
    for problem in problems:
        warn(problem.line())
    raise Stop(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}; nothing was made")


def up(d: Deployment) -> int:
    local, bucket, stack = Local(d), Bucket(d), Stack(d)
    group = Group(d, stack)
    refresh = Refresh(group)
    there = stack.describe()
    dead = there is None or there["StackStatus"] in DEAD
    given, values = settle(d, {} if dead else parameters(there))
    look(d, values, local)
    if not d.aws.dry:
        d.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    local.key_pair()
    local.publish()
    bucket.make()
    bucket.publish(local.repository)
    given |= {name: value for name, value in local.parameters().items() if d.template.has(name)}

    def each(state: str) -> list[str]:
        if not bucket.opened:
            bucket.open(stack.resource("S3Endpoint"))
        # The servers live for some minutes more; what they say is known to nobody later.
        ends = state == "ROLLBACK_IN_PROGRESS"
        return group.words([one["InstanceId"] for one in group.describe()["Instances"]]) if ends else []
    url = stack.upload()
    found = stack.join(each)
    if found and found["StackStatus"] not in DEAD:
        if not d.aws.dry:
            refresh.finish()
        given["WebVersion"] = refresh.versions()[0]  # also of a refresh that nobody watched
    changed = stack.apply(url, given, found)
    if d.aws.dry:
        say("then: waits for the stack, opens the bucket for its endpoint, replaces the servers one by one "
            "if the launch template has changed, waits for healthy servers")
        for line in costs(values, d.region):
            say(line)
        return 0
    if changed:
        found = stack.wait(each)
    else:
        each("")
        found = stack.describe() or {}
    proved = refresh.prove()
    if proved:
        stack.set("WebVersion", proved, found)
        found = stack.wait(each)
    result = Result(d, stack, values | parameters(found))
    result.tell(found, result.wait_healthy())
    return 0


def image(d: Deployment) -> int:
    """Before or after the stack: it needs only the bucket."""
    local, bucket, baked = Local(d), Bucket(d), Image(d)
    check_settings(d)
    found = Stack(d).describe()
    kept = parameters(found) if found and is_own(found) else {}
    values = {n: v for n, v in d.template.defaults.items() if v is not None} | kept | d.options.settings
    refuse(local.look() + bucket.look() + baked.look())
    if not d.aws.dry:
        d.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    local.publish()
    bucket.make()
    bucket.publish(local.repository)
    name = baked.make(values, local)
    if name:
        baked.tell(name, kept.get("WebImage", ""))
    return 0


def status(d: Deployment) -> int:
    stack = Stack(d)
    found = stack.describe()
    if found is None:
        raise Stop(f"no stack {d.stack}. Make it: {d.again('up')}")
    say(f"stack     {found['StackStatus']}")
    if found["StackStatus"] in DEAD:
        raise Stop(f"{stack.first_failure()}\nWhen that is mended: {d.again('up', '--again')}")
    result = Result(d, stack, d.template.defaults | parameters(found))
    targets = result.targets()
    for name, state in sorted(targets.items()):
        say(f"server    {name}: {state}")
    say(f"database  {result.database()}")
    refresh = Refresh(Group(d, stack))
    version, newest = refresh.versions()
    if version:
        say(f"version   {version} of the launch template" + (
            "" if version == newest else f"; {newest} is not proved yet: {d.again('up')}"))
        under_way = refresh.active()
        if under_way:
            say(shown(under_way))
    for line in costs(result.values, d.region):
        say(line)
    return 0 if targets and all(state == "healthy" for state in targets.values()) else 1


def down(d: Deployment) -> int:
    stack, bucket = Stack(d), Bucket(d)
    found = stack.describe()
    if found and not is_own(found):
        raise Stop(f"the stack {d.stack} was not made from this template; nothing is removed")
    stacks = [found["StackId"]] if found else []
    if found:
        if parameters(found).get("DatabaseDeletionProtection") == "true":
            raise Stop("the database is protected. First: "
                       + d.again("up", "--set", "DatabaseDeletionProtection=false"))
        stack.delete()
    for what, command in left(d, stack, stacks + stack.deleted()):
        say(f"stays and costs: {what}. Delete it: {command} --region {d.region}")
    Image(d).remove()
    bucket.remove()
    if Local(d).look_key():
        warn(f"the key pair {d.key_name} does not belong to {d.private_key}, and stays")
    else:
        d.aws.make("ec2", "delete-key-pair", "--key-name", d.key_name)
    say("may stay and cost: backups of the file system: aws backup list-recovery-points-by-backup-vault "
        f"--backup-vault-name aws/efs/automatic-backup-vault --region {d.region}")
    say(f"stays on this machine: {d.folder}, with the keys")
    return 0


def left(d: Deployment, stack: Stack, stacks: list[str]) -> list[tuple[str, str]]:
    """What these stacks have left in the account, and the command that deletes it."""
    if not stacks:
        return []
    files, databases = ({stack.resource(name, one) for one in stacks} for name in ("FileSystem", "Database"))
    systems = d.aws.read("efs", "describe-file-systems")["FileSystems"]
    snapshots = d.aws.read("rds", "describe-db-snapshots", "--snapshot-type", "manual")["DBSnapshots"]
    return [(f"the file system {one['FileSystemId']}, with its files",
             f"aws efs delete-file-system --file-system-id {one['FileSystemId']}")
            for one in systems if one["FileSystemId"] in files] + [
            (f"the snapshot {one['DBSnapshotIdentifier']}, {one['AllocatedStorage']} GB",
             f"aws rds delete-db-snapshot --db-snapshot-identifier {one['DBSnapshotIdentifier']}")
            for one in snapshots if one["DBInstanceIdentifier"] in databases]


VERBS = {"up": up, "image": image, "status": status, "down": down}
