"""The lifetime and renewal of an instance's role credentials. Pure: time is an argument.

Sources: EC2 User Guide, "Retrieve security credentials from instance metadata": "We make new
credentials available at least five minutes before the expiration of the old credentials."
Observed, not documented: they live about six hours, and are renewed about every hour. Old
credentials stay valid until they expire (IAM User Guide, "Temporary security credentials in
IAM")."""
from __future__ import annotations

from dataclasses import dataclass, field

LIFE_S = 6 * 3600.0
RENEW_S = 3600.0   # after their creation
AGAIN_S = 60.0     # after a failed renewal


@dataclass
class Renewals:
    """The time of each instance's next renewal; monotonic time."""
    _due: dict[str, float] = field(default_factory=dict)

    def renewed(self, instance: str, now: float) -> None:
        self._due[instance] = now + RENEW_S

    def failed(self, instance: str, now: float) -> None:
        """The instance keeps its credentials, and the renewal is retried soon."""
        if instance in self._due:
            self._due[instance] = now + AGAIN_S

    def gone(self, instance: str) -> None:
        self._due.pop(instance, None)

    def due(self, now: float) -> list[str]:
        return [instance for instance, at in self._due.items() if now >= at]

    def wait_s(self, now: float) -> float | None:
        """Seconds until the next renewal; None without instances."""
        return max(0.0, min(self._due.values()) - now) if self._due else None


@dataclass
class Sessions:
    """Which sessions have expired, for the service; Unix time."""
    _until: dict[str, float] = field(default_factory=dict)  # access key → expiry

    def begin(self, access_key: str, now: float, life_s: float) -> None:
        self._until[access_key] = now + life_s

    def expired(self, access_key: str, now: float) -> bool:
        """Keys without an expiry, for example a user's, never expire."""
        return now >= self._until.get(access_key, float("inf"))
