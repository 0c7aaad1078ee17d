"""The lifecycle: drain and undrain, a spot notice, the group's hooks."""
from __future__ import annotations

from typing import Any

import pytest

from parts import names
from parts.agent import Agent
from parts.http import Connection
from parts.imds import META
from parts.node import CA, Node
from parts.scripted import ScriptedAws
from parts.wait import hold_true, wait_until
from parts.world import World


def life(agent: Agent) -> dict[str, Any]:
    return dict(agent.status()["lifecycle"])


def wait_life(agent: Agent, state: str, timeout: float = 15.0) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        now = life(agent)
        if now["state"] == state:
            return now
        raise LookupError(now)
    return wait_until(reached, f"lifecycle is {state}", timeout)


@pytest.fixture
def serving(node: Node) -> Node:
    """One local check, which is good."""
    node.only("check web")
    node.agent.change("lifecycle", drain_quiet="1s")
    node.web.start(php=False)
    return node


def test_a_drain(world: World, serving: Node) -> None:
    """With the metadata service off, and whatever is restarted meanwhile."""
    agent, host = serving.agent, serving.host
    agent.start(environment={"AWS_EC2_METADATA_DISABLED": "true"})
    agent.wait_page("/healthz", 200)
    wait_life(agent, "in service")
    client = Connection(world.balancer, serving.subnet_address, 80)
    client.send(b"GET /health.html HTTP/1.1\r\nHost: page\r\n")

    said = agent.ctl("drain").stdout
    assert said.startswith("draining: ordered by wnactl drain; "), said
    for page in ("/healthz", "/readyz"):
        answer = agent.get(page)
        assert (answer.status, answer.body) == (503, "draining\n")
    wait_until(lambda: "clients connected: 1;" in life(agent)["next"], "the client is counted")
    assert "healthz: degraded -> draining" in agent.ctl("history").stdout

    for role in ("core", "cloud"):
        host.kill(agent.pid(role))
        hold_true(lambda: agent.code("/healthz") == 503, f"503 without the {role}", 1)
    agent.restart()
    assert agent.wait_page("/healthz", 503).body == "draining\n"
    wait_until(lambda: "clients connected: 1;" in life(agent)["next"], "counted again")

    client.send(b"\r\n")
    assert client.receive().status == 200
    client.close()
    assert agent.ctl("drain", "--wait").stdout.startswith("drained: ordered by wnactl drain; ")
    assert serving.web.serving()
    assert agent.ctl("undrain").stdout == "in service\n"
    assert agent.code("/healthz") == 200
    assert "lifecycle: drained -> in service" in agent.ctl("history").stdout
    agent.restart()
    agent.wait_page("/healthz", 200)


def test_only_root_orders_a_drain(serving: Node) -> None:
    serving.agent.start()
    serving.agent.wait_page("/healthz", 200)
    for user in ("wna-check", "wna-cloud"):
        done = serving.host.run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                                "wnactl", "drain", check=False)
        assert done.returncode == 5, done
    assert serving.agent.code("/healthz") == 200


def test_a_spot_notice(serving: Node) -> None:
    """The twin: an on-demand instance, which is not asked for one."""
    agent = serving.agent
    notice = f"{META}/spot/instance-action"
    serving.imds.set({notice: '{"action": "terminate", "time": "2026-11-30T08:22:00Z"}'})
    agent.start()
    agent.wait_page("/healthz", 200)
    wait_life(agent, "in service")
    hold_true(lambda: not serving.imds.log(path=notice), "not asked", 3)
    serving.imds.set({f"{META}/instance-life-cycle": "spot"})
    assert agent.wait_page("/healthz", 503).body == "draining\n"
    assert wait_life(agent, "drained")["why"] == "spot notice: terminate at 2026-11-30T08:22:00Z"
    done = agent.ctl("undrain", check=False)
    assert done.returncode == 1 and "spot notice" in done.stderr
    assert agent.code("/healthz") == 503


@pytest.fixture
def hooked(scripted: ScriptedAws, serving: Node) -> Node:
    """Both hooks; the web server does not run yet."""
    scripted.know(serving.give_role())
    serving.web.stop_httpd()
    serving.agent.change("metrics", enabled=False, ca_file=CA)
    serving.agent.change("lifecycle", launch_hook="wna-launch", terminate_hook="wna-end",
                         endpoint=f"https://{names.CLOUDWATCH_HOST}")
    return serving


def complete(node: Node, hook: str) -> dict[str, str]:
    return {"Action": "CompleteLifecycleAction", "Version": "2011-01-01",
            "LifecycleHookName": hook, "AutoScalingGroupName": names.GROUP,
            "InstanceId": node.instance_id, "LifecycleActionResult": "CONTINUE",
            "service": "autoscaling", "refused": ""}


def test_hooks_are_completed(scripted: ScriptedAws, hooked: Node) -> None:
    agent, start = hooked.agent, scripted.mark()
    agent.start()
    assert wait_life(agent, "warming")["why"] == "not well yet: checks"
    agent.wait_fact("credentials", 1)
    assert not scripted.calls(start)
    hooked.web.start_httpd()
    wait_life(agent, "in service")
    assert scripted.calls(start) == [complete(hooked, "wna-launch")]
    # A new process does not begin anew.
    agent.restart("cloud")
    wait_life(agent, "in service")
    assert len(scripted.calls(start)) == 1
    # The metadata are early: no action waits yet.
    scripted.script({"kind": "error", "code": "ValidationError",
                     "message": "No active Lifecycle Action found"})
    hooked.imds.target_state("Terminated")
    assert "No active Lifecycle Action" in wait_until(
        lambda: "active" in (why := life(agent)["why"]) and why, "the reason")
    wait_life(agent, "gone", timeout=25)
    assert scripted.calls(start)[1:] == [complete(hooked, "wna-end")] * 2
    assert agent.code("/healthz") == 200  # the load balancer was left before


def test_a_missing_right_is_named(scripted: ScriptedAws, hooked: Node) -> None:
    scripted.default("error", code="AccessDenied", message="User is not authorized")
    agent = hooked.agent
    agent.start()
    hooked.web.start_httpd()
    assert wait_life(agent, "in service")["why"] == (
        "the instance's role must not do autoscaling:CompleteLifecycleAction (AccessDenied)")
    assert agent.log("cloud").count("hook wna-launch is not completed: ") == 1
    assert agent.code("/healthz") == 200


def test_without_a_hook_nothing_is_asked(scripted: ScriptedAws, serving: Node) -> None:
    """The twin of the above, with metrics: CloudWatch alone is called."""
    scripted.know(serving.give_role())
    start = scripted.mark()
    serving.agent.change("metrics", enabled=True, ca_file=CA)
    serving.agent.start()
    wait_life(serving.agent, "in service")
    wait_until(lambda: scripted.log(start), "CloudWatch is called", 30)
    serving.imds.target_state("Terminated")
    wait_life(serving.agent, "gone")
    assert not scripted.calls(start)
    assert not serving.imds.log(path=f"{META}/events") + serving.imds.log(path=f"{META}/spot")
