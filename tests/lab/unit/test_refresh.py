"""Instance refreshes of the group in virtual time (lab/aws/refresh.py)."""
from __future__ import annotations

from typing import Any

import pytest

from lab.aws.refresh import (
    BAKING, CANCELLED, FAILED, IN_PROGRESS, ROLLBACK_FAILED, ROLLED_BACK, SUCCESSFUL, Refresh)
from lab.model.model import Hook

from lab.unit.virtual import EPOCH, World

LAUNCH = Hook("launch", True, 900, "ABANDON")
DESIRED = {"LaunchTemplate": {"Version": "2"}}


def settled(**more: Any) -> World:
    return World(**more).run(100)


def refreshed(world: World, version: int | None = 2, seconds: float = 0, **preferences: Any) -> Refresh:
    world.fleet.start_refresh("r-1", version, preferences, DESIRED, world.now)
    world.run(seconds)
    return world.fleet.refreshes[-1]


def ended(world: World) -> list[str]:
    return [a.instance for a in world.fleet.activities if a.what.startswith("Terminating")]


def counts(world: World, seconds: float) -> list[tuple[int, int]]:
    """Each second: instances in service, and all but the terminating ones."""
    found = []
    for _ in range(int(seconds)):
        world.step()
        found.append((len(world.serving()), world.fleet.actual))
    return found


def test_one_more_is_launched_before_one_ends() -> None:
    world = settled()
    refresh = refreshed(world, MinHealthyPercentage=100, MaxHealthyPercentage=150)
    seen = counts(world, 200)
    assert min(serving for serving, _ in seen) == 2 and max(actual for _, actual in seen) == 3
    assert (refresh.status, refresh.percent, world.fleet.template) == (SUCCESSFUL, 100, 2)
    assert ended(world) == ["i-1", "i-2"] and world.serving() == ["i-3", "i-4"]
    assert {m.template for m in world.fleet.members.values()} == {2}
    assert [m.zone for m in world.fleet.members.values()] == ["zone-A", "zone-C"]
    # The second one began when the first one was warm.
    launches = [a.start - EPOCH for a in world.fleet.activities if a.what.startswith("Launching")]
    assert launches[3] - launches[2] >= 20 + 30
    assert world.causes()[2:4] == [
        "At 2020-02-11T18:35:50Z an instance was launched in response to an instance refresh.",
        "At 2020-02-11T18:36:40Z an instance was taken out of service in response to an instance "
        "refresh.  At 2020-02-11T18:36:40Z instance i-1 was selected for termination."]


def test_without_a_maximum_one_ends_while_its_successor_starts() -> None:
    world = settled()
    refresh = refreshed(world)
    seen = counts(world, 200)
    assert min(serving for serving, _ in seen) == 1 and max(actual for _, actual in seen) == 2
    assert refresh.status == SUCCESSFUL and world.serving() == ["i-3", "i-4"]


def test_a_maximum_of_100_is_exceeded_by_one_if_nothing_else_is_possible() -> None:
    world = settled()
    refreshed(world, MinHealthyPercentage=100, MaxHealthyPercentage=100)
    assert max(actual for _, actual in counts(world, 200)) == 3


def test_half_of_the_group_at_a_time() -> None:
    world = settled(desired=4, min=4)
    refresh = refreshed(world, MinHealthyPercentage=50, MaxHealthyPercentage=100)
    assert min(serving for serving, _ in counts(world, 30)) == 2
    assert (refresh.percent, refresh.record("web")["InstancesToUpdate"]) == (0, 4)
    world.run(30)
    assert (refresh.percent, refresh.record("web")["InstancesToUpdate"]) == (50, 2)
    world.run(100)
    assert refresh.status == SUCCESSFUL and len(world.serving()) == 4


def test_skip_matching_keeps_what_has_the_version() -> None:
    world = settled()
    world.fleet.members["i-2"].template = 2
    refresh = refreshed(world, seconds=150, SkipMatching=True)
    assert refresh.status == SUCCESSFUL and refresh.total == 1 and ended(world) == ["i-1"]
    assert refreshed(world, seconds=2, SkipMatching=True).status == SUCCESSFUL
    # Without it all are replaced, with the group's own version.
    assert refreshed(world, None, 300).status == SUCCESSFUL
    assert world.serving() == ["i-4", "i-5"] and world.fleet.template == 2


