"""An instance's role credentials over days, in virtual time (lab/aws/sessions.py)."""
from __future__ import annotations

import random

from lab.aws.sessions import AGAIN_S, LIFE_S, RENEW_S, Renewals, Sessions

FIVE_MINUTES = 300.0
DAY = 86_400


class Metadata:
    """An instance's metadata: its access key with the expiry, and all keys so far."""

    def __init__(self) -> None:
        self.renewals, self.sessions = Renewals(), Sessions()
        self.served: dict[str, tuple[str, float]] = {}
        self.keys: list[tuple[str, float]] = []
        self.broken = False

    def launch(self, instance: str, now: float) -> None:
        self._make(instance, now)
        self.renewals.renewed(instance, now)

    def _make(self, instance: str, now: float) -> None:
        key = f"ASIA{len(self.keys)}"
        self.keys.append((key, now + LIFE_S))
        self.served[instance] = self.keys[-1]
        self.sessions.begin(key, now, LIFE_S)

    def turn(self, now: float) -> None:
        for instance in self.renewals.due(now):
            self.renewals.failed(instance, now)
            if not self.broken:
                self._make(instance, now)
                self.renewals.renewed(instance, now)


def test_new_ones_are_there_five_minutes_before_the_old_expire() -> None:
    made, chance = Metadata(), random.Random(3)
    made.launch("i-1", 0.0)
    for now in range(0, 3 * DAY, 10):
        if now == 7000:
            made.launch("i-2", float(now))
        made.turn(float(now))
        for key, end in made.served.values():
            assert end - now > FIVE_MINUTES and not made.sessions.expired(key, now)
        # Old keys stay valid until they expire.
        key, end = chance.choice(made.keys)
        assert made.sessions.expired(key, now) == (now >= end)
    assert len(made.keys) > 2 * 2 * DAY / LIFE_S


def test_a_service_that_is_away_for_hours_costs_nobody_his_credentials() -> None:
    made = Metadata()
    made.launch("i-1", 0.0)
    for now in range(0, DAY, 10):
        made.broken = 4000 < now < 4000 + 4 * 3600
        made.turn(float(now))
        assert not made.sessions.expired(made.served["i-1"][0], now)
        if now == 4000 + 4 * 3600 + AGAIN_S:
            # Renewed soon after the service is back.
            assert made.served["i-1"][1] - now > LIFE_S - 2 * AGAIN_S


def test_waiting_is_until_the_next_is_due() -> None:
    renewals = Renewals()
    assert renewals.wait_s(0.0) is None and renewals.due(1e9) == []
    renewals.renewed("i-1", 0.0)
    renewals.renewed("i-2", 100.0)
    assert renewals.wait_s(100.0) == RENEW_S - 100
    assert renewals.due(RENEW_S - 1) == [] and renewals.due(RENEW_S) == ["i-1"]
    assert renewals.wait_s(RENEW_S + 50) == 0.0
    renewals.failed("i-1", RENEW_S)
    assert renewals.due(RENEW_S) == [] and renewals.wait_s(RENEW_S) == AGAIN_S
    renewals.gone("i-1")
    renewals.failed("i-1", RENEW_S)
    assert renewals.due(RENEW_S + 100) == ["i-2"]


def test_a_users_key_never_expires() -> None:
    assert not Sessions().expired("AKIA1", 1e12)
