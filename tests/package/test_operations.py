"""The page of operations has each state, and the table of reasons has no row that nothing gives. (That the page
has the table: unit/screens/reasons.)"""
from __future__ import annotations

import re

from package.rpms import ROOT

PAGE = ROOT / "packaging" / "doc" / "operations.md"


def source(path: str) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(), flags=re.S)


def names(function: str) -> set[str]:
    """Of the table behind FUNCTION()."""
    found = re.search(rf"NAMES\({function},(.*?)\)\n", source("agent/base/names.c"), re.S)
    assert found, function
    return set(re.findall(r'"([^"]*)"', found[1]))


def test_each_state_of_a_job_is_on_the_page() -> None:
    levels, page = names("verdict_level_name"), PAGE.read_text()
    assert len(levels) == 6
    assert [level for level in sorted(levels) if f"\n| `{level}` |" not in page] == []


def test_each_reason_is_given_by_the_core() -> None:
    found = re.search(r"enum reason \{(.*?)\}", source("include/verdict.h"), re.S)
    assert found
    reasons = set(re.findall(r"REASON_\w+", found[1])) - {"REASON_MAX"}
    used = {name for path in (ROOT / "agent" / "core").glob("*.c")
            for name in re.findall(r"REASON_\w+", path.read_text())}
    by_number = {reason for reason in reasons if reason.startswith("REASON_DB_")}
    assert len(reasons) > 50 and reasons - by_number <= used
