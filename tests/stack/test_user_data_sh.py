"""userdata/user-data.sh, made of user-data.yaml: run in a root of its own, it leaves byte for byte
what the cloud-config leaves there, and then runs the same.

The root is this machine's /usr and nothing else, in namespaces without a network; dnf, curl,
systemctl and wnactl are stubs that write down how they were called.
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from lab.model import cloudconfig
from reading import ROOT, USER_DATA, Template, longest

SCRIPT = ROOT / "userdata" / "user-data.sh"
IMAGE = ROOT / "packaging" / "image" / "image.yaml"
MAKE = ROOT / "tests" / "setup" / "make_user_data"
LIMIT = 16384  # EC2 User Guide: before it is base64-encoded
PLACE = re.compile(r"\$\{([^}]*)\}")
RUNCMD = "\n'/usr/local/sbin/web-node-setup'\n"
# Amazon Linux has gawk, Debian mawk.
AWKS = ("gawk", "mawk")

KEY, CA = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"ca\n"
PLAIN = {
    "RepositoryUrl": "https://packages.example/el9/web-node-agent", "HealthCheckPort": "8099",
    "FileSystem": "fs-0123456789abcdef0", "Database.Endpoint.Address": "db.example",
    "Database.Endpoint.Port": "3306", "MetricNamespace": "WebNodeAgent",
    "MetricName": "CPUUtilization", "AWS::Region": "ap-northeast-2",
    "Database.MasterUserSecret.SecretArn": "arn:aws:secretsmanager:x:123456789012:secret:rds!db-a",
    "DatabaseName": "practice", "DatabaseAuth": "iam", "PageWrites": "false",
    "ReadyUrl": "none", "LifecycleHooks": "false",
    "RepositoryKey": base64.b64encode(KEY).decode(), "CaBundleSha256": hashlib.sha256(CA).hexdigest(),
}
ODD = {
    "RepositoryUrl": "https://x/a&b|c/\\1\\n\\\\", "HealthCheckPort": "`id` $(id) $HOME",
    "FileSystem": "it's 'quoted' \"twice\"", "Database.Endpoint.Address": "@DatabaseName@ @@",
    "Database.Endpoint.Port": "*?[a-z] ~ # ; < > ! %s %n", "MetricNamespace": "  blanks  ",
    "MetricName": "-n", "AWS::Region": "$RepositoryUrl @RepositoryUrl@ ${a}b",
    "Database.MasterUserSecret.SecretArn": "Größe\tμ€", "DatabaseName": "\\",
    "PageWrites": "\"\\$\"", "RepositoryKey": "&&", "ReadyUrl": "&1", "LifecycleHooks": "$1",
    "CaBundleSha256": "\\&", "DatabaseAuth": "|&;",
}

# Root, command: a root with this machine's programs, seen by this process alone.
ENTER = """
set -eu
cd "$1"
mount --bind -o ro /usr usr && mount --bind local usr/local
mount --bind /dev dev && mount --rbind /proc proc
shift
exec chroot . /usr/bin/env -i PATH=/stubs:/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""
STUB = """#!/bin/sh
echo "${0##*/} $*" >> /calls
case "$*" in *"$(cat /failing 2> /dev/null || echo nothing)"*) exit 9 ;; esac
while [ $# -gt 1 ]; do
	case $1 in -o) echo ca > "$2" ;; --data-binary) cat >> /told ;; esac
	shift
done
"""


class Left(NamedTuple):
    """What a run left: files by path with mode and content, calls, how it ended, what it said."""
    files: dict[str, tuple[int, bytes]]
    calls: list[str]
    code: int
    words: str


