"""A change of the launch template by userdata/deploy: proved by an instance refresh, and taken back at
the first server that does not become ready. fake_aws.py plays the group."""
from __future__ import annotations

import json

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import StructureShape
from botocore.validate import ParamValidator

from account import Account

CHANGE = ["--set", "PageWrites=true"]


@pytest.fixture(name="there")
def a_stack_that_is_there(account: Account) -> Account:
    done = account.run("up")
    assert done.returncode == 0 and not account.get().get("refreshes"), done.stderr
    account.calls()
    return account


def test_a_new_version_is_proved_and_becomes_the_groups(there: Account) -> None:
    done = there.run("up", *CHANGE)
    assert done.returncode == 0, done.stderr
    state = there.get()
    assert (state["version"], state["newest"], state["parameters"]["WebVersion"]) == ("2", 2, "2")
    refresh, = state["refreshes"]
    assert refresh["DesiredConfiguration"]["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "2"}
    wanted = refresh["Preferences"]
    assert wanted["MinHealthyPercentage"] == 100 < wanted["MaxHealthyPercentage"]
    assert wanted["AutoRollback"] and wanted["SkipMatching"]
    for words in ("version 2 replaces them one by one", "i-0a: waits for its agent", "i-1: drains",
                  "InProgress, 50 % of the servers", "Successful, 100 %"):
        assert words in done.stdout
    assert there.changes().count("cloudformation update-stack") == 2
    done = there.run("status")
    assert "version   2 of the launch template\n" in done.stdout and "refresh" not in done.stdout


@pytest.mark.parametrize("bad, why", [("abandoned", "Lifecycle Action with token t was abandoned"),
                                      ("unhealthy", "an ELB system health check failure")])
def test_the_first_bad_server_takes_it_back(there: Account, bad: str, why: str) -> None:
    there.change(bad=bad, ended=True)
    done = there.run("up", *CHANGE)
    assert done.returncode == 1
    assert there.changes()[-1] == "autoscaling rollback-instance-refresh"
    for words in ("version 2 has failed: RollbackSuccessful. The group has version 1, as before", "  i-0a: ", why,
                  "the last words of i-0a", "another checksum", "When that is mended: userdata/deploy up"):
        assert words in done.stderr, done.stderr
    assert "not eligible" not in done.stderr  # that was before the refresh
    state = there.get()
    assert (state["version"], state["parameters"]["WebVersion"]) == ("1", "1")
    assert "version   1 of the launch template; 2 is not proved yet" in there.run("status").stdout
    there.change(bad="", activities=[])
    assert there.run("up", "--set", "PageWrites=false").returncode == 0
    assert there.get()["version"] == "3"


def test_a_rollback_that_fails(there: Account) -> None:
    there.change(bad="abandoned", rollback_ends="RollbackFailed")
    done = there.run("up", *CHANGE)
    assert done.returncode == 1 and "has failed: RollbackFailed" in done.stderr


@pytest.mark.parametrize("bad", ["", "abandoned"])
def test_broken_off_after_each_change_it_is_watched_further(there: Account, bad: str) -> None:
    fresh = {**there.get(), "bad": bad}
    there.put(fresh)
    there.run("up", *CHANGE)
    changes = there.changes()
    for number in range(changes.index("cloudformation update-stack") + 1, len(changes) + 1):
        there.put({**fresh, "end_after": number})
        assert there.run("up", *CHANGE).returncode == -9
        state = there.get()
        del state["end_after"]
        there.put(state)
        done = there.run("up", *CHANGE)
        state = there.get()
        assert len(state["refreshes"]) == 1
        assert done.returncode == (1 if bad else 0), (number, done.stderr)
        assert state["version"] == state["parameters"]["WebVersion"] == ("1" if bad else "2")
        assert not bad or "Lifecycle Action" in done.stderr
        there.calls()


def test_one_that_succeeded_unwatched_has_its_parameter_set(there: Account) -> None:
    refresh = {"InstanceRefreshId": "refresh-1", "Status": "InProgress", "PercentageComplete": 50, "seen": True,
               "StartTime": "2026-12-01T05:00:00Z",
               "DesiredConfiguration": {"LaunchTemplate": {"Version": "2"}}}
    there.change(refreshes=[refresh], newest=2)
    assert "refresh   InProgress, 50 % of the servers" in there.run("status").stdout
    assert there.get()["refreshes"][0]["Status"] == "Successful" and there.get()["version"] == "2"
    assert there.run("up").returncode == 0
    assert there.get()["parameters"]["WebVersion"] == "2" and len(there.get()["refreshes"]) == 1


def test_the_calls_are_those_of_aws(there: Account) -> None:
    """Operations, options and the members of JSON arguments, by the models of AWS's command line."""
    session = botocore.session.get_session()
    there.change(bad="abandoned")
    there.run("up", *CHANGE)
    there.run("status")
    there.run("down")
    calls = [words for words in there.words() if words[0] != "s3"]
    assert len({tuple(words[:2]) for words in calls}) > 25
    for service, verb, *words in calls:
        model = session.get_service_model(service.removesuffix("api"))
        names = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(names[verb]).input_shape
        options = {"--" + xform_name(name, "-"): name for name in shape.members} if shape else {}
        given = [at for at, word in enumerate(words) if word.startswith("--")]
        for at in given:
            if words[at] in ("--region", "--output", "--max-items"):
                continue
            member = shape.members[options[words[at]]]
            if isinstance(member, StructureShape) and words[at + 1].startswith("{"):
                report = ParamValidator().validate(json.loads(words[at + 1]), member)
                assert not report.has_errors(), report.generate_report()
        for name in shape.required_members if shape else ():
            assert "--" + xform_name(name, "-") in words, (verb, name)
