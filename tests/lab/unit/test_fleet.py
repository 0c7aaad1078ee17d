"""The Auto Scaling group's instances in virtual time (lab/aws/fleet.py, aws/activity.py): a day
needs only a moment."""
from __future__ import annotations

import random
from dataclasses import replace

from lab.aws.activity import Activity, ordered
from lab.aws.fleet import Fleet
from lab.aws.member import IN_SERVICE, PENDING, TERMINATING, UNHEALTHY
from lab.aws.scaling import ALARM, INSUFFICIENT_DATA
from lab.model.model import Hook

from lab.unit.virtual import EPOCH, POLICY, World, model


def test_the_group_begins_with_the_desired_capacity_over_the_zones() -> None:
    world = World().run(30)
    assert [m.zone for m in world.fleet.members.values()] == ["zone-A", "zone-C"]
    assert world.causes() == 2 * [
        "At 2020-02-11T18:34:10Z a user request created an AutoScalingGroup changing the desired "
        "capacity from 0 to 2.  At 2020-02-11T18:34:10Z an instance was started in response to a "
        "difference between desired and actual capacity, increasing the capacity from 0 to 2."]
    first = world.fleet.activities[0]
    assert (first.description, first.status, first.end) == (
        "Launching a new EC2 instance: i-1", "Successful", EPOCH + 20)
    assert first.record()["Details"] == \
        '{"Subnet ID": "subnet-WebA", "Availability Zone": "zone-A"}'


def test_load_scales_out_and_idleness_in() -> None:
    world = World().run(100)
    world.load = lambda now: 140.0 if now < 400 else 0.0  # 70 % for two instances, 47 % for three
    world.run(700)
    assert [size for _, size in world.sizes] == [0, 2, 3, 2]
    out, back = world.fleet.activities[2:]
    assert out.cause == (
        "At 2020-02-11T18:36:10Z a monitor alarm TargetTracking-web-AlarmHigh-key in state ALARM "
        "triggered policy cpu changing the desired capacity from 2 to 3.  At 2020-02-11T18:36:10Z "
        "an instance was started in response to a difference between desired and actual capacity, "
        "increasing the capacity from 2 to 3.")
    assert back.what == "Terminating EC2 instance" and back.status == "Successful"
    assert back.cause == (
        "At 2020-02-11T18:43:10Z a monitor alarm TargetTracking-web-AlarmLow-key in state ALARM "
        "triggered policy cpu changing the desired capacity from 3 to 2.  At 2020-02-11T18:43:10Z "
        "an instance was taken out of service in response to a difference between desired and "
        "actual capacity, shrinking the capacity from 3 to 2.  At 2020-02-11T18:43:10Z instance "
        "i-1 was selected for termination.")


def test_one_idle_moment_takes_nothing_away() -> None:
    """40 % on three instances is below 90 % of the target for a long time, but two instances would
    be too few: one idle point does not scale in, fifteen do."""
    world = World().run(100)
    world.load = lambda now: 120.0
    world.run(600)
    assert world.tracking.low.state == ALARM and len(world.serving()) == 3
    world.load = lambda now: 0.0 if now == 800 else 120.0
    world.run(600)
    assert len(world.serving()) == 3
    world.load = lambda now: 0.0
    world.run(300)
    assert len(world.serving()) == 2


def test_the_zone_with_most_instances_shrinks() -> None:
    world = World(desired=3, min=2).run(400)
    assert sorted(m.zone for m in world.fleet.members.values()) == ["zone-A", "zone-C"]


def test_the_oldest_launch_template_goes_first() -> None:
    world = World(subnets=["WebA"], desired=3, min=2)
    world.run(10)
    world.fleet.members["i-1"].template = world.fleet.members["i-3"].template = 2
    world.run(400)
    assert "i-2" not in world.fleet.members and len(world.fleet.members) == 2


def test_the_maximum_holds() -> None:
    world = World()
    world.load = lambda now: 1000.0
    world.run(3600)
    assert len(world.serving()) == 4 and world.fleet.desired == 4
    assert len(world.fleet.activities) == 4


def test_an_instance_that_warms_up_neither_counts_nor_lets_scale_in() -> None:
    """The alarm stays high during a warm-up: the computed capacity is the same, and no instance is
    added. Idle during a warm-up: no instance is removed before its end."""
    world = World(boot=10, warmup=400)
    world.run(420)
    world.load = lambda now: 130.0 if now < 560 else 0.0
    world.run(140)
    assert [a.instance for a in world.fleet.activities] == ["i-1", "i-2", "i-3"]
    warm_at = (world.fleet.members["i-3"].in_service_at or 0) + 400
    world.run(warm_at - world.now)
    assert len(world.serving()) == 3 and world.tracking.low.state == ALARM
    world.run(120)
    assert len(world.serving()) == 2


