"""J5, the metric: against moto with signatures verified, and against the
scripted AWS in all its moods. A window is ten seconds of real time."""
from __future__ import annotations

import datetime
import json
import time
from typing import Any

import pytest

from parts import names
from parts.agent import UMBRELLA, Agent
from parts.cloudwatch import Credentials
from parts.imds import GROUP_TAG
from parts.node import CA, Node
from parts.scripted import ScriptedAws
from parts.wait import hold_true, wait_until
from parts.world import World

OFF, STARTING, HELD, OK, RETRYING, DENIED = range(6)  # enum push_state
NAMESPACE = "WebNodeAgent"
GROUP = {"Name": "AutoScalingGroupName", "Value": names.GROUP}


@pytest.fixture
def agent(node: Node) -> Agent:
    node.give_role()
    node.only("metrics")
    return node.agent


def own(data: list[dict[str, Any]], node: Node) -> list[dict[str, Any]]:
    return [d for d in data if d.get("peer", node.subnet_address) == node.subnet_address]


def check_datum(datum: dict[str, Any], dimension: dict[str, str] = GROUP) -> None:
    assert datum["MetricName"] == "CPUUtilization" and datum["Unit"] == "Percent"
    assert datum["Dimensions"] == [dimension]
    assert datum["StorageResolution"] == 1
    values, counts = datum["Values"], datum["Counts"]
    assert len(values) == len(counts) == len(set(values)) <= 150
    assert all(0 <= v <= 100 and abs(v * 10 - round(v * 10)) < 1e-6 for v in values)
    assert all(c == int(c) and c > 0 for c in counts) and sum(counts) <= 11
    assert isinstance(datum["Timestamp"], (int, float)) and datum["Timestamp"] % 1 == 0


def test_pushed_and_readable(world: World, node: Node, agent: Agent) -> None:
    start = world.cloudwatch.mark()
    agent.start()

    def windows() -> dict[int, int]:
        """Timestamp → samples. A first short datum is pushed at once, the rest of
        its window has the same timestamp."""
        found: dict[int, int] = {}
        for datum in own(world.cloudwatch.data(start), node):
            found[datum["Timestamp"]] = found.get(datum["Timestamp"], 0) + sum(datum["Counts"])
        return found
    wait_until(lambda: len(windows()) >= 3, "three windows are pushed", 45)
    data = own(world.cloudwatch.data(start), node)
    for datum in data:
        check_datum(datum)
        assert datum["namespace"] == NAMESPACE
        assert abs(datum["Timestamp"] - time.time()) < 60
    stamps = sorted(windows())
    assert all(b - a == 10 for a, b in zip(stamps, stamps[1:]))
    assert windows()[stamps[1]] in (9, 10, 11), "a sample per second"
    entry = [e for e in world.cloudwatch.log(start) if e["peer"] == node.subnet_address][-1]
    assert entry["type"].startswith("application/x-amz-json-1.0")
    assert entry["headers"]["host"] == names.CLOUDWATCH_HOST
    signed = entry["headers"]["authorization"]
    assert f"/{names.REGION}/monitoring/aws4_request" in signed
    for header in ("host", "x-amz-date", "x-amz-security-token", "x-amz-target"):
        assert header in signed
    assert "content-encoding" not in entry["headers"]
    assert world.cloudwatch.statistics(NAMESPACE, "CPUUtilization",
                                       {"AutoScalingGroupName": names.GROUP})
    agent.wait_job("metrics", "ok")
    assert agent.fact("push-sent")["value"] >= 2 and agent.fact("push-queued")["value"] == 0


def test_wrong_keys_are_refused(world: World, node: Node, agent: Agent) -> None:
    right = node.credentials
    start = world.cloudwatch.mark()
    node.show_credentials(Credentials(right.access_key, "x" * 40, right.token))
    agent.start()
    wait_until(lambda: [e for e in world.cloudwatch.log(start) if e["status"] == 403
                        and e["peer"] == node.subnet_address], "moto refuses", 30)
    wait_until(lambda: "SignatureDoesNotMatch" in agent.fact("push")["why"] +
               agent.fact("credentials")["why"], "and its code is the reason")
    assert right.token[:20] not in agent.log() and "x" * 40 not in agent.log()
    node.show_credentials(right)
    data = wait_until(lambda: own(world.cloudwatch.data(start), node), "accepted then", 60)
    check_datum(data[0])


