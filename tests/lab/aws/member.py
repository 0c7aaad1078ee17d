"""An instance of the group, as aws/fleet.py knows it."""
from __future__ import annotations

from dataclasses import dataclass

from lab.model.model import Hook
from .activity import WAITING, Activity

PENDING, IN_SERVICE, TERMINATING = "Pending", "InService", "Terminating"
WARMED_PENDING, WARMED_TERMINATING = "Warmed:Pending", "Warmed:Terminating"
STOPPING = "Warmed:Pending:Proceed"  # until the machine is off
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"
HEARTBEATS, HOOK_MAX_S = 100, 48 * 3600


@dataclass
class Launch:
    """An action: launch an instance of this version of the launch template in this subnet (logical
    name), or start the machine of this one, from the warm pool."""
    subnet: str
    activity: Activity
    template: int
    pool: bool = False          # into the warm pool
    member: Member | None = None


@dataclass
class Member:
    id: str
    subnet: str
    zone: str
    address: str
    activity: Activity          # the latest activity
    template: int               # version of the launch template; the lowest is the oldest
    launched_at: float
    in_service_at: float | None = None
    state: str = PENDING
    health: str = HEALTHY
    drained: bool = False
    returns: bool = False       # from service into the warm pool
    hook: Hook | None = None    # whose action the instance waits for
    hook_ends: float = 0.0      # without another heartbeat
    hook_limit: float = 0.0     # with them

    @property
    def ending(self) -> bool:
        return self.state in (TERMINATING, WARMED_TERMINATING)

    @property
    def pooled(self) -> bool:
        return self.state.startswith("Warmed:")

    @property
    def shown(self) -> str:
        """LifecycleState."""
        return f"{self.state}:Wait" if self.hook else self.state

    def wait(self, hook: Hook, now: float) -> None:
        self.hook, self.activity.status = hook, WAITING
        self.hook_limit = now + min(HEARTBEATS * hook.heartbeat, HOOK_MAX_S)
        self.beat(now)

    def beat(self, now: float) -> None:
        if self.hook:
            self.hook_ends = min(now + self.hook.heartbeat, self.hook_limit)