def test_gaps_and_silence_scale_nothing() -> None:
    world = World().run(100)
    world.load = lambda now: None if 100 <= now < 4000 else 0.0
    world.run(200)
    assert world.tracking.high.state == world.tracking.low.state == INSUFFICIENT_DATA
    world.run(3600)
    assert len(world.fleet.activities) == 2
    world.load = lambda now: 180.0 if now % 30 else None  # every third point is missing
    world.run(100)
    assert world.fleet.desired > 2


def test_a_day_of_noise_stays_within_bounds_and_spends_little() -> None:
    chance = random.Random(11)
    world = World()
    world.load = lambda now: None if chance.random() < 0.1 else chance.uniform(0, 400)
    world.run(86_400)
    assert all(size <= 4 for _, size in world.sizes)
    assert all(size >= 2 for now, size in world.sizes if now > 30)
    assert world.fleet.desired == 4  # high for three periods in a row, never low for fifteen


def test_a_daily_curve_follows_the_load_and_is_at_rest_between() -> None:
    world = World(policy=replace(POLICY, period=10), max=10)
    world.load = lambda now: 400.0 if 30_000 < now < 50_000 else 20.0
    world.run(86_400)
    assert max(size for _, size in world.sizes) >= 8 and len(world.serving()) == 2
    assert len(world.sizes) < 20


def unhealthy(world: World, name: str, seconds: float) -> Activity:
    world.sick.add(name)
    world.run(seconds)
    return next(a for a in world.fleet.activities
                if a.instance == name and a.what.startswith("Terminating"))


def test_an_unhealthy_target_is_replaced() -> None:
    world = World().run(200)
    gone = unhealthy(world, "i-1", 100)
    assert gone.cause == ("At 2020-02-11T18:37:30Z an instance was taken out of service in "
                          "response to an ELB system health check failure.")
    assert world.fleet.activities[-1].cause == (
        "At 2020-02-11T18:37:30Z an instance was launched in response to an unhealthy instance "
        "needing to be replaced.")
    assert world.serving() == ["i-2", "i-3"] and world.fleet.desired == 2
    assert [m.zone for m in world.fleet.members.values()] == ["zone-C", "zone-A"]


def test_not_within_the_grace_period_nor_with_ec2_checks_only() -> None:
    world = World(grace=100, warmup=0).run(30)
    world.sick.add("i-1")
    world.run(80)
    assert len(world.fleet.activities) == 2
    world.run(20)
    assert len(world.fleet.activities) == 4
    world = World(health_check_type="EC2").run(200)
    world.sick.add("i-1")
    world.run(1000)
    assert len(world.fleet.activities) == 2


def test_replacements_go_one_at_a_time() -> None:
    world = World().run(200)
    world.sick |= {"i-1", "i-2"}
    world.run(40)
    assert sorted(m.state for m in world.fleet.members.values()) == [IN_SERVICE, IN_SERVICE]
    assert "i-2" in world.fleet.members  # waits until the first replacement has warmed up
    world.run(100)
    assert "i-2" not in world.fleet.members and len(world.serving()) == 2


def test_nothing_is_replaced_before_any_target_has_been_healthy() -> None:
    world = World()
    world.sick |= {"i-1", "i-2"}
    world.run(3600)
    assert len(world.fleet.activities) == 2 and not world.fleet.attached


def test_a_machine_that_stops_is_replaced_at_once() -> None:
    world = World(grace=1000, health_check_type="EC2").run(30)
    world.stopped.add("i-2")
    world.run(60)
    assert any("an EC2 health check indicating it has been terminated or stopped" in cause
               for cause in world.causes())
    assert world.serving() == ["i-1", "i-3"]


def test_suspended_processes_hold_still() -> None:
    world = World().run(200)
    world.fleet.suspended = {"ReplaceUnhealthy", "AlarmNotification"}
    world.sick.add("i-1")
    world.load = lambda now: 190.0
    world.run(300)
    assert len(world.fleet.activities) == 2 and world.fleet.members["i-1"].health == UNHEALTHY
    world.fleet.suspended = set()
    world.run(300)
    assert "i-1" not in world.fleet.members and world.fleet.desired > 2


def test_what_users_ask_for() -> None:
    world = World().run(60)
    world.fleet.want(3, "a user request explicitly set group desired capacity", world.now)
    world.run(60)
    assert len(world.serving()) == 3
    assert world.fleet.terminate("i-2", True, world.now) and not world.fleet.terminate(
        "i-2", True, world.now)
    assert world.causes()[-1] == (
        "At 2020-02-11T18:36:10Z instance i-2 was taken out of service in response to a user "
        "request, shrinking the capacity from 3 to 2.")
    world.run(30)
    assert world.fleet.desired == 2 == len(world.serving())
    world.fleet.constrain(1, 4, 1, world.now)
    world.run(30)
    assert "constraints to min: 1, max: 4, desired: 1 changing the desired" in world.causes()[-1]
    assert len(world.serving()) == 1


def test_failed_launches_are_told_and_tried_again_more_slowly() -> None:
    world = World()
    world.broken_launches = 4
    world.run(200)
    failed = [a for a in world.fleet.activities if a.status == "Failed"]
    assert len(failed) == 4 and len(world.serving()) == 2
    assert failed[0].record()["StatusMessage"] == "no machine"
    starts = [a.start - EPOCH for a in world.fleet.activities]
    assert starts[2] - starts[0] >= 5 and starts[4] - starts[2] > starts[2] - starts[0]


