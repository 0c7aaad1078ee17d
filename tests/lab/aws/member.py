"""An instance of the group, as aws/fleet.py knows it."""
from __future__ import annotations

from dataclasses import dataclass

from lab.model.model import Hook
from .activity import Activity

PENDING, IN_SERVICE, TERMINATING = "Pending", "InService", "Terminating"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"


@dataclass
class Launch:
    """An action: launch an instance of this version of the launch template in this subnet (logical
    name)."""
    subnet: str
    activity: Activity
    template: int


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
    hook: Hook | None = None    # whose action the instance waits for
    hook_ends: float = 0.0      # without another heartbeat
    hook_limit: float = 0.0     # with them

    @property
    def shown(self) -> str:
        """LifecycleState."""
        return f"{self.state}:Wait" if self.hook else self.state