class Node:
    """A root folder and what was run in it."""

    def __init__(self, folder: Path, awk: str = "gawk") -> None:
        self.root = folder
        for name in ("usr", "dev", "proc", "etc", "var", "local", "stubs", "tmp"):
            (folder / name).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            (folder / link).symlink_to(f"usr/{link}")
        for stub in ("dnf", "curl", "systemctl", "wnactl", "restorecon"):
            (folder / "stubs" / stub).write_text(STUB)
            (folder / "stubs" / stub).chmod(0o755)
        (folder / "stubs/rpm").write_text("#!/bin/sh\n[ -e /baked ]\n")
        (folder / "stubs/rpm").chmod(0o755)
        assert Path("/usr/bin", awk).exists(), f"{awk}: tests/setup/packages.txt has it"
        (folder / "stubs" / "awk").symlink_to(f"/usr/bin/{awk}")

    def path(self, path: str) -> Path:
        """As seen from outside."""
        return self.root / path.removeprefix("/usr/").removeprefix("/")

    def run(self, text: str, *by: str) -> Left:
        (self.root / "script").write_text(text, encoding="utf-8")
        (self.root / "script").chmod(0o755)
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", ENTER,
             "bash", self.root, *by, "/script"], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=False)
        return self.left(done.returncode, done.stdout + done.stderr)

    def left(self, code: int = 0, words: str = "") -> Left:
        files = {}
        for top in ("etc", "var", "local", "tmp"):
            for path in (self.root / top).rglob("*"):
                if path.is_file():
                    files[str(path.relative_to(self.root))] = (
                        path.stat().st_mode & 0o7777, path.read_bytes())
        calls = self.root / "calls"
        return Left(files, calls.read_text().splitlines() if calls.exists() else [], code, words)

    def configure(self, text: str) -> Left:
        """In cloud-init's place."""
        config = cloudconfig.parse(text)
        assert not config.packages and not config.bootcmd
        for file in config.files:
            assert file.owner == "root:root" and not file.append and not file.defer
            place = self.path(file.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.content)
            place.chmod(file.mode)
        return self.run(cloudconfig.script(config.runcmd))


def substituted(text: str, values: dict[str, str]) -> str:
    """As Fn::Sub does."""
    return PLACE.sub(lambda match: values[match[1]], text)


def by_hand(values: dict[str, str]) -> str:
    """The script with its values written as its head says."""
    return substituted(SCRIPT.read_text(encoding="utf-8"), {
        name: value.replace("'", "'\\''") for name, value in values.items()})


@pytest.fixture
def new_node(tmp_path: Path) -> Callable[..., Node]:
    made: list[Node] = []

    def make(awk: str = "gawk") -> Node:
        made.append(Node(tmp_path / f"node-{len(made)}", awk))
        return made[-1]
    return make


def without_labelling(left: Left) -> list[str]:
    return [call for call in left.calls if not call.startswith("restorecon ")]


@pytest.mark.parametrize("awk", AWKS)
def test_the_same_as_the_cloud_config(new_node: Callable[..., Node], awk: str) -> None:
    expected = new_node().configure(substituted(USER_DATA.read_text("utf-8"), PLAIN))
    node = new_node(awk)
    left = node.run(substituted(SCRIPT.read_text("utf-8"), PLAIN))
    assert left.code == 0 == expected.code, left.words
    assert left.files == expected.files
    assert left.files["local/sbin/web-node-setup"][0] == 0o755
    assert left.files["etc/web-node-agent/rds-ca.pem"][1] == CA
    assert left.files["etc/pki/rpm-gpg/RPM-GPG-KEY-web-node-agent"][1] == KEY
    # The same words to the same programs, and each file is labelled where SELinux is.
    assert without_labelling(left) == expected.calls
    assert expected.calls[-1] == "wnactl status" and any(c.startswith("dnf") for c in left.calls)
    labelled = {call.split()[1] for call in left.calls if call.startswith("restorecon ")}
    config = cloudconfig.parse(substituted(USER_DATA.read_text("utf-8"), PLAIN))
    assert labelled == {file.path for file in config.files}

    again = node.run(substituted(SCRIPT.read_text("utf-8"), PLAIN))
    assert (again.code, again.files) == (0, left.files)


@pytest.mark.parametrize("awk", AWKS)
def test_values_of_any_characters(new_node: Callable[..., Node], awk: str) -> None:
    """Only the files: a shell makes of such an address what it likes, in both forms."""
    config = cloudconfig.parse(substituted(USER_DATA.read_text("utf-8"), ODD))
    text = by_hand(ODD)
    assert text.endswith(RUNCMD)
    left = new_node(awk).run(text.removesuffix(RUNCMD) + "\n")
    assert left.code == 0, left.words
    assert left.files == {file.path.removeprefix("/usr/").removeprefix("/"):
                          (file.mode, file.content) for file in config.files}
    for value in ODD.values():
        assert any(value.encode() in content for _, content in left.files.values()), value


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_is_done_before_all_is_filled_in(new_node: Callable[..., Node], name: str) -> None:
    variable = re.sub("[^A-Za-z0-9]+", "_", name)
    node = new_node()
    for value, words in ((f"${{{name}}}", f"{variable} is not filled in"),
                         ("", f"{variable} is empty"), ("a\nb", f"{variable} has more than one")):
        left = node.run(by_hand({**PLAIN, name: value}))
        assert left.code == 1 and not left.files and not left.calls
        assert left.words.startswith(f"user-data.sh: {words}") and left.words.count("\n") == 1