def test_draining_shows_and_lasts_as_long_as_the_target_group_says() -> None:
    world = World(delay=300).run(100)
    world.fleet.terminate("i-1", False, world.now)
    world.run(2)
    shown = ordered(world.fleet.activities)
    draining = next(a for a in shown if a.instance == "i-1" and a.what.startswith("Term"))
    assert draining.description == ("Terminating EC2 instance: i-1 - Waiting For ELB Connection "
                                    "Draining.")
    assert draining.record()["Progress"] == 50 and "EndTime" not in draining.record()
    assert {m.state for m in world.fleet.members.values()} == {TERMINATING, IN_SERVICE, PENDING}
    assert [a.end is None for a in shown] == [True, True, False, False]
    world.run(310)
    assert "i-1" not in world.fleet.members and draining.description[-3:] == "i-1"


def test_a_pending_instance_that_is_terminated_is_never_in_service() -> None:
    world = World(boot=50).run(10)
    world.fleet.terminate("i-1", True, world.now)
    assert world.fleet.members["i-1"].drained and not world.fleet.running("i-1", world.now)


def test_warmup_falls_back_as_documented() -> None:
    def warmup(policy: int | None, group: int | None) -> int:
        return Fleet(model(replace(POLICY, warmup=policy), warmup=group), EPOCH).warmup
    assert (warmup(7, 30), warmup(None, 30), warmup(0, 30), warmup(None, None)) == (7, 30, 0, 300)


# lifecycle hooks

LAUNCH = Hook("launch", True, 30, "ABANDON")
TERMINATE = Hook("terminate", False, 60, "CONTINUE")


def states(world: World) -> list[str]:
    return [member.shown for member in world.fleet.members.values()]


def test_an_instance_serves_when_its_launch_hook_is_completed() -> None:
    world = World(hooks=[LAUNCH]).run(40)
    assert states(world) == ["Pending:Wait", "Pending:Wait"] and not world.serving()
    world.fleet.heartbeat("i-1", world.now)
    world.fleet.complete("i-2", "CONTINUE", world.now)
    assert states(world) == ["Pending:Wait", "InService"]
    # Without a heartbeat the second half of the time-out would be its end.
    world.run(20)
    assert states(world) == ["Pending:Wait", "InService"]
    world.fleet.complete("i-1", "CONTINUE", world.now)
    world.run(5)
    assert world.serving() == ["i-1", "i-2"]
    # The warm-up counts from then.
    assert not world.fleet.warm(world.fleet.members["i-1"], world.now)


def test_an_abandoned_launch_is_replaced_and_never_serves() -> None:
    world = World(hooks=[LAUNCH]).run(25)
    world.fleet.complete("i-1", "CONTINUE", world.now)
    world.fleet.complete("i-2", "ABANDON", world.now)
    world.run(5)
    assert "i-2" not in world.fleet.members and "i-3" in world.fleet.members
    assert [a.status for a in world.fleet.activities if a.instance == "i-2"] \
        == ["Failed", "Successful"]
    # The third says nothing: its time-out is the hook's default.
    world.run(60)
    assert "i-3" not in world.fleet.members and world.serving() == ["i-1"]


def test_heartbeats_do_not_last_for_ever() -> None:
    world = World(hooks=[LAUNCH]).run(25)
    world.fleet.complete("i-2", "CONTINUE", world.now)
    while "i-1" in world.fleet.members:
        world.fleet.heartbeat("i-1", world.now)
        world.step()
        assert world.now < 4000
    assert world.now >= 20 + 100 * LAUNCH.heartbeat


def test_a_terminating_instance_waits_after_it_was_drained() -> None:
    world = World(hooks=[TERMINATE], delay=5.0).run(60)
    world.fleet.terminate("i-1", True, world.now)
    world.run(3)
    assert world.fleet.members["i-1"].shown == "Terminating"
    world.run(5)
    assert world.fleet.members["i-1"].shown == "Terminating:Wait"
    # Whatever the answer is, it ends.
    world.fleet.complete("i-1", "ABANDON", world.now)
    world.run(2)
    assert world.serving() == ["i-2"] and "i-1" not in world.fleet.members
    world.fleet.terminate("i-2", False, world.now)
    world.run(5 + TERMINATE.heartbeat + 3)
    assert "i-2" not in world.fleet.members


def test_a_scale_out_that_boots_for_minutes_stops_in_time() -> None:
    """The warm-up counts from the end of the launch hook: the average without the new instance does
    not launch a second one."""
    world = World(warmup=60, hooks=[replace(LAUNCH, heartbeat=600)])
    world.finish_boots(after=300.0)
    world.run(400)
    world.load = lambda now: 140.0
    world.run(1500)
    assert max(size for _, size in world.sizes) == 3 and world.fleet.desired == 3
