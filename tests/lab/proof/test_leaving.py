"""An instance that leaves costs no client an error: scale-in, wnactl drain, a spot notice, an instance
refresh. Clients with connections that stay open, and requests that take two seconds, through the load
balancer."""
from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from typing import Any, Iterator

import pytest

from lab.command.client import Lab
from lab.command.table import Notes
from .visitors import Visitors, bad, told
from parts.imds import META
from parts.wait import wait_until

SLOW = "<?php sleep(2); echo 'slow';"
COUNT = 20000
OUTAGE_S = 300
WEDGED_S = 3  # until the agent's check of the web server has failed
# All of them need minutes.
pytestmark = pytest.mark.long


class Clients:
    """Both kinds."""

    def __init__(self, quick: Visitors, slow: Visitors) -> None:
        self.quick, self.slow = quick, slow

    def wait(self, count: int) -> None:
        """So many requests since the start, and slow ones that began after now."""
        since = time.time()
        self.quick.wait(lambda v: len(v) >= count, f"{count} requests", 600)
        self.slow.wait(lambda v: len(v) >= 2, "two slow requests", 60, since=since)

    def check(self, notes: Notes, what: str) -> None:
        quick, slow = self.quick.visits(), self.slow.visits()
        notes.add(f"    {what}: {len(bad(quick))} of {len(quick)} requests and {len(bad(slow))} of "
                  f"{len(slow)} slow ones failed ({told(quick)}; {told(slow)})")
        assert not bad(quick) and not bad(slow), (told(quick), told(slow))


@contextmanager
def clients(lab: Lab) -> Iterator[Clients]:
    # On the shared file system: an instance that is launched later has it, too.
    lab.host(lab.in_service()[0]["host"]).write_inside("/var/www/html/efs/slow.php", SLOW)
    url = f"http://{lab.facts()['alb_name']}"
    client = lab.host("client")
    with Visitors(client, f"{url}/health.html", 4, 0.0, keep=True) as quick, \
            Visitors(client, f"{url}/efs/slow.php", 4, 0.0) as slow:
        found = Clients(quick, slow)
        found.wait(20)
        yield found


def unrouted(lab: Lab, instance: str) -> bool:
    target = lab.targets().get(instance)
    return target is None or not any(node["routed"] for node in target["nodes"].values())


def test_a_drained_node_is_left_and_comes_back(settled: Lab, notes: Notes) -> None:
    """The group would replace the instance, since its target is unhealthy: it is told not to."""
    victim = settled.in_service()[0]
    host = settled.host(victim["host"])
    settled.ask("suspend", process="ReplaceUnhealthy")
    try:
        with clients(settled) as people:
            host.run("wnactl", "drain")
            wait_until(lambda: unrouted(settled, victim["id"]), "no request goes there", 30)
            wait_until(lambda: settled.lifecycle(victim["host"]) == "drained",
                       "it is drained", 90)
            people.wait(COUNT)
            host.run("wnactl", "undrain")
            wait_until(lambda: settled.targets()[victim["id"]]["state"] == "healthy",
                       "it is back", 60)
            people.wait(COUNT + 100)
        people.check(notes, "wnactl drain and undrain")
    finally:
        host.run("wnactl", "undrain", check=False)
        wait_until(lambda: settled.targets()[victim["id"]]["state"] == "healthy", "it is back", 60)
        settled.ask("resume", process="ReplaceUnhealthy")


def test_scaling_in(settled: Lab, notes: Notes) -> None:
    least = settled.facts()["min_size"]
    settled.ask("capacity", desired=least + 1)
    settled.wait_healthy(least + 1, 120)
    with clients(settled) as people:
        settled.ask("capacity", desired=least)
        settled.wait_healthy(least, 120)
        people.wait(COUNT)
    people.check(notes, f"scale-in, {least + 1} -> {least}")


def test_a_spot_notice(settled: Lab, notes: Notes) -> None:
    """EC2 User Guide, "Spot Instance interruption notices": two minutes before the end. The group
    replaces the instance when its target is unhealthy."""
    victim = settled.in_service()[0]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
    with clients(settled) as people:
        settled.ask("metadata", host=victim["host"], order={"op": "set", "values": {
            f"{META}/instance-life-cycle": "spot",
            f"{META}/spot/instance-action": json.dumps({"action": "terminate", "time": at})}})
        # No instance becomes a spot instance later: it asks anew only for what may change.
        settled.host(victim["host"]).run("systemctl", "restart", "web-node-agent-cloud")
        began = time.time()
        wait_until(lambda: unrouted(settled, victim["id"]), "no request goes there", 60)
        away_s = time.time() - began
        wait_until(lambda: victim["id"] not in {i["id"] for i in settled.instances()},
                   "it is replaced", 110)
        settled.wait_healthy(settled.facts()["min_size"], 120)
        people.wait(COUNT)
    people.check(notes, f"spot notice, out of rotation after {away_s:.1f} s")