def test_as_delivered_it_asks_for_values(new_node: Callable[..., Node]) -> None:
    left = new_node().run(SCRIPT.read_text("utf-8"))
    assert (left.code, left.files, left.calls) == (1, {}, [])
    assert left.words == ("user-data.sh: RepositoryUrl is not filled in: a value was expected at "
                          "the top of this script\n")


def test_only_root_runs_it(new_node: Callable[..., Node]) -> None:
    """Its positive twin is the first test."""
    left = new_node().run(by_hand(PLAIN), "setpriv", "--reuid", "65534", "--clear-groups")
    assert left.code == 1 and left.words == "user-data.sh: this has to be run by root\n"


def test_a_file_that_cannot_be_written_ends_it(new_node: Callable[..., Node]) -> None:
    """Before anything is run; what was there is whole, and nothing half-made lies about."""
    node = new_node()
    old = node.path("/etc/yum.repos.d/web-node-agent.repo")
    old.parent.mkdir(parents=True)
    old.write_text("[old]\n")
    node.path("/etc/web-node-agent/agent.conf.d/10-stack.conf").mkdir(parents=True)
    left = node.run(by_hand(PLAIN))
    assert left.code != 0 and "10-stack.conf" in left.words
    assert list(left.files) == ["etc/yum.repos.d/web-node-agent.repo"]
    assert b"baseurl=https://packages.example" in old.read_bytes()
    assert without_labelling(left) == []


@pytest.mark.parametrize("failing, code", [("--now web-node-agent-guard", 1), ("wait --for", 9)])
def test_it_ends_as_what_it_runs(new_node: Callable[..., Node], failing: str, code: int) -> None:
    node = new_node()
    (node.root / "failing").write_text(failing)
    left = node.run(by_hand(PLAIN))
    assert left.code == code and f"NOT READY ({code})" in left.words


def test_a_baked_image_downloads_nothing(new_node: Callable[..., Node]) -> None:
    node = new_node()
    (node.root / "baked").touch()
    (node.root / "etc/web-node-agent").mkdir()
    (node.root / "etc/web-node-agent/rds-ca.pem").write_bytes(CA)
    left = node.run(by_hand(PLAIN))
    assert left.code == 0 and any(call.startswith("systemctl enable") for call in left.calls)
    assert not [call for call in left.calls if call.startswith(("dnf", "curl"))]
    assert left.files["etc/web-node-agent/rds-ca.pem"][1] == CA


def test_another_ca_bundle_ends_it(new_node: Callable[..., Node]) -> None:
    """Before anything starts that could use it."""
    node = new_node()
    left = node.run(by_hand({**PLAIN, "CaBundleSha256": "0" * 64}))
    assert left.code == 65 and "rds-ca.pem is not the bundle of CaBundleSha256" in left.words
    assert "etc/web-node-agent/rds-ca.pem" not in left.files
    assert not any(call.startswith("systemctl") for call in left.calls)


def test_a_malformed_key_ends_it(new_node: Callable[..., Node]) -> None:
    left = new_node().run(by_hand({**PLAIN, "RepositoryKey": "?"}))
    assert left.code == 65 and "RepositoryKey is not base64" in left.words
    assert not any(call.startswith("dnf") for call in left.calls)


@pytest.mark.parametrize("failing, status, reason", [
    ("nothing", "SUCCESS", "ready"), ("wait --for", "FAILURE", "the agent is waited for (9)"),
    ("rds-ca", "FAILURE", "rds-ca.pem is not the bundle of CaBundleSha256; not used (65)")])
def test_cloudformation_is_told_how_it_ended(new_node: Callable[..., Node], failing: str, status: str,
                                             reason: str) -> None:
    """In the form of a wait condition's signal (CloudFormation User Guide)."""
    node = new_node()
    (node.root / "failing").write_text("nothing" if failing == "rds-ca" else failing)
    url = "https://cloudformation-waitcondition-x.s3.x.amazonaws.com/a%3Ab?X=1&Y=%2F"
    wrong = {"CaBundleSha256": "0" * 64} if failing == "rds-ca" else {}
    node.run(by_hand({**PLAIN, "ReadyUrl": url, **wrong}))
    told = json.loads((node.root / "told").read_text())
    assert (told["Status"], told["Reason"]) == (status, f"{os.uname().nodename}: {reason}")
    assert set(told) == {"Status", "Reason", "UniqueId", "Data"} and len(told["UniqueId"]) == 36
    asked, = (call for call in node.left().calls if "PUT" in call)
    assert asked.endswith(f" {url}")


