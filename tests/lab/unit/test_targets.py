"""The target group's health in virtual time (lab/aws/targets.py)."""
from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lab.aws.targets import (
    DRAINING, HEALTHY, INITIAL, UNHEALTHY, UNUSED, Health, Result, Targets, matches)
from lab.model.model import TargetGroup

NODES = ("zone-a", "zone-c")
OK, TEAPOT, UNAVAILABLE = Result(200), Result(418), Result(503)
TIMEOUT, REFUSED = Result(reason="Target.Timeout"), Result(reason="Target.FailedHealthChecks")
GROUP = TargetGroup(
    name="TargetGroup", id="arn", full_name="targetgroup/web/1", port=80, protocol="HTTP",
    health_port=8099, health_path="/healthz", interval=10, timeout=5,
    healthy=3, unhealthy=2, matcher="200", deregistration_delay=300, cross_zone=True,
    algorithm="round_robin", line=1)


def group_of(*targets: tuple[str, str], **settings: object) -> Targets:
    made = Targets(replace(GROUP, **settings), NODES)  # type: ignore[arg-type]
    for number, (name, zone) in enumerate(targets):
        made.register(name, f"10.16.3.{number + 10}", zone)
    return made


def feed(targets: Targets, name: str, *results: Result, nodes: tuple[str, ...] = NODES) -> None:
    for result in results:
        for node in nodes:
            targets.feed(node, name, result)


def state(targets: Targets, name: str) -> str:
    return targets.shown(name).state


def test_a_new_target_is_initial_and_gets_nothing() -> None:
    targets = group_of(("i-1", "zone-a"))
    assert targets.shown("i-1") == Health(
        INITIAL, "Elb.InitialHealthChecking", "Initial health checks in progress")
    assert targets.routed("zone-a") == [] and not targets.fails_open("zone-a")


def test_the_first_pass_makes_healthy_whatever_the_threshold() -> None:
    targets = group_of(("i-1", "zone-a"), healthy=10)
    feed(targets, "i-1", OK)
    assert targets.shown("i-1") == Health(HEALTHY)
    assert targets.routed("zone-a") == ["i-1"]


def test_a_first_pass_after_a_failure_makes_healthy_too() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", REFUSED)
    assert state(targets, "i-1") == INITIAL
    feed(targets, "i-1", OK)
    assert state(targets, "i-1") == HEALTHY


def test_thresholds_count_consecutive_results() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", OK, UNAVAILABLE, OK, UNAVAILABLE)
    assert state(targets, "i-1") == HEALTHY
    feed(targets, "i-1", UNAVAILABLE)
    assert state(targets, "i-1") == UNHEALTHY
    feed(targets, "i-1", OK, OK, UNAVAILABLE, OK, OK)
    assert state(targets, "i-1") == UNHEALTHY
    feed(targets, "i-1", OK)
    assert state(targets, "i-1") == HEALTHY


