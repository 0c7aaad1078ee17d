"""The GTID arithmetic that says whether a standby has transactions of its own."""
from __future__ import annotations

import pytest

from lab.rds import positions, quote, strangers


def test_positions() -> None:
    assert positions("0-1-17,0-2-20") == {(0, 1): 17, (0, 2): 20}
    assert positions("0-1-17,\n1-2-3\n") == {(0, 1): 17, (1, 2): 3}
    assert positions("") == {}


@pytest.mark.parametrize("standby, writer", [
    ("", "0-1-5"),
    ("0-1-5", "0-1-5"),
    ("0-1-5", "0-1-5,0-2-9"),
    ("0-1-5,0-2-7", "0-2-9,0-1-5"),
])
def test_a_standby_that_is_behind_has_nothing_of_its_own(standby: str, writer: str) -> None:
    assert strangers(standby, writer) == []


@pytest.mark.parametrize("standby, writer, own", [
    ("0-1-6", "0-1-5", "0-1-6"),              # written, and nobody was told
    ("0-1-6", "0-1-5,0-2-20", "0-1-6"),       # the writer's number is higher, yet it has it not
    ("0-1-5,0-2-6", "0-1-5", "0-2-6"),        # written on the standby
    ("1-1-1", "0-1-5", "1-1-1"),
])
def test_what_the_writer_does_not_have_is_found(standby: str, writer: str, own: str) -> None:
    assert strangers(standby, writer) == [own]


def test_quote() -> None:
    assert quote("a'b\\c") == "'a\\'b\\\\c'"