def test_an_instance_that_waits_for_its_hook_holds_the_refresh() -> None:
    world = World(hooks=[LAUNCH])
    world.finish_boots(5.0)
    world.run(100)
    world.finish_boots(1000.0)
    refresh = refreshed(world, seconds=500, MinHealthyPercentage=100, MaxHealthyPercentage=200)
    assert [m.shown for m in world.fleet.members.values()] \
        == ["InService", "InService", "Pending:Wait", "Pending:Wait"]
    assert refresh.reason.startswith("Waiting for remaining instances to be available. For example: i-")
    assert [a.status for a in world.fleet.activities][2:] == 2 * ["MidLifecycleAction"]
    # A rollback needs no instance: both old ones are there.
    refresh.roll_back("manual", world.fleet, world.now)
    world.run(10)
    assert refresh.status == ROLLED_BACK and world.serving() == ["i-1", "i-2"]
    assert ended(world) == ["i-3", "i-4"] and world.fleet.template == 1
    assert [a.status for a in world.fleet.activities][2:] == 2 * ["Cancelled"] + 2 * ["Successful"]


def test_a_rollback_replaces_what_was_deployed() -> None:
    world = settled(desired=3, min=3)
    refresh = refreshed(world, seconds=60, MinHealthyPercentage=100, MaxHealthyPercentage=134)
    assert refresh.percent == 33
    refresh.roll_back("manual", world.fleet, world.now)
    world.run(2)
    assert (refresh.percent, refresh.record("web")["InstancesToUpdate"]) == (33, 2)
    seen = counts(world, 200)
    assert min(serving for serving, _ in seen) == 3
    assert refresh.status == ROLLED_BACK and refresh.percent == 0
    assert {m.template for m in world.fleet.members.values()} == {1}
    assert len(set(world.serving()) & {"i-1", "i-2", "i-3"}) == 2
    told = refresh.record("web")["RollbackDetails"]
    assert (told["PercentageCompleteOnRollback"], told["InstancesToUpdateOnRollback"]) == (33, 2)


@pytest.mark.parametrize("auto, status", [(False, FAILED), (True, ROLLED_BACK)])
def test_an_hour_without_progress_is_a_failure(auto: bool, status: str) -> None:
    world = World(hooks=[LAUNCH])
    world.finish_boots(5.0)
    world.run(100)
    world.finish_boots(100_000.0)  # each one is abandoned after its time-out
    refresh = refreshed(world, seconds=3590, MinHealthyPercentage=100, MaxHealthyPercentage=150,
                        AutoRollback=auto)
    assert refresh.status == IN_PROGRESS and {"i-1", "i-2"} <= set(world.serving())
    world.run(100)
    assert refresh.status == status and world.fleet.template == 1
    assert {"i-1", "i-2"} <= set(world.serving()) or not auto


def test_a_rollback_can_fail() -> None:
    world = settled()
    refresh = refreshed(world, seconds=20)
    world.fleet.suspended = {"Launch"}
    world.fleet.members.pop("i-2")
    refresh.roll_back("manual", world.fleet, world.now)
    world.run(3700)
    assert refresh.status == ROLLBACK_FAILED


def test_a_cancelled_refresh_ends_what_it_has_begun() -> None:
    world = settled()
    refresh = refreshed(world, seconds=5, MinHealthyPercentage=100, MaxHealthyPercentage=150)
    refresh.cancel()
    world.run(100)
    assert refresh.status == CANCELLED and world.fleet.template == 1
    assert len(world.serving()) == 2 and len(ended(world)) == 1


def test_scaling_out_launches_the_desired_configuration() -> None:
    world = settled()
    refresh = refreshed(world, seconds=5, MinHealthyPercentage=100, MaxHealthyPercentage=150)
    world.fleet.constrain(3, 4, 3, world.now)
    world.run(300)
    assert refresh.status == SUCCESSFUL and len(world.serving()) == 3
    assert {m.template for m in world.fleet.members.values()} == {2}


def test_a_sick_new_instance_stops_the_refresh() -> None:
    world = settled()
    world.sick.add("i-3")
    refreshed(world, seconds=80, MinHealthyPercentage=100, MaxHealthyPercentage=150)
    assert {"i-1", "i-2"} <= set(world.serving()) and "i-4" not in world.fleet.members


def test_the_bake_time_is_waited_for() -> None:
    world = settled()
    refresh = refreshed(world, seconds=150, BakeTime=600)
    assert refresh.status == BAKING and world.fleet.template == 1
    world.run(600)
    assert refresh.status == SUCCESSFUL and world.fleet.template == 2
