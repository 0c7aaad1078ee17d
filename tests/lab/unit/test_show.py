"""`status` during a change of the lab: unavailable information is one line, the rest is shown."""
from __future__ import annotations

from typing import Any, cast

import pytest

from lab.command import show
from lab.command.client import Lab, Refused


class Half:
    """A lab that refuses one order after the other. `bad`: client.Lab's method."""

    def __init__(self, bad: str) -> None:
        self.bad = bad

    def __getattr__(self, name: str) -> Any:
        def answer() -> Any:
            if name == self.bad:
                raise Refused("the instance is\njust replaced")
            return ANSWERS[name]
        return answer


ANSWERS: dict[str, Any] = {
    "facts": {"alb_name": "alb", "alb_addresses": ["192.0.2.1"], "database_endpoint": "db",
              "stand_ins": "What is what", "troubles": []},
    "hosts": {"web-1": {"kind": "web", "zone": "a", "address": "10.16.3.10", "public": None,
                        "pid": 7}},
    "targets": {}, "instances": [],
    "alarms": {"points": [], "namespace": "N", "metric": "m", "period": 10, "target": 50.0,
               "high": {"state": "OK"}, "low": {"state": "OK"}},
    "database": {"writer": "10.16.5.10", "standby": "10.16.6.10", "semi_sync": "ON"},
    "activities": [],
}


@pytest.mark.parametrize("bad, line", [
    ("hosts", "hosts: "), ("targets", "instances: "), ("instances", "instances: "),
    ("alarms", "alarms: "), ("database", "database: "), ("activities", "activities: "), ("", ""),
])
def test_a_part_that_is_refused_is_a_line(bad: str, line: str) -> None:
    shown = show.status(cast(Lab, Half(bad)))
    said = [text for text in shown.splitlines() if "not known" in text]
    assert said == ([f"{line}not known just now: the instance is just replaced"] if bad else [])
    assert shown.endswith("What is what")
    assert ("web-1" in shown) == (bad != "hosts")


def test_an_answer_without_what_is_looked_for_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "database", {})
    assert "database: not known just now: 'writer'" in show.status(cast(Lab, Half("")))


def test_a_lab_that_is_not_up_yet_is_one_line() -> None:
    with pytest.raises(Refused):
        show.status(cast(Lab, Half("facts")))
