"""userdata/deploy against a stand-in of AWS's command line (fake_aws.py): what AWS would refuse is
said before anything is made, and whatever ends it, the same command goes on."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from account import ROOT, Account
from reading import Template

sys.path.insert(0, str(ROOT / "userdata"))
from deploying import template as deploy_template  # noqa: E402  (a package beside the template)


def test_from_nothing_to_a_page_and_back(account: Account) -> None:
    done = account.run("up")
    assert done.returncode == 0, done.stderr
    assert "answered by 2 servers" in done.stdout and "Multi-AZ, ap-northeast-2a" in done.stdout
    assert re.search(r"costs +about \d+\.\d\d USD a day", done.stdout)
    given = account.get()["parameters"]
    assert given["AdminCidr"] == "203.0.113.7/32" and given["ZoneA"] == "ap-northeast-2a"
    assert {"CaBundleSha256", "RepositoryKey"} <= set(given)
    # The files that readers look at first are the last ones.
    uploads = [c for c in account.calls() if c.startswith("s3 ")]
    assert uploads == ["s3 sync", "s3 cp", "s3 cp", "s3 cp"]
    assert account.run("status").returncode == 0
    done = account.run("down")
    assert done.returncode == 0, done.stderr
    state = account.get()
    assert not (state["stack"] or state["bucket"] or state["key"])
    again = account.run("down")  # the first one may have been broken off
    for what in ("fs-0123", "delete-db-snapshot --db-snapshot-identifier final"):
        assert what in done.stdout and what in again.stdout
    assert "fs-other" not in done.stdout and "foreign" not in done.stdout
    assert "no stack practice" in account.run("status").stderr


def test_a_second_time_changes_nothing(account: Account) -> None:
    account.run("up")
    key = account.private_key()
    account.calls()
    done = account.run("up")
    assert done.returncode == 0 and "as it should be" in done.stdout, done.stderr
    assert account.private_key() == key
    assert not [c for c in account.changes() if "create" in c or "import" in c or "delete" in c]


def test_broken_off_after_each_change_it_goes_on(account: Account) -> None:
    fresh = account.get()
    account.run("up")
    count = len(account.changes())
    assert count >= 8
    for number in range(1, count + 1):
        subprocess.run(["rm", "-rf", str(account.keys)], check=True)
        account.put({**fresh, "end_after": number})
        assert account.run("up").returncode == -9
        key = account.private_key()
        state = account.get()
        del state["end_after"]
        account.put(state)
        done = account.run("up")
        assert done.returncode == 0, (number, done.stderr)
        assert account.private_key() == key
        account.calls()


REFUSALS = [
    ({"plan": "FREE"}, ["free plan refuses", "--set BackupRetentionDays=1", "--set MultiAZ=false"]),
    ({"quota": 5}, ["quota of running instances is 5 vCPUs; the stack needs 12",
                    "request-service-quota-increase", "--desired-value 12"]),
    ({"zones": "ab"}, ["not offered in ZoneC ap-northeast-2c", "--set ZoneC=ap-northeast-2b"]),
    ({"engines": ["8.4.99"]}, ["RDS does not offer MySQL", "--set DatabaseEngineVersion=8.4.99"]),
    ({"ranges": ["198.51.100.0/24"]}, ["does not have S3's 198.51.100.0/24", "--set S3CidrA=198.51.100.0/24"]),
    ({"list": "pl-0"}, ["not the region's", "--set S3PrefixList=pl-0"]),
    ({"bucket": "other"}, ["is taken, or in another region", "--bucket NAME"]),
    ({"key": "ssh-ed25519 AAAA"}, ["its private key is not in", "delete-key-pair"]),
    ({"stack": "CREATE_COMPLETE", "parameters": {"Foo": "bar"}}, ["was not made from this template", "--stack NAME"]),
    ({"stack": "ROLLBACK_COMPLETE", "parameters": {"RepositoryBucket": "b"}, "events": [
        {"LogicalResourceId": "Web", "ResourceStatus": "CREATE_FAILED",
         "ResourceStatusReason": "Resource creation cancelled"},
        {"LogicalResourceId": "BastionA", "ResourceStatus": "CREATE_FAILED",
         "ResourceStatusReason": "VcpuLimitExceeded"}]},
     ["ROLLBACK_COMPLETE: BastionA: VcpuLimitExceeded", "--again"]),
]


@pytest.mark.parametrize("fault, said", REFUSALS, ids=[" ".join(f) for f, _ in REFUSALS])
def test_what_aws_would_refuse_is_said_before(account: Account, fault: dict[str, Any], said: list[str]) -> None:
    account.change(**fault)
    done = account.run("up")
    assert done.returncode == 1 and "nothing was made" in done.stderr
    lines = done.stderr.splitlines()
    for words in said:
        assert any(words in line for line in lines), (words, done.stderr)
    assert not account.changes() and not account.keys.exists()


def test_all_problems_at_once(account: Account) -> None:
    account.change(quota=5, zones="ab", bucket="other")
    done = account.run("up")
    assert "3 problems; nothing was made" in done.stderr


def test_the_remedies_work(account: Account) -> None:
    account.change(plan="FREE", zones="ab")
    remedies = re.findall(r"--set (\w+=\S+)", account.run("up").stderr)
    words = [word for remedy in remedies for word in ("--set", remedy)]
    account.change(multi=False)
    done = account.run("up", *words)
    assert done.returncode == 0, done.stderr
    assert "one zone" in done.stdout


def test_a_group_of_one(account: Account) -> None:
    one = [word for name in ("MinSize", "DesiredCapacity") for word in ("--set", f"{name}=1")]
    assert account.run("up", *one).returncode == 0
    assert account.get()["parameters"]["ReadyServers"] == "1"


def test_a_right_that_is_missing_stops_nothing(account: Account) -> None:
    account.change(denied=["freetier", "service-quotas"])
    done = account.run("up")
    assert done.returncode == 0 and done.stderr.count("not checked: the ") == 2, done.stderr


def test_a_stack_that_rolls_back(account: Account) -> None:
    account.change(ends_as="ROLLBACK_COMPLETE")
    done = account.run("up")
    assert done.returncode == 1
    assert "ROLLBACK_COMPLETE: Bastion: Your quota allows for 0 more" in done.stderr
    # Read before the servers are gone.
    assert "the last words of i-1" in done.stderr and "another checksum" in done.stderr
    account.change(ends_as="")
    assert account.run("up", "--again").returncode == 0


def test_servers_that_do_not_become_healthy(account: Account) -> None:
    account.change(health="unhealthy")
    done = account.run("up")
    assert done.returncode == 1
    account.change(ended=True)
    assert "certificates have another checksum" in account.run("up").stderr
    for words in ("not all servers are healthy", "not eligible", "certificates have another checksum",
                  "get-console-output"):
        assert words in done.stderr
    assert account.run("status").returncode == 1


def test_a_database_without_a_standby(account: Account) -> None:
    account.change(multi=False)
    done = account.run("up")
    assert done.returncode == 0 and "in one zone only" in done.stderr


def test_a_dry_run_makes_nothing(account: Account) -> None:
    done = account.run("up", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not account.changes() and not account.keys.exists()
    for call in ("import-key-pair", "create-bucket", "sync", "create-stack"):
        assert re.search(rf"^would run: aws .*{call}", done.stdout, re.M), call
    account.run("up")
    account.calls()
    assert re.search("^would run: aws .*update-stack", account.run("up", "--dry-run").stdout, re.M)
    assert account.run("down", "--dry-run").returncode == 0 and not account.changes()


def test_what_deploy_has_not_made_stays(account: Account) -> None:
    account.change(bucket="own", other_objects=True, policy=json.dumps(
        {"Statement": [{"Resource": "arn:aws:s3:::data/*"}]}))
    done = account.run("up", "--bucket", "data")
    assert done.returncode == 1 and "has a policy of its own, which stays" in done.stderr
    done = account.run("down", "--bucket", "data")
    assert done.returncode == 0 and "has other objects or versions, and stays" in done.stderr
    assert account.get()["bucket"] == "own"
    account.change(stack="CREATE_COMPLETE", parameters={"Foo": "bar"}, key="ssh-ed25519 AAAA")
    done = account.run("down")
    assert done.returncode == 1 and account.get()["stack"] and account.get()["key"]


def test_a_later_run_keeps_what_was_set(account: Account) -> None:
    account.run("up", "--set", "ZoneC=ap-northeast-2b", "--set", "MultiAZ=false",
                "--set", "DatabaseInstanceClass=db.t4g.micro")
    done = account.run("up")
    assert "as it should be" in done.stdout, done.stderr
    account.change(plan="FREE")
    done = account.run("up", "--set", "BackupRetentionDays=1")
    given = account.get()["parameters"]
    assert done.returncode == 0, done.stderr
    assert (given["ZoneC"], given["MultiAZ"], given["BackupRetentionDays"]) == ("ap-northeast-2b", "false", "1")


def test_a_creation_under_way_is_joined(account: Account) -> None:
    account.run("up")
    account.change(stack="CREATE_IN_PROGRESS", policy="", looks=6)
    account.calls()
    done = account.run("up")
    assert done.returncode == 0 and "it is waited for" in done.stdout, done.stderr
    calls = account.calls()
    assert calls.index("s3api put-bucket-policy") < calls.index("cloudformation update-stack")


def test_a_command_line_of_aws_that_is_too_old(account: Account) -> None:
    account.change(unknown=["get-account-plan-state", "describe-db-instances"])
    done = account.run("up")
    assert done.returncode == 1 and "usage" not in done.stderr
    assert "the account's plan: AWS's command line is too old" in done.stderr
    assert re.search(r'too old for "aws rds describe-db-instances": install 2\.', done.stderr)


def test_the_state_of_a_creation_that_has_just_begun(account: Account) -> None:
    account.run("up")
    account.change(stack="CREATE_IN_PROGRESS", looks=9, not_yet=["TargetGroup", "Database", "Group"])
    done = account.run("status")
    assert done.returncode == 1 and "not made yet" in done.stdout, done.stderr
    assert not done.stderr


def test_values_that_cloudformation_would_refuse(account: Account) -> None:
    wrong = {"MaxSize": "many", "CpuPeriod": "11", "HopLimit": "0", "InstanceType": "small",
             "ClientCidr": "192.0.2.0"}
    done = account.run("up", "--admin-cidr", "YOUR_ADDRESS/32",
                       *(word for name, value in wrong.items() for word in ("--set", f"{name}={value}")))
    assert done.returncode == 1 and "6 problems; nothing was made" in done.stderr
    for words in ("MaxSize is many, not a number from 2 to 200", "not one of 10, 30, 60", "HopLimit is 0",
                  "ClientCidr is 192.0.2.0, not a network", "YOUR_ADDRESS/32 is no network", "--admin-cidr own"):
        assert words in done.stderr, done.stderr
    assert not account.changes() and not account.keys.exists()


def test_the_limits_are_those_of_the_template(stack: Template) -> None:
    read = deploy_template.Template(ROOT / "userdata" / "stack.yaml").fields
    for name, parameter in stack.parameters.items():
        assert set(read[name]) == set(parameter)
        for key, value in parameter.items():
            text = read[name][key]
            assert (yaml.safe_load(text) if isinstance(value, list) else text) == \
                (value if isinstance(value, list) else str(value)), (name, key)


def test_two_first_runs_at_once_keep_one_key(account: Account) -> None:
    """The other run makes its key while this one's ssh-keygen runs."""
    tool = account.folder / "bin" / "ssh-keygen"
    real = shutil.which("ssh-keygen")
    tool.write_text(f"""#!/bin/sh
{real} "$@" || exit
for last; do :; done
case $last in */key) {real} -q -t ed25519 -N '' -f "$0.other"
  cp -p "$0.other" "${{last%/*/key}}/practice.pem" ;; esac
""", encoding="utf-8")
    tool.chmod(0o755)
    done = account.run("up")
    assert done.returncode == 0, done.stderr
    assert account.private_key() == (account.folder / "bin" / "ssh-keygen.other").read_bytes()