def test_a_warm_pool(settled: Lab, notes: Notes) -> None:
    """A scale-out starts the stopped instance, and the scale-in returns it. Its agent completes the launch
    hook twice, and the terminate hook on the way back."""
    least, group = settled.facts()["min_size"], settled.facts()["group"]

    def pooled() -> bool:
        return sorted(i["state"] for i in settled.instances()) == [*["InService"] * least, "Warmed:Stopped"]
    settled.aws("autoscaling", "put_warm_pool", AutoScalingGroupName=group, PoolState="Stopped",
                MaxGroupPreparedCapacity=least + 1, InstanceReusePolicy={"ReuseOnScaleIn": True})
    try:
        wait_until(pooled, "the pool is full", 120)
        known = {i["id"] for i in settled.instances()}
        with clients(settled) as people:
            began = time.monotonic()
            settled.ask("capacity", desired=least + 1)
            settled.wait_healthy(least + 1, 120)
            out_s, began = time.monotonic() - began, time.monotonic()
            settled.ask("capacity", desired=least)
            wait_until(pooled, "it is back in the pool", 200)
            back_s = time.monotonic() - began
            people.wait(COUNT)
        people.check(notes, f"warm pool, {least} -> {least + 1} in {out_s:.0f} s and back in {back_s:.0f} s")
        assert {i["id"] for i in settled.instances()} == known
    finally:
        settled.aws("autoscaling", "delete_warm_pool", AutoScalingGroupName=group, ForceDelete=True)
        wait_until(lambda: len(settled.instances()) == least, "the pool is gone", 60)


# instance refresh

PAGE, NEXT_PAGE = "content: |\n      ok\n", "content: |\n      ok, the next version\n"
# A file that is never there: /healthz says 503, and the launch hook is not completed.
CHECK, BAD_CHECK = "[check credentials]\n", "[check never]\n      type = file\n      path = /never\n      " \
    "[check credentials]\n"
READY_S = 60  # no good version needs as long to be in service


class Update:
    """A new version of the launch template, which a refresh gives to the group."""

    def __init__(self, lab: Lab, old: str, new: str) -> None:
        self.lab, self.group = lab, lab.facts()["group"]
        template = lab.facts()["launch_template"]
        data = lab.aws("ec2", "describe_launch_template_versions", LaunchTemplateId=template,
                       Versions=["1"])["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        text = base64.b64decode(data["UserData"]).decode()
        assert text.count(old) == 1
        data["UserData"] = base64.b64encode(text.replace(old, new).encode()).decode()
        made = lab.aws("ec2", "create_launch_template_version", LaunchTemplateId=template,
                       LaunchTemplateData=data)["LaunchTemplateVersion"]
        self.version = int(made["VersionNumber"])
        self._first = {"LaunchTemplateId": template, "Version": "1"}
        self.before = {i["id"] for i in lab.in_service()}
        self._known = {a["ActivityId"] for a in lab.activities()}
        lab.aws("autoscaling", "start_instance_refresh", AutoScalingGroupName=self.group,
                DesiredConfiguration={"LaunchTemplate": {**self._first, "Version": str(self.version)}},
                Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150,
                             "AutoRollback": True, "SkipMatching": True})

    def refresh(self) -> dict[str, Any]:
        return dict(self.lab.aws("autoscaling", "describe_instance_refreshes",
                                 AutoScalingGroupName=self.group)["InstanceRefreshes"][0])

    def roll_back(self) -> None:
        self.lab.aws("autoscaling", "rollback_instance_refresh", AutoScalingGroupName=self.group)

    def wait(self, status: str, timeout: float) -> None:
        def reached() -> bool:
            found = self.refresh()
            if found["Status"] == status:
                return True
            raise LookupError(found)
        wait_until(reached, f"the refresh is {status}", timeout)

    def activities(self) -> list[dict[str, Any]]:
        """Since the start of the refresh."""
        return [a for a in self.lab.activities() if a["ActivityId"] not in self._known]

    def launches(self) -> list[dict[str, Any]]:
        return [a for a in self.activities() if a["Description"].startswith("Launching")]

    def forget(self) -> None:
        """New instances have the first version again."""
        self.lab.aws("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=self.group,
                     LaunchTemplate=self._first)


