"""Each state that the agent names is on the page that says what to do about it."""
from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from package.rpms import ROOT

CORE = ROOT / "agent" / "core"
PAGE = ROOT / "packaging" / "doc" / "operations.md"

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
DIRECTIVE = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z%]")
# Where a state and its reason are put: finding.why by judge_find, finding.what by hand.
SAYS = re.compile(r"\b(?:judge_find|snprintf|sb_printf)\(")
# No trouble, or a trouble for which the verdict has words of its own.
WELL = {"imds": {"ok", "starting"}, "rds": {"writable", "starting"},
        "push": {"ok", "starting", "off", "held"}}


def sources() -> dict[str, str]:
    """Without comments, and with each string in one piece."""
    texts = {path.name: path.read_text() for path in sorted(CORE.glob("core_judge*.c"))}
    for name, text in texts.items():
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"\bPRI[a-z]64\b", '"d"', text)
        texts[name] = re.sub(r'"\s*"', "", text)
    return texts


def call(text: str, begin: int) -> str:
    """From here to the bracket that closes what is open here."""
    depth = 1
    for match in re.compile(r'"(?:[^"\\]|\\.)*"|[()]').finditer(text, begin):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return text[begin:match.start()]
    raise AssertionError("a call without an end")


def words(literal: str) -> list[str]:
    """What stays of a format when its directives are taken out; empty if that names nothing."""
    parts = [part.strip().lstrip(",: ") for part in DIRECTIVE.split(literal)]
    return [part for part in parts if part] if re.search(r"[a-z]{3}", "".join(parts)) else []


def literals() -> Iterator[tuple[str, str]]:
    for name, text in sources().items():
        for match in SAYS.finditer(text):
            said = call(text, match.end())
            if match[0] != "judge_find(" and not said.startswith(("ret->what", "job->what", "&what")):
                continue
            for literal in STRING.findall(said):
                if words(literal):
                    yield name, literal


def names(kind: str) -> set[str]:
    """Of the table behind KIND_state_name()."""
    text = (ROOT / "agent" / "base" / "names.c").read_text()
    found = re.search(rf"NAMES\({kind}_name,(.*?)\)\n", text, re.S)
    assert found, kind
    return set(STRING.findall(found[1]))


def quoted(page: str) -> list[str]:
    return re.findall(r'"([^"|]+)"', page)


def told(literal: str, page: str) -> bool:
    """In a quotation that has these words and no others, in this order, with an ellipsis for
    what differs. What is added to other words (", group %s") may have those before it."""
    before = r"\W*" if literal[0].isalpha() else r"(?:.*\W)?"
    form = re.compile(before + r"\W+".join(map(re.escape, words(literal))) + r"\W*")
    return any(form.fullmatch(quote) for quote in quoted(page))


def without(page: str, quote: str) -> str:
    """The page without the rows that have this in them."""
    return "\n".join(line for line in page.split("\n") if quote not in line)


def test_each_text_of_a_verdict_is_on_the_page() -> None:
    found, page = set(literals()), PAGE.read_text()
    assert len(found) > 30 and {name for name, _ in found} == {
        "core_judge.c", "core_judge_jobs.c", "core_judge_mount.c"}
    assert [(name, text) for name, text in sorted(found) if not told(text, page)] == []


def test_each_state_of_a_job_is_on_the_page() -> None:
    page = PAGE.read_text()
    levels = names("verdict_level")
    assert len(levels) == 6
    assert [level for level in sorted(levels) if f"\n| `{level}` |" not in page] == []


def test_each_state_of_a_worker_that_is_a_reason_is_on_the_page() -> None:
    page = PAGE.read_text()
    kinds = {kind for text in sources().values()
             for kind in re.findall(r"\b(\w+)_state_name\(", text)}
    assert kinds == set(WELL)
    for kind in kinds:
        bad = names(f"{kind}_state") - WELL[kind]
        assert bad
        assert [name for name in sorted(bad) if f'"{name}: …"' not in page] == [], kind


def test_each_state_of_a_process_is_on_the_page() -> None:
    status = (CORE / "core_status.c").read_text()
    found = set(re.findall(r'"(not connected|runs with another configuration)"', status))
    assert len(found) == 2 and found <= set(quoted(PAGE.read_text()))


@pytest.mark.parametrize("quote", [
    "unknown: no report from", "the mount operation is stuck", "mounted again, not yet probed",
    "directory not guarded", "mounted, not yet probed", "no credentials", "no good result yet",
    "the group's series is not pushed"])
def test_a_row_that_is_missing_is_missed(quote: str) -> None:
    page = PAGE.read_text()
    less = without(page, quote)
    assert less != page
    assert [text for _, text in literals() if told(text, page) and not told(text, less)]