def test_the_costs_in_the_readme(account: Account) -> None:
    """Those of its region, and a hint for a region without prices."""
    costs = re.compile(r"^costs .*", re.M)
    done = account.run("up", "--dry-run")
    shown = costs.findall(done.stdout)[0]
    assert "list prices of ap-northeast-2" in done.stdout
    for name in ("README.md", "README.ko.md"):
        example = costs.findall((ROOT / name).read_text(encoding="utf-8"))[0]
        assert shown.startswith(example.removesuffix("…")), shown
    done = account.run("up", "--dry-run", "--region", "eu-west-1", "--set", "ZoneA=ap-northeast-2a",
                       "--set", "ZoneC=ap-northeast-2c")
    assert "list prices of us-east-1" in done.stdout and "of eu-west-1 are not known" in done.stdout


def test_a_misspelt_parameter(account: Account) -> None:
    done = account.run("up", "--set", "MaxSise=3")
    assert done.returncode == 1 and "do you mean MaxSize?" in done.stderr


def test_the_documents_commands(account: Account) -> None:
    """Each line that begins with userdata/deploy, as it stands there, without a change of anything."""
    account.run("up")
    account.calls()
    lines = [line.partition("#")[0].split()[1:] for name in ("README.md", "userdata/README.md")
             for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
             if line.startswith("userdata/deploy ")]
    assert len(lines) >= 4
    for verb, *words in lines:
        done = account.run(verb, "--dry-run", *(word.replace("YOUR_ADDRESS", "192.0.2.1") for word in words
                                                if word != "--dry-run"))
        assert done.returncode == 0, (verb, done.stderr)
    assert not account.changes()