def test_an_instance_refresh(settled: Lab, notes: Notes) -> None:
    least, began = settled.facts()["min_size"], time.monotonic()
    with clients(settled) as people:
        update = Update(settled, PAGE, NEXT_PAGE)
        try:
            update.wait("Successful", 300)
            took_s = time.monotonic() - began
            settled.wait_healthy(least, 120)
            people.wait(COUNT)
        finally:
            update.forget()
    people.check(notes, f"instance refresh of {least} instances in {took_s:.0f} s")
    after = settled.in_service()
    assert not update.before & {i["id"] for i in after}
    assert {i["version"] for i in after} == {update.version}
    for instance in after:
        assert "the next version" in settled.host(instance["host"]).run(
            "cat", "/var/www/html/health.html").stdout


def test_a_refresh_to_a_version_that_never_serves(settled: Lab, notes: Notes) -> None:
    """Whoever watches the refresh rolls it back when its first instance is not in service in time."""
    with clients(settled) as people:
        update = Update(settled, CHECK, BAD_CHECK)
        wait_until(update.launches, "an instance is launched", 30)
        time_out = time.monotonic() + READY_S
        wait_until(lambda: time.monotonic() > time_out
                   or any("EndTime" in a for a in update.launches()), "its time is over", READY_S + 10)
        assert [a["StatusCode"] for a in update.launches()] == ["MidLifecycleAction"]
        update.roll_back()
        update.wait("RollbackSuccessful", 200)
        settled.wait_healthy(settled.facts()["min_size"], 60)
        people.wait(COUNT)
    people.check(notes, f"refresh to a version that never serves: {len(update.launches())} launched, "
                 "rolled back")
    assert len(update.activities()) == 2, update.activities()  # its launch and its end
    assert {i["id"] for i in settled.in_service()} == update.before


def test_no_outage_of_a_service_replaces_an_instance(settled: Lab, notes: Notes) -> None:
    """Database, EFS, CloudWatch and metadata, five minutes, all at once: they are failures of all
    nodes, and no new instance would be better off."""
    facts, before = settled.facts(), {i["id"] for i in settled.in_service()}
    hosts = [i["host"] for i in settled.in_service()]
    known = len(settled.activities())
    try:
        for host in hosts:
            settled.ask("metadata", host=host, order={"op": "enable", "value": False})
            settled.ask("push", host=host, on=False)
        settled.ask("cut", host="efs")
        settled.ask("failover", down_s=OUTAGE_S, timeout=OUTAGE_S + 60)
        states = {settled.targets()[i]["state"] for i in before}
    finally:
        settled.ask("restore")
    assert {i["id"] for i in settled.instances()} == before and states == {"healthy"}
    assert len(settled.activities()) == known, settled.activities()[0]
    settled.wait_healthy(facts["min_size"], 60)
    notes.add(f"    database, EFS, CloudWatch and metadata out for {OUTAGE_S} s at once: no instance "
              "was replaced")


def test_a_wedged_web_server_is_replaced(settled: Lab, notes: Notes) -> None:
    """It accepts connections and never answers. The agent says so after 2 to 3 s, and then two of the
    load balancer's checks must fail."""
    victim, *others = settled.in_service()
    facts = settled.facts()
    settled.host(victim["host"]).run("systemctl", "kill", "-s", "STOP", "httpd")
    began = time.monotonic()
    wait_until(lambda: unrouted(settled, victim["id"]), "no request goes there", 60)
    away_s = time.monotonic() - began
    assert away_s <= 2 * facts["health_interval"] + WEDGED_S + 1
    wait_until(lambda: victim["id"] not in {i["id"] for i in settled.instances()},
               "it is replaced", 120)
    settled.wait_healthy(facts["min_size"], 120)
    assert {i["id"] for i in others} <= {i["id"] for i in settled.in_service()}
    notes.add(f"    web server wedged: out of rotation after {away_s:.1f} s (checks every "
              f"{facts['health_interval']} s), replaced after {time.monotonic() - began:.0f} s")
