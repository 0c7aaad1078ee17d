"""The baked image: userdata/deploy image against a stand-in of AWS's command line, and the commands of its
component, which Image Builder runs. That a server of such an image works is the lab's to show."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from account import Account
from lab.instance.baking import TEMPLATE, commands, component
from reading import Loader
from test_user_data_sh import CA, KEY, PLAIN, Node, by_hand, new_node  # noqa: F401

TAKE = re.compile(r"^Take it: userdata/deploy (up .*--set WebImage=(ami-[0-9a-f]+))$", re.M)


# userdata/deploy image

def image_of(account: Account) -> dict[str, Any]:
    return dict(account.get()["image"])


def test_an_image_is_made_taken_and_removed(account: Account) -> None:
    done = account.run("image")
    assert done.returncode == 0, done.stderr
    assert "practice-image: CREATE_COMPLETE" in done.stdout
    taken = TAKE.search(done.stdout)
    assert taken and taken[2] == "ami-00000001"
    given = image_of(account)["parameters"]
    template = yaml.load(TEMPLATE.read_text("utf-8"), Loader)
    assert set(given) == set(template["Parameters"])
    assert (given["ParentImage"], given["InstanceType"]) == ("ami-0a", "t3.small")
    for name, value in given.items():
        pattern = template["Parameters"][name].get("AllowedPattern")
        assert name == "RepositoryKey" or not pattern or re.search(pattern, value), name
    done = account.run(*taken[1].split()[:1], "--set", f"WebImage={taken[2]}")
    assert done.returncode == 0 and account.get()["parameters"]["WebImage"] == taken[2]
    account.change(logs=[f"/aws/imagebuilder/practice-image-{given['Build']}", "/aws/imagebuilder/practice-image-x"])
    account.calls()
    done = account.run("down")
    assert done.returncode == 0, done.stderr
    assert image_of(account)["images"] == [] and image_of(account)["stack"] == ""
    calls = account.calls()
    assert calls.count("logs delete-log-group") == 1
    # Servers are the last to be without their image.
    deleted = [n for n, call in enumerate(calls) if call == "cloudformation delete-stack"]
    assert len(deleted) == 2 and deleted[1] < calls.index("ec2 deregister-image")


def test_a_second_time_the_image_is_there(account: Account) -> None:
    account.run("image")
    done = account.run("image")
    assert done.returncode == 0 and "as it should be" in done.stdout, done.stderr
    assert image_of(account)["images"] == ["ami-00000001"]


@pytest.mark.parametrize("what", ["parent", "packages"])
def test_other_contents_are_another_image(account: Account, what: str) -> None:
    """Of the old one the servers may be; one of which they are not is said."""
    account.run("image")
    account.run("up", "--set", "WebImage=ami-00000001")
    builds = {image_of(account)["parameters"]["Build"]}
    for number in ("2", "3"):
        if what == "parent":
            account.change(parent=f"ami-0{number}")
        else:
            (account.folder / "repository/repodata/repomd.xml").write_text(number, "utf-8")
        done = account.run("image")
        assert done.returncode == 0, done.stderr
        builds.add(image_of(account)["parameters"]["Build"])
    assert len(builds) == len(image_of(account)["images"]) == 3
    assert re.findall(r"stays and costs: the image (\S+),", done.stdout) == ["ami-00000002"]


def test_arm64_has_another_parent(account: Account) -> None:
    done = account.run("image", "--set", "Architecture=arm64", "--set", "InstanceType=t4g.small")
    assert done.returncode == 0, done.stderr
    names = [words[3] for words in account.words() if words[0] == "ssm"]
    assert len(names) == 1 and names[0].endswith("-arm64")
    assert image_of(account)["parameters"]["InstanceType"] == "t4g.small"
    assert "--set Architecture=arm64 --set InstanceType=t4g.small --packages" in done.stdout


REFUSALS = [
    ({"vpcs": []}, ["no default VPC", "create-default-vpc --region ap-northeast-2"]),
    ({"bucket": "other"}, ["is taken, or in another region", "--bucket NAME"]),
    ({"image": {"stack": "CREATE_COMPLETE", "parameters": {"Foo": "bar"}, "images": []}},
     ["the stack practice-image was not made from image.yaml", "--stack NAME"]),
]


@pytest.mark.parametrize("fault, said", REFUSALS, ids=[" ".join(f) for f, _ in REFUSALS])
def test_what_aws_would_refuse_is_said_before(account: Account, fault: dict[str, Any], said: list[str]) -> None:
    account.change(**fault)
    done = account.run("image")
    assert done.returncode == 1 and "1 problem; nothing was made" in done.stderr
    assert all(words in done.stderr.splitlines()[0] for words in said), done.stderr
    assert not account.changes() and not account.keys.exists()


def test_a_misspelt_parameter(account: Account) -> None:
    done = account.run("image", "--set", "InstanceTipe=t3.micro")
    assert done.returncode == 1 and "do you mean InstanceType?" in done.stderr
    assert not account.changes()


def test_a_foreign_stack_of_that_name_stays(account: Account) -> None:
    account.change(image={"stack": "CREATE_COMPLETE", "parameters": {"Foo": "bar"}, "images": []})
    assert account.run("down").returncode == 0 and image_of(account)["stack"]


def test_a_build_that_fails(account: Account) -> None:
    account.change(image={**image_of(account), "ends_as": "ROLLBACK_COMPLETE"})
    done = account.run("image")
    assert done.returncode == 1
    build = image_of(account)["parameters"]["Build"]
    for words in ("practice-image is ROLLBACK_COMPLETE: Image: Workflow", "When that is mended: userdata/deploy image ",
                  f"aws logs tail --region ap-northeast-2 --since 2h /aws/imagebuilder/practice-image-{build}"):
        assert words in done.stderr, done.stderr
    account.change(image={**image_of(account), "ends_as": ""})
    done = account.run("image")
    assert done.returncode == 0 and TAKE.search(done.stdout), done.stderr


def test_broken_off_after_each_change_it_goes_on(account: Account) -> None:
    fresh = account.get()
    account.run("image")
    count = len(account.changes())
    assert count >= 6
    for number in range(1, count + 1):
        account.put({**fresh, "end_after": number})
        assert account.run("image").returncode == -9
        state = account.get()
        del state["end_after"]
        account.put(state)
        done = account.run("image")
        assert done.returncode == 0 and TAKE.search(done.stdout), (number, done.stderr)
        assert image_of(account)["images"] == ["ami-00000001"]


def test_an_image_that_was_deleted(account: Account) -> None:
    account.run("image")
    account.change(image={**image_of(account), "images": []})
    done = account.run("image")
    assert done.returncode == 1 and "delete-stack --region ap-northeast-2 --stack-name practice-image" in done.stderr


def test_a_dry_run_makes_nothing(account: Account) -> None:
    done = account.run("image", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not account.changes() and not account.keys.exists()
    for call in ("create-bucket", "sync", "create-stack"):
        assert re.search(rf"^would run: aws .*{call}", done.stdout, re.M), call


# the component

PINNED = {name: PLAIN[name] for name in ("RepositoryKey", "CaBundleSha256")}


def test_the_document_has_image_builder_s_form() -> None:
    """EC2 Image Builder User Guide, "Use the AWSTOE component document framework"; API Reference,
    CreateComponent: data of at most 16,000 characters."""
    document = component(**{**PINNED, "RepositoryKey": "A" * 4096})
    assert set(document) == {"schemaVersion", "phases"} and document["schemaVersion"] == 1.0
    assert [phase["name"] for phase in document["phases"]] == ["build", "test"]
    for phase in document["phases"]:
        for step in phase["steps"]:
            assert set(step) <= {"name", "action", "timeoutSeconds", "inputs"}
    assert len(yaml.safe_dump(document)) < 16000
    # Not an expression of the document's own.
    assert "{{" not in commands("build", **PINNED) + commands("test", **PINNED)
    for name in ("build", "test"):
        subprocess.run(["bash", "-n"], input=commands(name, **PINNED), text=True, check=True)


def baking(node: Node, **values: str) -> Any:
    (node.root / "etc/yum.repos.d").mkdir()
    (node.root / "etc/web-node-agent").mkdir()
    (node.root / "var/tmp/web-node-agent").mkdir(parents=True)
    return node.run(commands("build", **{**PINNED, **values}))


def test_it_installs_as_user_data_does(new_node: Callable[..., Node]) -> None:
    node = new_node()
    (node.root / "stubs/rpm").write_text('#!/bin/sh\ngrep -q "^dnf.* install" /calls 2> /dev/null\n')
    left = baking(node)
    assert left.code == 0, left.words
    asked = [[call for call in calls if call.startswith("dnf") and " install " in call]
             for calls in (left.calls, new_node().run(by_hand(PLAIN)).calls)]
    assert asked[0] == asked[1] and len(asked[0]) == 1
    assert left.files["etc/pki/rpm-gpg/RPM-GPG-KEY-web-node-agent"][1] == KEY
    assert left.files["etc/web-node-agent/rds-ca.pem"][1] == CA
    # Nothing of the build stays, and nothing is started.
    assert set(left.files) == {"etc/pki/rpm-gpg/RPM-GPG-KEY-web-node-agent", "etc/web-node-agent/rds-ca.pem"}
    assert not [call for call in left.calls if call.startswith("systemctl")]


def test_another_ca_bundle_is_not_baked(new_node: Callable[..., Node]) -> None:
    left = baking(new_node(), CaBundleSha256="0" * 64)
    assert left.code == 65 and "is not the bundle" in left.words


def test_packages_that_are_not_there_after_all_end_it(new_node: Callable[..., Node]) -> None:
    """dnf has succeeded, and rpm does not know them."""
    assert baking(new_node()).code != 0


@pytest.mark.parametrize("started", ["httpd", "the agent's state"])
def test_an_image_in_which_something_ran_fails_its_test(new_node: Callable[..., Node], started: str) -> None:
    node = new_node()
    (node.root / "failing").write_text("-q")  # systemctl: not enabled, not active
    assert node.run(commands("test", **PINNED)).code == 0
    if started == "httpd":
        (node.root / "failing").write_text("-active")
    else:
        (node.root / "var/lib/web-node-agent").mkdir(parents=True)
        (node.root / "var/lib/web-node-agent/identity").touch()
    left = node.run(commands("test", **PINNED))
    assert left.code == 1 and "already" in left.words
