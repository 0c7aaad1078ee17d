"""R4: Auto Scaling keeps the group available and sizes it by the instances' CPU, by the
agents' own metric every ten seconds."""
from __future__ import annotations

import re
import time
from typing import Any

from lab.client import Lab
from lab.table import Notes
from lab.visitors import Visitors, bad, told
from parts.wait import hold_true, wait_until

SCALE_S = 360  # out and in again


def figure(lab: Lab, host: str) -> float:
    """The CPU figure of one instance, as its own /proc/stat gives it over two seconds."""
    text = lab.host(host).sh("head -1 /proc/stat; sleep 2; head -1 /proc/stat")  # the interval
    first, last = ([int(n) for n in line.split()[1:9]] for line in text.splitlines())
    spent = [b - a for a, b in zip(first, last)]
    return 100.0 * (1 - (spent[3] + spent[4]) / max(sum(spent), 1))


def points(lab: Lab) -> list[dict[str, Any]]:
    """What the policy reads, its last periods, newest last."""
    return list(lab.alarms()["points"])


def test_the_policy_reads_the_agents_metric(settled: Lab) -> None:
    """Within a few periods of ten seconds every period has data."""
    alarms = settled.alarms()
    assert alarms["period"] == 10

    began = time.time()

    def complete() -> bool:
        found = [p for p in points(settled) if p["start"] >= began][:3]
        if len(found) == 3 and all(p["samples"] > 0 for p in found):
            return True
        raise LookupError(found)
    wait_until(complete, "three new periods of ten seconds with data", 60)
    assert settled.alarms()["high"]["state"] in ("OK", "ALARM")


def test_load_on_one_does_not_raise_anothers_figure(settled: Lab) -> None:
    """Negative control for the lab itself: /proc/stat is each instance's own."""
    first, second = settled.in_service()[:2]
    busy = settled.host(first["host"]).spawn(
        "sh", "-c", "while :; do :; done", log=f"busy-{time.monotonic_ns()}")
    try:
        wait_until(lambda: figure(settled, first["host"]) > 80, "the busy one is busy", 20)
        other = figure(settled, second["host"])
        assert other < 50, f"the idle one shows {other:.0f} %"
    finally:
        busy.stop()


def test_an_unhealthy_instance_is_replaced(settled: Lab, notes: Notes) -> None:
    """What keeps the group available: a target that fails its checks is replaced (EC2 Auto
    Scaling User Guide, "Health checks for instances in an Auto Scaling group")."""
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


def quiet(lab: Lab) -> bool:
    """No alarm, and five periods with data below the target."""
    found = lab.alarms()
    last = points(lab)[-5:]
    if found["high"]["state"] == "OK" and len(last) == 5 \
            and all(p["samples"] > 0 and p["average"] < found["target"] for p in last):
        return True
    raise LookupError((found["high"]["state"], last))


def test_without_data_nothing_scales(settled: Lab, notes: Notes) -> None:
    """Negative control: the agents' push stopped, load does not scale (INSUFFICIENT_DATA:
    Auto Scaling User Guide, "Target tracking scaling policies")."""
    url = f"http://{settled.facts()['alb_name']}/efs/"
    hosts = [instance["host"] for instance in settled.in_service()]
    try:
        for host in hosts:
            settled.ask("push", host=host, on=False)
        with Visitors(settled.host("client"), url, 6, 0.0):
            wait_until(lambda: settled.alarms()["high"]["state"] == "INSUFFICIENT_DATA",
                       "the alarm has no data", 90)
            before = len(settled.activities())
            hold_true(lambda: len(settled.activities()) == before, "nothing scales",
                      4 * settled.alarms()["period"])
    finally:
        # The agents lose no point: what they deliver now is the load of before, and would scale
        # in the next test's name.
        settled.ask("suspend", process="AlarmNotification")
        try:
            for host in hosts:
                settled.ask("push", host=host, on=True)
            wait_until(lambda: quiet(settled), "the load of before is over", 120)
        finally:
            settled.ask("resume", process="AlarmNotification")
    notes.add("R4  with the agents' push stopped: alarm INSUFFICIENT_DATA, nothing scaled")


def cause(activity: dict[str, Any]) -> str:
    return str(activity["Cause"])


def test_load_scales_out_and_idleness_in(settled: Lab, notes: Notes) -> None:
    facts = settled.facts()
    least = facts["min_size"]
    url = f"http://{facts['alb_name']}/efs/"
    known = {a["ActivityId"] for a in settled.activities()}
    began = time.monotonic()

    def news(words: str) -> dict[str, Any] | None:
        return next((a for a in settled.activities()
                     if a["ActivityId"] not in known and re.search(words, cause(a))), None)

    with Visitors(settled.host("client"), url, 8, 0.0) as people:
        out = wait_until(lambda: news(rf"AlarmHigh.*from {least} to {least + 1}"),
                         f"{least} -> {least + 1}", 150)
        at_out = time.monotonic() - began
        wait_until(lambda: len(settled.healthy()) > least, "the new one is healthy", 90)
        at_healthy = time.monotonic() - began
        people.wait(lambda v: len(v) >= 50, "visits to the larger group", since=time.time())
        visits = people.visits()
    back = wait_until(lambda: news(rf"AlarmLow.*to {least}\."), f"-> {least}",
                      SCALE_S - (time.monotonic() - began))
    settled.wait_healthy(least, SCALE_S - (time.monotonic() - began))
    took = time.monotonic() - began
    notes.add(f"R4  load: {least} -> {least + 1} after {at_out:.0f} s, healthy after "
              f"{at_healthy:.0f} s; idle again: -> {least} after {took:.0f} s in all; "
              f"{len(bad(visits))} of {len(visits)} requests failed ({told(visits)})\n"
              f"    {cause(out)}\n    {cause(back)}")
    assert took <= SCALE_S
