"""userdata/deploy against a stand-in of AWS's command line (fake_aws.py): what AWS would refuse is
said before anything is made, and whatever ends it, the same command goes on."""
from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "userdata" / "deploy"
ADDRESSES = ["10.16.3.64", "10.16.4.64"]
READS = re.compile(r" (describe|get|head|list)-")


def default(name: str) -> str:
    text = (ROOT / "userdata" / "stack.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^  {name}: .*Default: '?([^,}}']+)", text, re.M)
    assert found, name
    return found[1]


class Page(BaseHTTPRequestHandler):
    """The load balancer: its servers take turns."""
    turn = 0

    def do_GET(self) -> None:
        Page.turn += 1
        body = f"Private IP Address {ADDRESSES[Page.turn % 2]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Account:
    """A healthy account, a machine with a finished repository, and the command."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.keys = folder, folder / "keys"
        (folder / "bin").mkdir()
        (folder / "bin" / "aws").symlink_to(Path(__file__).resolve().with_name("fake_aws.py"))
        repository = folder / "repository"
        (repository / "repodata").mkdir(parents=True)
        for name in ("repodata/repomd.xml", "repodata/repomd.xml.asc", "RPM-GPG-KEY-web-node-agent",
                     "rds-ca.pem"):
            (repository / name).write_text(name, encoding="utf-8")
        ranges = [default("S3Cidr"), *(default(f"S3Cidr{c}") for c in "ABCD")]
        self.state = folder / "account.json"
        self.put({"plan": "PAID", "quota": 32, "zones": "abc", "engines": [default("DatabaseEngineVersion")],
                  "list": default("S3PrefixList"), "ranges": ranges, "bucket": "", "key": "", "stack": "",
                  "parameters": {}, "events": [], "health": "healthy", "multi": True, "url": url,
                  "addresses": ADDRESSES})

    def put(self, state: dict[str, Any]) -> None:
        self.state.write_text(json.dumps(state), encoding="utf-8")

    def get(self) -> dict[str, Any]:
        return dict(json.loads(self.state.read_text(encoding="utf-8")))

    def change(self, **values: Any) -> None:
        self.put({**self.get(), **values})

    def calls(self) -> list[str]:
        file = Path(f"{self.state}.calls")
        found = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def changes(self) -> list[str]:
        return [call for call in self.calls() if not READS.search(call)]

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "FAKE_AWS": str(self.state),
                       "WNA_DEPLOY_POLL_S": "0.01", "WNA_DEPLOY_HEALTHY_S": "0.2",
                       "HOME": str(self.folder)}
        given = ["--packages", str(self.folder / "repository"), "--admin-cidr", "203.0.113.7/32"]
        return subprocess.run(
            ["/usr/bin/python3", str(DEPLOY), verb, "--region", "ap-northeast-2", "--folder", str(self.keys),
             *(given if verb == "up" else []), *words], env=environment, capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL)

    def private_key(self) -> bytes:
        return next(self.keys.glob("*/practice.pem")).read_bytes()


@pytest.fixture
def account(tmp_path: Path, url: str) -> Account:
    return Account(tmp_path, url)


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
    for what in ("fs-0123", "delete-db-snapshot --db-snapshot-identifier final"):
        assert what in done.stdout
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
    account.change(ends_as="")
    assert account.run("up", "--again").returncode == 0


def test_servers_that_do_not_become_healthy(account: Account) -> None:
    account.change(health="unhealthy")
    done = account.run("up")
    assert done.returncode == 1
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
        done = account.run(verb, "--dry-run", *(word for word in words if word != "--dry-run"))
        assert done.returncode == 0, (verb, done.stderr)
    assert not account.changes()