def test_a_refused_signal_is_no_failure(new_node: Callable[..., Node]) -> None:
    node = new_node()
    (node.root / "failing").write_text("-X PUT")
    left = node.run(by_hand({**PLAIN, "ReadyUrl": "https://x"}))
    assert left.code == 0 and "CloudFormation does not listen" in left.words


@pytest.mark.parametrize("hooks", ["false", "true"])
def test_the_agent_hears_of_its_hooks(new_node: Callable[..., Node], hooks: str) -> None:
    left = new_node().run(by_hand({**PLAIN, "LifecycleHooks": hooks}))
    path = "etc/web-node-agent/agent.conf.d/20-lifecycle.conf"
    assert (path in left.files) == (hooks == "true")
    if hooks == "true":
        hooks_of = Template(LifecycleHooks="true").properties("Group")["LifecycleHookSpecificationList"]
        launch, terminate = (hook["LifecycleHookName"] for hook in hooks_of)
        assert left.files[path][1].decode() == (
            f"[lifecycle]\nlaunch_hook = {launch}\nterminate_hook = {terminate}\n")


def test_placeholders_stand_in_one_place() -> None:
    """So that Fn::Sub takes the script, and a person finds them."""
    text = SCRIPT.read_text("utf-8")
    assert text.startswith("#!/bin/bash\n")
    top = text[:text.index("\nset -euo pipefail\n")]
    assert "${" not in text.removeprefix(top)
    assert re.findall(r"^\w+='\$\{(.*)\}'$", top, re.M) == PLACE.findall(text)
    names = PLACE.findall(USER_DATA.read_text("utf-8"))
    assert set(PLACE.findall(text)) == set(names) == set(PLAIN)


def test_both_fit() -> None:
    for path in (SCRIPT, USER_DATA):
        assert len(longest(path.read_text("utf-8")).encode()) <= LIMIT
    assert SCRIPT.stat().st_mode & 0o111


# the maker

@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in (SCRIPT, USER_DATA, USER_DATA.with_name("stack.yaml"), IMAGE, MAKE):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return tmp_path


def make(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-B", folder / MAKE.relative_to(ROOT), *arguments],
                          capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def change(folder: Path, old: str, new: str) -> None:
    path = folder / USER_DATA.relative_to(ROOT)
    text = path.read_text("utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), "utf-8")


def test_a_change_is_noticed_and_made(copy: Path) -> None:
    assert make(copy, "--check") == (0, "")
    change(copy, "retries=3", "retries=4")
    code, words = make(copy, "--check")
    assert code == 1 and "stack.yaml says something else" in words
    assert "user-data.sh says something else" in words
    assert make(copy) == (0, "") and make(copy, "--check") == (0, "")
    assert "\nretries=4\n" in (copy / SCRIPT.relative_to(ROOT)).read_text("utf-8")
    (copy / SCRIPT.relative_to(ROOT)).unlink()
    code, words = make(copy, "--check")
    assert code == 1 and words.count("\n") == 1
    assert make(copy) == (0, "")
    assert (copy / SCRIPT.relative_to(ROOT)).read_bytes() != SCRIPT.read_bytes()
    assert (copy / SCRIPT.relative_to(ROOT)).stat().st_mode & 0o111


@pytest.mark.parametrize("old, new, words", [
    ("    permissions: '0755'\n", "    owner: apache\n", "not known here: owner: apache"),
    ("    permissions: '0755'\n", "    permissions: 755\n", "not known here: permissions: 755"),
    ("runcmd:\n", "packages: [httpd]\nruncmd:\n", "not known here: packages: [httpd]"),
    ("  - [/usr/local/sbin/web-node-setup]", "  - web-node-setup | tee", "not known here"),
    ("      retries=3", "      END-OF-FILE", "in the way"),
    ("      systemctl daemon-reload", "      systemctl  daemon-reload", "stands there 0 times"),
    ("retries=3", "retries=@MetricName@", "are the same here"),
    ("retries=3", "retries=${!Literal}", "are the same here"),
])
def test_what_the_maker_does_not_know_it_refuses(copy: Path, old: str, new: str, words: str
                                                 ) -> None:
    before = (copy / SCRIPT.relative_to(ROOT)).read_bytes()
    change(copy, old, new)
    code, said = make(copy)
    assert code == 2 and words in said and said.startswith("make_user_data: user-data.yaml")
    assert (copy / SCRIPT.relative_to(ROOT)).read_bytes() == before
