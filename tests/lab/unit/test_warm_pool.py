"""The warm pool in virtual time (lab/aws/warm_pool.py)."""
from __future__ import annotations

from lab.aws.warm_pool import Pool
from lab.model.model import Hook

from lab.unit.virtual import World

LAUNCH = Hook("launch", True, 300, "ABANDON")
TERMINATE = Hook("terminate", False, 60, "CONTINUE")


def pooled(pool: Pool, ready: float = 5.0) -> World:
    """Two in service, and the pool is full."""
    world = World(hooks=[LAUNCH, TERMINATE], warmup=0)
    world.finish_boots(ready)
    world.run(100)
    world.fleet.put_pool(pool, world.now)
    return world.run(60)


def states(world: World) -> list[str]:
    return [member.shown for member in world.fleet.members.values()]


def grow(world: World, desired: int) -> None:
    world.fleet.constrain(desired, 4, desired, world.now)


def test_the_pool_has_what_the_group_may_grow_by() -> None:
    world = pooled(Pool("Warmed:Stopped"))
    assert states(world) == 2 * ["InService"] + 2 * ["Warmed:Stopped"]
    assert world.serving() == ["i-1", "i-2"] and world.fleet.actual == 2
    assert [a.description for a in world.fleet.activities[2:]] == [
        "Launching a new EC2 instance into warm pool: i-3",
        "Launching a new EC2 instance into warm pool: i-4"]
    assert states(pooled(Pool("Warmed:Running", prepared=3))) == 2 * ["InService"] + ["Warmed:Running"]
    assert len(states(pooled(Pool("Warmed:Running", least=3)))) == 5


def test_both_waits_are_for_the_launch_hook() -> None:
    world = pooled(Pool("Warmed:Stopped"), ready=40.0)
    assert states(world) == 2 * ["InService"] + 2 * ["Warmed:Pending:Wait"]
    world.run(10)
    assert states(world)[2:] == 2 * ["Warmed:Stopped"]
    grow(world, 3)
    world.run(10)
    assert states(world)[2:] == ["Pending:Wait", "Warmed:Stopped"] and len(world.serving()) == 2
    world.run(40)
    # The pool has become smaller: it is not filled again.
    assert states(world) == 3 * ["InService"] + ["Warmed:Stopped"]
    assert "was taken from the warm pool, increasing the capacity from 2 to 3" in world.causes()[-1]


def test_an_empty_pool_delays_nothing() -> None:
    world = pooled(Pool("Warmed:Running", prepared=3))
    grow(world, 4)
    world.run(40)
    assert states(world) == 4 * ["InService"]


def test_a_scale_in_fills_the_pool_again() -> None:
    world = pooled(Pool("Warmed:Stopped", reuse=True))
    grow(world, 4)
    world.run(40)
    assert states(world) == 4 * ["InService"]
    grow(world, 3)
    world.run(2)
    left = next(m for m in world.fleet.members.values() if m.state != "InService")
    assert left.shown == "Warmed:Pending"  # the load balancer drains it
    world.run(5)
    assert left.shown == "Warmed:Pending:Wait" and left.hook == TERMINATE
    world.fleet.complete(left.id, "CONTINUE", world.now)
    assert left.shown == "Warmed:Pending:Proceed"  # until the machine is off
    world.run(4)
    assert left.shown == "Warmed:Stopped"
    grow(world, 4)
    world.run(40)
    assert states(world) == 4 * ["InService"] and len(world.fleet.members) == 4


def test_without_reuse_it_ends_and_another_is_prepared() -> None:
    world = pooled(Pool("Warmed:Stopped"))
    grow(world, 3)
    world.run(40)
    grow(world, 2)
    world.run(150)
    assert sorted(states(world)) == 2 * ["InService"] + 2 * ["Warmed:Stopped"]
    assert "i-5" in world.fleet.members and "i-1" not in world.fleet.members


def test_an_abandoned_launch_never_enters_the_pool() -> None:
    world = pooled(Pool("Warmed:Stopped", prepared=3), ready=1000.0)
    world.fleet.complete("i-3", "ABANDON", world.now)
    assert world.fleet.members["i-3"].shown == "Warmed:Terminating:Wait"
    world.run(70)
    assert "i-3" not in world.fleet.members and world.fleet.members["i-4"].shown == "Warmed:Pending:Wait"


def test_a_deleted_pool_leaves_the_group_alone() -> None:
    world = pooled(Pool("Warmed:Running"))
    world.fleet.put_pool(None, world.now)
    world.run(2)  # no hook is waited for
    assert states(world) == 2 * ["InService"]


def test_an_instance_refresh_replaces_the_pool_too() -> None:
    world = pooled(Pool("Warmed:Stopped"))
    world.fleet.start_refresh("r-1", 2, {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}, None,
                              world.now)
    world.run(400)
    assert world.fleet.refreshes[0].status == "Successful"
    assert {m.template for m in world.fleet.members.values()} == {2}
    assert sorted(states(world)) == 2 * ["InService"] + 2 * ["Warmed:Stopped"]
