"""R4: Auto Scaling keeps the group available and scales it by the instances' CPU, with the agents'
own metric every ten seconds."""
from __future__ import annotations

import re
import time
from typing import Any

import pytest

from lab.command.client import Lab
from lab.command.proving import mutated
from lab.command.table import Notes
from .visitors import Visitors, bad, told
from parts.wait import wait_until

SCALE_IN_S = 240


def spent(lab: Lab, host: str) -> tuple[int, int]:
    """Idle ticks and all ticks so far, from an instance's own /proc/stat."""
    ticks = [int(n) for n in lab.host(host).sh("head -1 /proc/stat").split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def figures(lab: Lab, hosts: list[str], count: int) -> dict[str, list[float]]:
    """The CPU load of each second, from each instance's own /proc/stat, which its agent reads."""
    found: dict[str, list[float]] = {host: [] for host in hosts}
    last = {host: spent(lab, host) for host in hosts}
    for _ in range(count):
        time.sleep(1)  # the measured interval
        for host in hosts:
            now = spent(lab, host)
            idle, total = (b - a for a, b in zip(last[host], now))
            found[host].append(100.0 * (1 - idle / max(total, 1)))
            last[host] = now
    return found


def points(lab: Lab) -> list[dict[str, Any]]:
    """The metric's last points for the policy, newest last."""
    return list(lab.alarms()["points"])


def test_the_policy_reads_the_agents_metric(settled: Lab, began: float) -> None:
    """The last three periods since the start of the tests have data."""
    assert settled.alarms()["period"] == 10

    def complete() -> bool:
        found = [p for p in points(settled) if p["start"] >= began]
        # Within a mutation the timeout for a point is one period, which is late enough.
        assert not (mutated() and len(found) >= 2 and not found[0]["samples"]), found
        if len(found) >= 3 and all(p["samples"] > 0 for p in found[-3:]):
            return True
        raise LookupError(found[-3:])
    wait_until(complete, "three new periods of ten seconds with data", 60)
    assert settled.alarms()["high"]["state"] in ("OK", "ALARM")


SAMPLES = 6
BUSY, IDLE = 80.0, 50.0


def test_load_on_one_does_not_raise_anothers_figure(settled: Lab, notes: Notes) -> None:
    """Negative control of the lab: /proc/stat belongs to each instance. Each instance is loaded in
    turn."""
    hosts = [instance["host"] for instance in settled.in_service()[:2]]
    for busy in hosts:
        load = settled.host(busy).spawn(
            "sh", "-c", "while :; do :; done", log=f"busy-{time.monotonic_ns()}")
        try:
            wait_until(lambda: figures(settled, [busy], 1)[busy][0] > BUSY, "it is busy", 20)
            found = figures(settled, hosts, SAMPLES)
        finally:
            load.stop()
        idle = next(host for host in hosts if host != busy)
        mean = {host: sum(values) / len(values) for host, values in found.items()}
        assert len(found[busy]) == len(found[idle]) == SAMPLES
        assert mean[busy] > BUSY and mean[idle] < IDLE, found
        notes.add(f"R4  load on {busy} alone, {SAMPLES} samples: {mean[busy]:.0f} % there "
                  f"({min(found[busy]):.0f} to {max(found[busy]):.0f}), {mean[idle]:.0f} % on "
                  f"{idle} ({min(found[idle]):.0f} to {max(found[idle]):.0f})")


def test_an_unhealthy_instance_is_replaced(settled: Lab, notes: Notes) -> None:
    """The group replaces a target that fails its checks (EC2 Auto Scaling User Guide, "Health
    checks for instances in an Auto Scaling group")."""
    victim = settled.in_service()[0]
    before = len(settled.activities())
    began = time.monotonic()
    settled.host(victim["host"]).run("systemctl", "stop", "httpd")
    wait_until(lambda: victim["id"] not in {i["id"] for i in settled.instances()},
               "it is terminated", 120)
    settled.wait_healthy(settled.facts()["min_size"], 60)
    news = settled.activities()[:len(settled.activities()) - before]
    assert any("ELB system health check failure" in cause(a) for a in news), news
    notes.add(f"R4  a web server stopped for good: replaced after {time.monotonic() - began:.0f} s")


def cause(activity: dict[str, Any]) -> str:
    return str(activity["Cause"])


def news(lab: Lab, known: set[str], words: str) -> dict[str, Any] | None:
    return next((a for a in lab.activities()
                 if a["ActivityId"] not in known and re.search(words, cause(a))), None)


def test_load_scales_out(scaling: Lab, notes: Notes) -> None:
    facts = scaling.facts()
    least = facts["min_size"]
    url = f"http://{facts['alb_name']}/efs/"
    known = {a["ActivityId"] for a in scaling.activities()}
    began = time.monotonic()
    with Visitors(scaling.host("client"), url, 8, 0.0) as people:
        out = wait_until(lambda: news(scaling, known, rf"AlarmHigh.*from {least} to {least + 1}"),
                         f"{least} -> {least + 1}", 150)
        at_out = time.monotonic() - began
        wait_until(lambda: len(scaling.healthy()) > least, "the new one is healthy", 90)
        at_healthy = time.monotonic() - began
        people.wait(lambda v: len(v) >= 50, "visits to the larger group", since=time.time())
        visits = people.visits()
    assert out
    notes.add(f"R4  load: {least} -> {least + 1} after {at_out:.0f} s, healthy after "
              f"{at_healthy:.0f} s; {len(bad(visits))} of {len(visits)} requests failed "
              f"({told(visits)})\n    {cause(out)}")


@pytest.mark.long
def test_idleness_scales_in(scaling: Lab, notes: Notes) -> None:
    least = scaling.facts()["min_size"]
    scaling.ask("capacity", desired=least + 1)
    scaling.wait_healthy(least + 1, 90)
    known = {a["ActivityId"] for a in scaling.activities()}
    began = time.monotonic()
    back = wait_until(lambda: news(scaling, known, rf"AlarmLow.*to {least}\."), f"-> {least}",
                      SCALE_IN_S)
    scaling.wait_healthy(least, SCALE_IN_S - (time.monotonic() - began))
    assert back
    notes.add(f"R4  idle: {least + 1} -> {least} after {time.monotonic() - began:.0f} s\n"
              f"    {cause(back)}")


@pytest.mark.long
def test_without_data_nothing_scales(scaling: Lab, notes: Notes) -> None:
    """Negative control: with the agents' push blocked, load does not scale (INSUFFICIENT_DATA:
    Auto Scaling User Guide, "Target tracking scaling policies"). Must be the last of these tests:
    the agents later push all queued points, with the load of this test."""
    url = f"http://{scaling.facts()['alb_name']}/efs/"
    hosts = [instance["host"] for instance in scaling.in_service()]
    try:
        for host in hosts:
            scaling.ask("push", host=host, on=False)
        with Visitors(scaling.host("client"), url, 8, 0.0):
            wait_until(lambda: scaling.alarms()["high"]["state"] == "INSUFFICIENT_DATA",
                       "the alarm has no data", 90)
            before = len(scaling.activities())
            used = figures(scaling, hosts, 4 * int(scaling.alarms()["period"]))
        assert len(scaling.activities()) == before, scaling.activities()[0]
        assert scaling.alarms()["high"]["state"] == "INSUFFICIENT_DATA"
        # The load would have scaled the group: the average was above the target.
        mean = sum(sum(values) / len(values) for values in used.values()) / len(used)
        assert mean > scaling.alarms()["target"], used
    finally:
        scaling.ask("suspend", process="AlarmNotification")  # before the queued points arrive
        for host in hosts:
            scaling.ask("push", host=host, on=True)
        wait_until(lambda: scaling.alarms()["high"]["state"] != "INSUFFICIENT_DATA",
                   "they are delivered", 120)
    notes.add("R4  with the agents' push stopped: alarm INSUFFICIENT_DATA, nothing scaled by a CPU "
              f"of {mean:.0f} %")