def test_no_permission_is_not_hammered(world: World, node: Node, agent: Agent) -> None:
    node.give_role(role="powerless")
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("push", DENIED, timeout=30)
    assert "AccessDenied" in agent.fact("push")["why"]

    def refused() -> int:
        return len([e for e in world.cloudwatch.log(start) if e["peer"] == node.subnet_address])
    before = refused()
    hold_true(lambda: refused() - before <= 2, "few tries", 8)


def test_standby_stops_the_series(world: World, node: Node, agent: Agent) -> None:
    node.imds.target_state("Standby")
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("push", HELD)
    assert "Standby" in agent.fact("push")["why"]
    hold_true(lambda: not own(world.cloudwatch.data(start), node), "nothing pushed", 11)
    node.imds.target_state("InService")
    wait_until(lambda: own(world.cloudwatch.data(start), node), "pushed in service", 30)


def test_held_until_healthy_once(world: World, node: Node, agent: Agent) -> None:
    node.only("metrics", "check web")
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("push", HELD)
    hold_true(lambda: not own(world.cloudwatch.data(start), node), "nothing pushed", 11)
    node.web.start(php=False)
    agent.wait_page("/healthz", 200)
    data = wait_until(lambda: own(world.cloudwatch.data(start), node), "pushed when healthy", 30)
    node.web.stop_httpd()
    agent.wait_page("/healthz", 503)
    wait_until(lambda: len(own(world.cloudwatch.data(start), node)) > len(data) + 1,
               "later ill health does not stop it", 40)


def test_without_a_group_only_the_instance(world: World, node: Node, agent: Agent) -> None:
    """Not asked for: an instance that is in no group is seen all the same."""
    node.imds.delete(GROUP_TAG)
    node.imds.target_state(None)
    start = world.cloudwatch.mark()
    agent.start()
    data = wait_until(lambda: len(found := own(world.cloudwatch.data(start), node)) >= 2 and found,
                      "pushed twice", 40)
    for datum in data:
        check_datum(datum, {"Name": "InstanceId", "Value": node.instance_id})


def test_a_group_whose_name_cannot_be_read(world: World, node: Node, agent: Agent) -> None:
    """Tags are not in the metadata, EC2's default; the target state tells of a group.
    No other series instead, and it does not stay green. With the tag, the group's;
    and a tag that goes again changes nothing."""
    node.imds.delete(GROUP_TAG)
    agent.change("metrics", max_age="20s")
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("push", STARTING)
    wait_until(lambda: "InstanceMetadataTags" in agent.fact("push")["why"], "the reason")
    agent.wait_job("metrics", "degraded", 40)
    assert agent.code("/readyz") == 503 and agent.code("/healthz") == 200
    assert not own(world.cloudwatch.data(start), node)
    node.imds.set({GROUP_TAG: names.GROUP})
    wait_until(lambda: own(world.cloudwatch.data(start), node), "pushed", 40)
    node.imds.delete(GROUP_TAG)
    wait_until(lambda: "gone" in agent.fact("asg")["why"], "its going is noticed", 20)
    before = len(own(world.cloudwatch.data(start), node))
    wait_until(lambda: len(own(world.cloudwatch.data(start), node)) >= before + 2, "goes on", 40)
    assert agent.fact("asg")["text"] == names.GROUP
    for datum in own(world.cloudwatch.data(start), node):
        check_datum(datum)


