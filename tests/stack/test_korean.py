"""The Korean pages say what the English ones say: the same commands, tables, links and names."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```.*?^```$", re.S | re.M)
# Links from one language to the other.
LANGUAGES = {"README.md", "README.ko.md", "userdata/README.ko.md"}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Without code blocks, in which # begins a comment."""
    return BLOCK.sub("", text)


def levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.M)]


def targets(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)]+)\)", prose(text)))


def tables(text: str) -> list[list[str]]:
    """Each table's rows."""
    return [found.splitlines() for found in re.findall(r"(?:^\|.*\n)+", prose(text), re.M)]


def names(text: str) -> set[str]:
    """What stands between backticks: commands, keys, files; a line may end in it."""
    return {" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(text))}


def part(text: str, begin: str, end: str) -> str:
    start = text.index(begin)
    return text[start:text.index(end, start)]


@pytest.fixture(scope="module", name="english")
def english_page() -> str:
    return page("README.md")


@pytest.fixture(scope="module", name="korean")
def korean_page() -> str:
    return page("README.ko.md")


def test_each_page_begins_with_a_link_to_the_other(english: str, korean: str) -> None:
    title = "# web-node-agent\n\n"
    assert english.startswith(title + "[한국어](README.ko.md)\n\n")
    assert korean.startswith(title + "[English](README.md)\n\n")


def test_the_code_blocks_are_the_same(english: str, korean: str) -> None:
    assert len(BLOCK.findall(english)) > 5
    assert BLOCK.findall(korean) == BLOCK.findall(english)


def test_the_headings_are_as_many_at_each_level(english: str, korean: str) -> None:
    assert len(levels(english)) > 5 and levels(korean) == levels(english)


def test_the_links_lead_to_the_same_pages(english: str, korean: str) -> None:
    assert len(targets(english)) > 5
    assert targets(korean) - LANGUAGES == targets(english) - LANGUAGES
    for name in targets(korean) | targets(english):
        assert name.startswith("https://") or (ROOT / name).is_file(), name


def test_the_tables_have_as_many_rows(english: str, korean: str) -> None:
    assert tables(english)
    assert [len(rows) for rows in tables(korean)] == [len(rows) for rows in tables(english)]


def test_no_name_is_translated_or_left_out(english: str, korean: str) -> None:
    assert names(korean) == names(english)


def test_the_stack_s_page_has_the_options_and_the_costs() -> None:
    """The page has four sections of the English one, and sends its reader there for the rest."""
    english, korean = page("userdata/README.md"), page("userdata/README.ko.md")
    deploy = part(english, "\n## Deploy the stack\n", "\nThe steps by hand:\n")
    costs = part(english, "\n## Costs\n", "\n## Parameters\n")
    removal = part(english, "\n**Removal.**", "\n## A baked image\n")
    baked = part(english, "\n## A baked image\n", "\n## Costs\n")
    assert "](README.md)" in korean.split("\n\n")[1]
    assert levels(korean) == [1, 2, 2, 2, 2]
    assert names(korean) == names(deploy + baked + costs + removal)
    ours, theirs = tables(korean), tables(deploy) + tables(costs)
    assert len(theirs) == 2 and [len(rows) for rows in ours] == [len(rows) for rows in theirs]
    for mine, row in zip(ours[0][2:], theirs[0][2:]):
        assert mine.split(" | ")[0] == row.split(" | ")[0]
    sections = {re.sub(r"[^a-z ]", "", title.lower()).replace(" ", "-")
                for title in re.findall(r"^## (.*)$", english, re.M)}
    for name in targets(korean):
        assert name in ("README.md", "../packaging/image/image.yaml") or \
            name.removeprefix("README.md#") in sections, name
