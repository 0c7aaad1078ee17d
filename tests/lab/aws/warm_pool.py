"""The warm pool of the group. Pure, like aws/fleet.py, whose instances these are.

Sources (EC2 Auto Scaling User Guide, "Decrease latency for applications that have long boot times using
warm pools", "Use lifecycle hooks with a warm pool"; API Reference, PutWarmPool):
- The pool has as many instances as the group's maximum, or MaxGroupPreparedCapacity, is above its
  desired capacity, and at least its MinSize.
- A new instance waits for the launch hook (Warmed:Pending:Wait) and is then stopped or goes on running.
  A scale-out starts it, and it waits for the same hook again (Pending:Wait). An empty pool does not
  delay a scale-out: instances are launched into the group.
- With ReuseOnScaleIn a scale-in returns the instance to the pool: it waits for the *terminate* hook in
  Warmed:Pending:Wait.
- An instance in the pool is in no target group and in no alarm's metric of the group's size.
- "Update the instances in a warm pool": an instance refresh replaces them too.

Not documented, assumed: an instance that returns is in Warmed:Pending from the beginning of its
deregistration; the result of its hook does not matter; surplus instances are terminated, the oldest
launch template first; outdated instances of the pool are replaced at once. Not played: Hibernated,
health checks of the pool's instances."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import activity as words
from .member import PENDING, STOPPING, WARMED_PENDING, Launch, Member

if TYPE_CHECKING:
    from .fleet import Fleet


STOPPED = "Warmed:Stopped"


@dataclass(frozen=True)
class Pool:
    """PutWarmPool. `state`: STOPPED, "Warmed:Running"; `prepared`: None for the group's
    maximum."""
    state: str
    least: int = 0
    prepared: int | None = None
    reuse: bool = False

    def size(self, fleet: Fleet) -> int:
        most = fleet.max if self.prepared is None else self.prepared
        return max(self.least, most - fleet.desired)

    def take(self, fleet: Fleet, now: float, old: int, new: int) -> Launch | None:
        """Begins a scale-out with one of its instances; None if the pool is empty."""
        member = next((m for m in fleet.members.values() if m.state == self.state), None)
        if member is None:
            return None
        member.state = PENDING
        return fleet.begin(member.subnet, words.FROM_POOL, words.TAKEN, now, member=member, old=old,
                           new=new)

    def converge(self, fleet: Fleet, launching: int, now: float) -> list[Launch]:
        """Fills the pool or takes instances away. `launching`: on their way into it."""
        there = [m for m in fleet.members.values() if m.state in (self.state, WARMED_PENDING, STOPPING)]
        missing = self.size(fleet) - len(there) - launching
        ready = [m for m in there if m.state == self.state]
        for member in fleet.oldest_first(ready, now)[:max(0, -missing)]:
            fleet.retire(member, [words.SURPLUS], now)
        return [fleet.begin(fleet.best_subnet(), words.INTO_POOL, words.PREPARED, now, pool=True)
                for _ in range(missing)]

    def settle(self, member: Member, now: float, offset: float) -> None:
        """The instance is in the pool, unless its machine is to be stopped first."""
        member.in_service_at, member.returns = None, False
        if self.state == STOPPED and member.state != STOPPING:
            member.state = STOPPING
        else:
            member.state = self.state
            member.activity.done(now + offset)
