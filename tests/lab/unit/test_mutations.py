"""When a mutation counts as detected."""
from __future__ import annotations

import xml.etree.ElementTree as xml
from typing import Any

import pytest

from lab.command import mutations
from lab.command.client import Lab

TEST = "test_r1_ssh.py::test_it"


def cases(*texts: str) -> list[xml.Element]:
    return [xml.fromstring(text) for text in texts]


GOOD = '<testcase name="test_it[a]"/>'
FAILED = '<testcase name="test_it[c]"><failure message="no"/></testcase>'


def test_red_is_a_failure_of_the_test_itself() -> None:
    assert mutations.verdict(TEST, cases(GOOD, FAILED), "E   it timed out\nE   more") == \
        (True, "it timed out")
    assert mutations.verdict(TEST, cases(GOOD), "") == (False, "")


@pytest.mark.parametrize("texts", [
    [],
    ['<testcase name="test_it[a]"><error message="a fixture"/></testcase>'],
    [FAILED, '<testcase name="test_it[a]"><error message="afterwards"/></testcase>'],
    ['<testcase name="test_it"><skipped/></testcase>'],
    ['<testcase name="test_other"><failure message="no"/></testcase>'],
])
def test_whatever_else_fails_is_no_verdict(texts: list[str]) -> None:
    with pytest.raises(mutations.NotTried):
        mutations.verdict(TEST, cases(*texts), "")


class Told(Lab):
    """Records the orders."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, op: str, timeout: float = 60.0, **more: Any) -> Any:
        self.asked.append(f"{op} {more['edits'] and 'changed'}" if op == "update" else op)
        return {"database": {"standby": "10.16.5.9", "writer": "10.16.6.9"},
                "facts": {"subnets": {"A": {"cidr": "10.16.5.0/24", "zone": "x-2a"},
                                      "C": {"cidr": "10.16.6.0/24", "zone": "x-2c"}}},
                "instances": []}.get(op, {})

    def wait_healthy(self, count: int, timeout: float = 60.0) -> list[str]:
        return []


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(mutations, "MUTATIONS", mutations.MUTATIONS[:2])
    return Told()


@pytest.mark.parametrize("fails, met, code, words", [
    ("", [True, True], 0, ["2 passed, 0 failed"]),
    ("", [True, False], 1, ["lab: NOT NOTICED ssh: web's group, in", "1 passed, 1 failed"]),
    ("", [None, True], 1, ["lab: NOT TRIED   ssh: bastion's group, out", "1 passed, 1 failed"]),
    ("test_r1_ssh.py", [], 1, ["fails on the unchanged lab: test_r1_ssh.py"]),
])
def test_all_must_be_tried_and_noticed(
        told: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        fails: str, met: list[bool | None], code: int, words: list[str]) -> None:
    verdicts = iter(met)
    monkeypatch.setattr(mutations, "failing", lambda *_: fails)

    def red(*_: Any) -> tuple[bool, str]:
        found = next(verdicts)
        if found is None:
            raise mutations.NotTried("a fixture failed")
        return found, ""
    monkeypatch.setattr(mutations, "red", red)
    assert mutations.run(told, []) == code
    said = capsys.readouterr().out
    assert all(word in said for word in words), said
    changes = [op for op in told.asked if op.startswith("update")]
    assert changes == ["update changed", "update []"] * len(met)
    assert told.asked[-1] == "restore"
