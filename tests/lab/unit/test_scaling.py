"""Target tracking in virtual time (lab/aws/scaling.py): alarms and capacity."""
from __future__ import annotations

from dataclasses import replace

import pytest

from lab.aws.scaling import (
    ALARM, INSUFFICIENT_DATA, OK, Alarm, TargetTracking, decisive, proportional, scaled_in,
    scaled_out)

from lab.unit.virtual import POLICY


def points(text: str) -> list[float | None]:
    """In the notation of CloudWatch's guide: 0 does not breach, X breaches, - is missing."""
    return [{"0": 10.0, "X": 90.0, "-": None}[c] for c in text.split()]


# alarms

def alarm(periods: int = 3, above: bool = True) -> Alarm:
    return Alarm("alarm", 50.0 if above else 45.0, above, periods)


@pytest.mark.parametrize("text, state", [
    ("0 - X - X", OK), ("0 - - - -", OK), ("- - - - -", INSUFFICIENT_DATA),
    ("0 X X - X", ALARM), ("- - X - -", ALARM)])
def test_the_guides_own_table(text: str, state: str) -> None:
    """CloudWatch User Guide, missing data treated as missing, 3 of 3."""
    assert alarm().decide(points(text)) == state


@pytest.mark.parametrize("before", [OK, INSUFFICIENT_DATA, ALARM])
@pytest.mark.parametrize("text", ["- - - - X", "- - - X -", "- - - X X"])
def test_too_few_points_do_not_tell_yet(text: str, before: str) -> None:
    found = alarm()
    found.state = before
    assert found.decide(points(text)) == before


def test_the_threshold_itself_does_not_breach() -> None:
    assert alarm().decide([50.0, 50.0, 50.0]) == OK
    assert alarm().decide([50.1, 50.1, 50.1]) == ALARM
    assert alarm(15, above=False).decide([45.0] * 15) == OK
    assert alarm(15, above=False).decide([44.9] * 15) == ALARM


def test_three_of_three_and_fifteen_of_fifteen_below_ninety_percent() -> None:
    tracking = TargetTracking(POLICY, "web", "key")
    assert [a.name for a in tracking.alarms] == [
        "TargetTracking-web-AlarmHigh-key", "TargetTracking-web-AlarmLow-key"]
    assert (tracking.high.threshold, tracking.high.periods) == (50.0, 3)
    assert (tracking.low.threshold, tracking.low.periods) == (45.0, 15)
    assert tracking.evaluate([10.0] * 3 + [90.0] * 2, 0) == []
    assert tracking.evaluate([10.0] * 2 + [90.0] * 3, 10) == [tracking.high]
    assert tracking.evaluate([90.0] * 3 + [10.0] * 14, 20) == []
    assert tracking.evaluate([90.0] * 2 + [10.0] * 15, 30) == [tracking.low]


def test_an_alarm_invokes_on_change_and_once_a_minute_while_it_lasts() -> None:
    found, high = alarm(), [90.0] * 5
    invoked = [now for now in range(0, 200, 10) if found.evaluate(high, now)]
    assert invoked == [0, 60, 120, 180]
    assert not found.evaluate([10.0] * 5, 200) and found.state == OK
    assert found.evaluate(high, 210)


def test_flapping_data_never_alarm() -> None:
    high, low = alarm(), alarm(15, above=False)
    seen: list[float | None] = []
    for turn in range(8640):
        seen.append(90.0 if turn % 3 else 10.0)
        assert not high.evaluate(seen[-17:], turn * 10) and high.state != ALARM
        assert not low.evaluate(seen[-17:], turn * 10) and low.state != ALARM


def test_reasons_are_as_cloudwatchs() -> None:
    found = alarm()
    found.evaluate([60.0, 70.0, 80.0], 0)
    assert found.reason == ("Threshold Crossed: 3 out of the last 3 datapoints [80.00, 70.00, "
                            "60.00] were greater than the threshold (50.0).")
    found.evaluate([60.0, 70.0, 80.0, 1.5], 10)
    assert found.reason == ("Threshold Crossed: 1 out of the last 3 datapoints [1.50] was not "
                            "greater than the threshold (50.0).")
    found.evaluate([None] * 5, 60)
    assert found.reason.startswith("Insufficient Data: no datapoints were received")


def test_periods_are_on_the_grid_and_have_settled() -> None:
    tracking = TargetTracking(POLICY, "web", "key")
    assert tracking.periods(1000.0, 5.0)[-2:] == [970.0, 980.0]
    assert tracking.periods(1004.9, 5.0)[-1] == 980.0 and tracking.periods(1005.0, 5.0)[-1] == 990.0
    assert len(tracking.periods(1000.0, 5.0)) == 17


# capacity

def test_out_by_the_latest_point_and_in_by_the_highest() -> None:
    assert decisive(alarm(), [60.0, 90.0, None, 70.0]) == 70.0
    assert decisive(alarm(3, above=False), [44.0, 30.0, None, 40.0, 1.0]) == 40.0


@pytest.mark.parametrize("capacity, metric, wanted", [
    (2, 75.0, 3), (2, 100.0, 4), (2, 50.1, 3), (2, 50.0, 2), (3, 33.0, 2), (3, 34.0, 3),
    (10, 57.5, 12), (10, 42.5, 9), (3, 0.0, 0)])
def test_proportion_rounds_so_that_enough_stays(capacity: int, metric: float, wanted: int) -> None:
    assert proportional(capacity, metric, 50.0) == wanted


def test_bounds() -> None:
    assert scaled_out(2, 2, 75.0, POLICY, 4) == 3 and scaled_out(2, 2, 500.0, POLICY, 4) == 4
    assert scaled_out(2, 3, 75.0, POLICY, 4) == 3   # one instance already warms up
    assert scaled_out(2, 4, 60.0, POLICY, 4) == 4   # never below the desired capacity
    assert scaled_out(4, 4, 100.0, POLICY, 4) == 4  # the maximum is reached
    assert scaled_in(3, 3, 1.0, POLICY, 2) == 2 and scaled_in(3, 3, 40.0, POLICY, 2) == 3
    assert scaled_in(4, 3, 40.0, POLICY, 2) == 3    # a terminating instance still counts
    assert scaled_in(3, 3, 0.0, POLICY, 0) == 1
    assert scaled_in(3, 3, 1.0, replace(POLICY, disable_scale_in=True), 2) == 3