@pytest.mark.parametrize("result, reason, text", [
    (UNAVAILABLE, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
    (TIMEOUT, "Target.Timeout", "Request timed out"),
    (REFUSED, "Target.FailedHealthChecks", "Health checks failed")])
def test_the_reason_is_the_last_failure_in_awss_words(result: Result, reason: str, text: str
                                                      ) -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", OK, TEAPOT, result)
    assert targets.shown("i-1") == Health(UNHEALTHY, reason, text)
    feed(targets, "i-1", TEAPOT)
    assert targets.shown("i-1").description == "Health checks failed with these codes: [418]"


def test_never_healthy_becomes_unhealthy_and_needs_the_threshold_then() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", REFUSED, REFUSED, OK, OK)
    assert state(targets, "i-1") == UNHEALTHY
    feed(targets, "i-1", OK)
    assert state(targets, "i-1") == HEALTHY


@pytest.mark.parametrize("matcher, codes, others", [
    ("200", [200], [201, 301]), ("200,202", [200, 202], [201]),
    ("200-299", [200, 250, 299], [199, 300]), ("200-202,404", [201, 404], [403])])
def test_matcher(matcher: str, codes: list[int], others: list[int]) -> None:
    assert all(matches(matcher, code) for code in codes)
    assert not any(matches(matcher, code) for code in others)


def test_each_node_judges_by_itself_and_the_worst_is_shown() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"))
    feed(targets, "i-1", OK)
    feed(targets, "i-2", OK, nodes=("zone-a",))
    assert state(targets, "i-2") == INITIAL
    assert targets.routed("zone-a") == ["i-1", "i-2"] and targets.routed("zone-c") == ["i-1"]
    feed(targets, "i-2", OK)
    feed(targets, "i-2", TIMEOUT, TIMEOUT, nodes=("zone-c",))
    assert state(targets, "i-2") == UNHEALTHY
    assert targets.routed("zone-a") == ["i-1", "i-2"] and targets.routed("zone-c") == ["i-1"]


def test_all_unhealthy_fails_open_and_one_healthy_ends_it() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"), ("i-3", "zone-c"))
    for name in ("i-1", "i-2"):
        feed(targets, name, OK, UNAVAILABLE, UNAVAILABLE)
    assert targets.routed("zone-a") == ["i-1", "i-2"]  # without i-3, which is initial
    assert targets.fails_open("zone-a")
    feed(targets, "i-3", OK)
    assert targets.routed("zone-a") == ["i-3"] and not targets.fails_open("zone-a")


def test_without_cross_zone_each_node_has_its_own_zone_only() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"), cross_zone=False)
    feed(targets, "i-1", OK)
    feed(targets, "i-2", OK)
    assert targets.routed("zone-a") == ["i-1"] and targets.routed("zone-c") == ["i-2"]
    feed(targets, "i-1", TIMEOUT, TIMEOUT)
    assert targets.routed("zone-a") == ["i-1"] and targets.fails_open("zone-a")
    assert not targets.fails_open("zone-c")


def test_deregistration_drains_for_the_whole_delay() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"), deregistration_delay=30)
    for name in ("i-1", "i-2"):
        feed(targets, name, OK)
    targets.deregister("i-1", now=100.0)
    assert targets.routed("zone-a") == ["i-2"]
    assert targets.shown("i-1") == Health(
        DRAINING, "Target.DeregistrationInProgress", "Target deregistration is in progress")
    targets.deregister("i-1", now=120.0)  # a second time: no effect
    feed(targets, "i-1", UNAVAILABLE, UNAVAILABLE)
    assert targets.next_expiry() == 130.0
    assert targets.expire(129.9) == [] and state(targets, "i-1") == DRAINING
    assert [t.id for t in targets.expire(130.0)] == ["i-1"]
    assert targets.shown("i-1") == Health(
        UNUSED, "Target.NotRegistered", "Target is not registered to the target group")


def test_registered_again_while_draining_begins_anew() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", OK)
    targets.deregister("i-1", now=0.0)
    targets.register("i-1", "10.16.3.10", "zone-a")
    assert state(targets, "i-1") == INITIAL and targets.expire(1e6) == []


def test_draining_targets_do_not_count_for_failing_open() -> None:
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-a"))
    feed(targets, "i-1", OK)
    feed(targets, "i-2", REFUSED, REFUSED)
    targets.deregister("i-1", now=0.0)
    assert targets.routed("zone-a") == ["i-2"] and targets.fails_open("zone-a")


def test_settings_change_from_the_next_result_on() -> None:
    targets = group_of(("i-1", "zone-a"))
    feed(targets, "i-1", OK, UNAVAILABLE)
    targets.update(replace(GROUP, unhealthy=3, matcher="200-299"))
    feed(targets, "i-1", UNAVAILABLE)
    assert state(targets, "i-1") == HEALTHY
    feed(targets, "i-1", UNAVAILABLE)
    assert state(targets, "i-1") == UNHEALTHY


def test_a_day_of_noise_keeps_the_rules() -> None:
    """8640 checks of three targets by two nodes: the routed targets always match the last results,
    and a target that has never passed gets no requests."""
    chance = random.Random(7)
    targets = group_of(("i-1", "zone-a"), ("i-2", "zone-c"), ("i-3", "zone-a"))
    passed: set[tuple[str, str]] = set()
    for _ in range(8640):
        for name in ("i-1", "i-2", "i-3"):
            for node in NODES:
                result = chance.choices([OK, UNAVAILABLE, TIMEOUT], [8, 1, 1])[0]
                if result == OK:
                    passed.add((node, name))
                targets.feed(node, name, result)
        for node in NODES:
            sent = targets.routed(node)
            healthy = [t.id for t in targets.all() if t.opinions[node].health.state == HEALTHY]
            assert sent == (healthy or sent)
            assert not healthy or all((node, name) in passed for name in sent)
