"""J1, who am I: against the metadata service in all its moods."""
from __future__ import annotations

import json
import time

import pytest

from parts import names
from parts.agent import Agent
from parts.imds import GROUP_TAG, META
from parts.node import Node
from parts.wait import hold_true, wait_until

OK, DISABLED, SILENT, BUSY, BAD = 1, 2, 3, 4, 5  # enum imds_state


@pytest.fixture
def agent(node: Node) -> Agent:
    """Identity alone."""
    node.only()
    return node.agent


def expected(node: Node) -> dict[str, str]:
    return {"instance-id": node.instance_id, "instance-type": "t3.small",
            "ami-id": "ami-0abcdef1234567890", "private-ipv4": node.subnet_address,
            "az": node.zone, "region": names.REGION, "partition": "aws",
            "domain": names.DOMAIN, "vpc-id": "vpc-0123456789abcdef0", "asg": names.GROUP,
            "life-cycle": "on-demand", "target-state": "InService"}


def test_facts(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("identity", "ok")
    agent.wait_texts(expected(node))
    assert agent.fact("public-ipv4")["value"] == 0, "a 404 is absent, not an error"
    assert node.instance_id in agent.job("identity")["what"]

    text = wait_until(lambda: node.host.read("/run/web-node-agent/facts.json"), "facts.json")
    assert node.instance_id in json.dumps(json.loads(text))
    env = dict(line.split("=", 1) for line in
               node.host.read("/run/web-node-agent/facts.env").splitlines() if "=" in line)
    assert env["WNA_INSTANCE_ID"].strip('"') == node.instance_id
    assert all(key.startswith("WNA_") for key in env)
    assert node.instance_id in agent.ctl("facts").stdout
    assert agent.ctl("facts", "instance-id").stdout.strip() == node.instance_id
    assert json.loads(agent.ctl("facts", "--json").stdout)
    assert f"WNA_INSTANCE_ID={node.instance_id}" in agent.ctl("facts", "--env").stdout


def test_never_version_one(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("identity", "ok")
    log = node.imds.log()
    assert [r["method"] for r in log][0] == "PUT"
    assert [r for r in log if r["method"] == "GET"]
    assert not [r for r in log if r["method"] != "PUT" and not r["token"]]
    assert {r["ttl"] for r in log if r["method"] == "PUT"} == {"21600"}


def test_answers_without_metadata(node: Node, agent: Agent) -> None:
    node.imds.silence()
    agent.start()
    assert agent.code("/livez") == 200
    fact = agent.wait_fact("imds", SILENT)
    assert "hop limit" in fact["why"] or "route" in fact["why"]
    assert agent.code("/livez") == 200
    node.imds.speak()
    agent.wait_fact("instance-id", text=node.instance_id)
    agent.wait_fact("imds", OK)


def test_one_new_token_after_401(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_job("identity", "ok")
    puts = len(node.imds.log("PUT"))
    node.imds.revoke()
    mark = len(node.imds.log())
    wait_until(lambda: [r for r in node.imds.log("GET")[-5:] if r["status"] == 401]
               or len(node.imds.log("PUT")) > puts, "the dead token is noticed")
    wait_until(lambda: any(r["status"] == 200 and r["method"] == "GET"
                           for r in node.imds.log()[mark:]), "answers again")
    hold_true(lambda: len(node.imds.log("PUT")) == puts + 1, "one renewal", 2)
    assert agent.fact("imds")["value"] == OK


def test_token_renewed_before_it_expires(node: Node, agent: Agent) -> None:
    agent.change("imds", token_ttl=4, refresh="1s")
    agent.start()
    wait_until(lambda: len(node.imds.log("PUT")) >= 3, "two renewals", 15)
    assert not [r for r in node.imds.log() if r["status"] == 401]


def test_disabled_and_enabled_again(node: Node, agent: Agent) -> None:
    node.imds.enable(False)
    agent.start()
    agent.wait_fact("imds", DISABLED)
    assert agent.code("/livez") == 200
    node.imds.enable(True)
    agent.wait_fact("imds", OK, timeout=70)
    agent.wait_fact("instance-id", text=node.instance_id)


@pytest.mark.parametrize("status", ["429", "503"])
def test_busy_backs_off(node: Node, agent: Agent, status: str) -> None:
    node.imds.fault(status)
    agent.start()
    agent.wait_fact("imds", BUSY)
    start, first = time.monotonic(), len(node.imds.log())
    hold_true(lambda: agent.code("/livez") == 200, "still answers", 3)
    rate = (len(node.imds.log()) - first) / (time.monotonic() - start)
    assert rate < 5, f"{rate} requests per second to a service that asks for mercy"
    node.imds.clear()
    agent.wait_fact("instance-id", text=node.instance_id, timeout=40)


@pytest.mark.parametrize("kind", ["html", "empty", "truncated", "oversized", "binary", "redirect",
                                  "slow", "close"])
def test_bad_bodies_are_not_stored(node: Node, agent: Agent, kind: str) -> None:
    more = {"to": f"http://{names.METADATA}/latest/meta-data/ami-id"} if kind == "redirect" else {}
    node.imds.fault(kind, match=r"GET .*/(instance-id|local-ipv4|placement/region)$", **more)
    agent.start()

    def noticed() -> bool:
        fact = agent.fact("imds")
        return fact["value"] not in (0, OK) and bool(fact["why"])
    wait_until(noticed, "the bad answer is a state with a reason", 20)
    status = agent.status()
    assert status["facts"].get("instance-id", {"text": ""})["text"] in ("", node.instance_id)
    for name in ("facts.json", "facts.env"):
        place = node.host.path("/run/web-node-agent/cloud/" + name)
        text = place.read_text() if place.exists() else ""
        assert "html" not in text and "trunc" not in text and "iii" not in text
    node.imds.clear()
    agent.wait_fact("instance-id", text=node.instance_id, timeout=40)
    agent.wait_fact("imds", OK, timeout=40)


def test_ipv6(node: Node, agent: Agent) -> None:
    agent.change("imds", endpoint_mode="ipv6")
    agent.start()
    agent.wait_fact("instance-id", text=node.instance_id)


def test_sdk_environment(node: Node, agent: Agent) -> None:
    """The endpoint's variable is followed, a proxy's never."""
    agent.start(environment={
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::254]/",
        "http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1"})
    agent.wait_fact("instance-id", text=node.instance_id)


def test_disabled_by_environment(node: Node, agent: Agent) -> None:
    agent.start(environment={"AWS_EC2_METADATA_DISABLED": "true"})
    agent.wait_fact("imds", DISABLED)
    assert not node.imds.log()


def test_refreshed_while_running(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_fact("target-state", text="InService")
    node.imds.target_state("Standby")
    agent.wait_fact("target-state", text="Standby")
    node.imds.set({f"{META}/public-ipv4": "203.0.113.7"})
    agent.wait_fact("public-ipv4", text="203.0.113.7")
    wait_until(lambda: "203.0.113.7" in node.host.read("/run/web-node-agent/facts.env"),
               "facts.env follows")
    node.imds.delete(f"{META}/public-ipv4")
    agent.wait_fact("public-ipv4", value=0)
    wait_until(lambda: "203.0.113.7" not in node.host.read("/run/web-node-agent/facts.env"),
               "facts.env forgets")


def test_group_tag_comes_late(node: Node, agent: Agent) -> None:
    node.imds.delete(GROUP_TAG)
    agent.start()
    agent.wait_job("identity", "ok")
    node.imds.set({GROUP_TAG: names.GROUP})
    agent.wait_fact("asg", text=names.GROUP, timeout=20)


def test_forbidden_tags_hold_up_nothing(node: Node, agent: Agent) -> None:
    """403 for one thing is not the service switched off: the target state is asked on."""
    agent.start()
    agent.wait_job("identity", "ok")
    node.imds.fault("403", match=r"GET .*/tags/instance$")
    wait_until(lambda: [r for r in node.imds.log("GET") if r["status"] == 403], "refused")
    fact = agent.wait_fact("imds", BAD)
    assert "403" in fact["why"]
    for state in ("Standby", "InService", "Terminated"):
        node.imds.target_state(state)
        agent.wait_fact("target-state", text=state, timeout=5)


def test_hostile_tags_stay_out_of_the_environment(node: Node, agent: Agent) -> None:
    node.imds.set({f"{META}/tags/instance/Name": "$(touch /tmp/owned); `id`\nWNA_REGION=evil",
                   f"{META}/tags/instance/WNA_OWNED": "1"})
    agent.start()
    agent.wait_job("identity", "ok")
    env = wait_until(lambda: node.host.read("/run/web-node-agent/facts.env"), "facts.env")
    assert "owned" not in env.lower() and "evil" not in env and "$(" not in env
    assert f"WNA_REGION={names.REGION}" in env.replace('"', "")