def test_ill_items_do_not_stop_the_metric(world: World, node: Node, agent: Agent) -> None:
    """What the metadata service says of other things."""
    node.imds.fault("500", match=r"GET .*/placement/availability-zone-id$")
    node.imds.fault("text", match=r"GET .*/instance-life-cycle$", body="Capacity Block")
    node.imds.fault("empty", match=r"GET .*/services/partition$")
    start = world.cloudwatch.mark()
    agent.start()
    data = wait_until(lambda: own(world.cloudwatch.data(start), node), "pushed", 40)
    check_datum(data[0])
    assert agent.fact("imds")["value"] == 5, "and it is said that something is bad"


def test_sixty_second_window_begins(world: World, node: Node, agent: Agent) -> None:
    """A minute is too long for this suite: of the window's data this shows the first,
    whose sample does not wait for its end; all of them has unit/cloud/test_push."""
    agent.change("metrics", push_interval="60s", resolution=60)
    start = world.cloudwatch.mark()
    agent.start()
    data = wait_until(lambda: own(world.cloudwatch.data(start), node), "the first datum", 40)
    assert data[0]["StorageResolution"] == 60 and data[0]["Timestamp"] % 60 == 0


Answer = dict[str, Any]
TROUBLE: dict[str, list[Answer]] = {
    "throttling": [{"kind": "error", "code": "ThrottlingException"},
                   {"kind": "error", "code": "Throttling", "status": 400}],
    "server-errors": [{"kind": "error", "code": "InternalServiceFault"},
                      {"kind": "status", "status": 502}, {"kind": "status", "status": 503}],
    "expired-token": [{"kind": "error", "code": "ExpiredTokenException"}],
    "silence": [{"kind": "silence"}],
    "slow": [{"kind": "slow", "seconds": 4}],
    "bodies": [{"kind": "html"}, {"kind": "binary", "status": 500},
               {"kind": "oversized", "status": 500}, {"kind": "truncated"}],
    "closed": [{"kind": "close"}, {"kind": "empty", "status": 503}],
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_is_retried(scripted: ScriptedAws, node: Node, agent: Agent,
                            trouble: str) -> None:
    """Nothing is lost, timestamps stay the original ones."""
    scripted.know(node.credentials)
    scripted.script(*TROUBLE[trouble])
    start = scripted.mark()
    agent.start()

    def accepted() -> list[Answer]:
        return scripted.accepted(start)
    wait_until(lambda: [e for e in scripted.log(start) if not e["accepted"]], "trouble is met", 30)
    wait_until(lambda: agent.fact("push")["value"] == RETRYING or accepted(), "state retrying")
    data = wait_until(lambda: len(accepted()) >= 2 and accepted(), "all accepted then", 60)
    for datum in data:
        check_datum(datum)
    first = json.loads(scripted.log(start)[0]["body"])["MetricData"][0]["Timestamp"]
    stamps = sorted({d["Timestamp"] for d in data})
    assert stamps[0] == first, "the first window was kept"
    assert all(b - a == 10 for a, b in zip(stamps, stamps[1:])), "no window is missing"
    assert agent.fact("push-lost")["value"] == 0
    assert agent.code("/healthz") == 200
    assert not any(e["refused"] for e in scripted.log(start))


def test_a_bad_datum_is_dropped_alone(scripted: ScriptedAws, node: Node, agent: Agent) -> None:
    scripted.know(node.credentials)
    scripted.script({"kind": "error", "code": "InvalidParameterValueException"})
    start = scripted.mark()
    agent.start()
    wait_until(lambda: agent.fact("push-lost")["value"] == 1, "one is lost and counted", 40)
    assert "InvalidParameterValue" in agent.fact("push-lost")["why"]
    wait_until(lambda: scripted.accepted(start), "the next one is accepted", 40)
    assert agent.fact("push-lost")["value"] == 1


@pytest.mark.parametrize("skew", [900, -900])
def test_clock_skew_is_learned(scripted: ScriptedAws, node: Node, agent: Agent,
                               skew: int) -> None:
    scripted.know(node.credentials)
    scripted.skew(skew)
    start = scripted.mark()
    agent.start()
    wait_until(lambda: scripted.accepted(start), "accepted with the clock corrected", 60)
    assert scripted.log(start)[0]["refused"] == "RequestExpired"
    assert abs(agent.fact("skew")["value"] - skew * 1000) < 5000


def test_queue_survives_a_restart(scripted: ScriptedAws, node: Node, agent: Agent) -> None:
    scripted.know(node.credentials)
    scripted.default("error", code="ThrottlingException")
    start = scripted.mark()
    agent.start()
    wait_until(lambda: agent.fact("push-queued")["value"] >= 1, "queued", 40)
    agent.host.kill(agent.pid("cloud"))
    agent.wait_fact("push", RETRYING, timeout=30)
    assert agent.stop() == 0
    first = json.loads(scripted.log(start)[0]["body"])["MetricData"][0]["Timestamp"]
    scripted.default("ok")
    agent.start()
    wait_until(lambda: first in [d["Timestamp"] for d in scripted.accepted(start)],
               "the window from before the restart", 40)


def test_a_full_disk_stops_nothing(world: World, node: Node) -> None:
    """From before the start until somebody makes room: the answer is good and the metric goes out."""
    agent, state = node.agent, "/var/lib/web-node-agent"
    node.give_role()
    node.web.start(php=False)
    node.host.sh(f"mkdir -p {state}; mount -t tmpfs -o mode=755,size=1M state {state}")
    agent.start()
    agent.wait_page("/readyz", 200, timeout=30)
    assert agent.stop() == 0
    node.host.sh(f"head -c 2M /dev/zero > {state}/fill || :")
    assert node.host.sh(f"df --output=avail {state}").split()[-1] == "0"
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_page("/healthz", 200)
    wait_until(lambda: len(own(world.cloudwatch.data(start), node)) >= 2, "pushed twice", 45)
    assert node.host.sh(f"df --output=avail {state}").split()[-1] == "0"
    assert agent.code("/healthz") == 200
    node.host.run("rm", f"{state}/fill")
    agent.wait_page("/readyz", 200)
    wait_until(lambda: agent.job("metrics")["level"] == "ok", "nothing is amiss", 30)


def test_plain_http_is_refused(world: World, node: Node, agent: Agent) -> None:
    """Beyond loopback, unless said, by configuration and by environment; the twin:
    to loopback it is tried."""
    agent.start(environment={"AWS_ENDPOINT_URL": f"http://{names.CLOUDWATCH}:443"})
    agent.wait_fact("push", DENIED, timeout=30)
    assert "allow_http" in agent.fact("push")["why"]
    agent.change("metrics", endpoint=f"http://{names.CLOUDWATCH}:443")
    mark = node.host.cursor()
    assert agent.reload().returncode == 1
    assert node.host.journal("-u", UMBRELLA, "--grep", "allow_http", after=mark)
    agent.change("metrics", endpoint="http://127.0.0.1:9999")
    assert agent.reload().returncode == 0
    agent.wait_fact("push", RETRYING, timeout=30)


def test_unknown_certificate_is_refused(world: World, node: Node, agent: Agent) -> None:
    agent.change("metrics", ca_file=None)  # the system's bundle does not know the lab
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("push", RETRYING, timeout=40)
    assert agent.fact("push")["why"]
    assert not [e for e in world.cloudwatch.log(start) if e["peer"] == node.subnet_address]


def test_certificates_by_environment(world: World, node: Node, agent: Agent) -> None:
    """The twin of the one above: AWS_CA_BUNDLE does what ca_file did."""
    agent.change("metrics", ca_file=None)
    agent.start(environment={"AWS_CA_BUNDLE": CA})
    agent.wait_fact("push", OK, timeout=40)


def test_network_gone_and_back(world: World, node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("push", OK, timeout=40)
    start = world.cloudwatch.mark()
    world_time = datetime.datetime.now(datetime.timezone.utc).timestamp()
    node.host.cut("tcp dport 443")
    agent.wait_fact("push", RETRYING, timeout=40)
    node.host.mend()
    data = wait_until(lambda: own(world.cloudwatch.data(start), node), "delivered late", 60)
    assert min(d["Timestamp"] for d in data) <= world_time + 20
