"""J3: the page's charts; /metrics, as Prometheus reads it, and the dashboard that asks Prometheus."""
from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any, Iterator

import pytest

from parts.agent import PORT, Agent
from parts.http import request
from parts.node import Node
from parts.wait import wait_until
from parts.world import World

DASHBOARD = Path(__file__).parents[2] / "packaging/grafana/web-node-agent.json"
OWN_PORT = 9090


class Prometheus:
    """In the load balancer's place; asks the node every second."""

    def __init__(self, world: World, target: str) -> None:
        self.host = world.balancer
        self.host.write("/run/prometheus.yml", json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "web", "static_configs": [{"targets": [target]}]}]}))
        self.host.sh("rm -rf /run/prometheus")  # an earlier test's
        self.process = self.host.spawn(
            "prometheus", "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/prometheus",
            f"--web.listen-address=127.0.0.1:{OWN_PORT}", log="prometheus")

    def ask(self, query: str) -> list[dict[str, Any]]:
        answer = request(self.host, "127.0.0.1", OWN_PORT, "/api/v1/query?" +
                         urllib.parse.urlencode({"query": query}), timeout=5, headers={})
        told = json.loads(answer.body)
        assert told["status"] == "success", f"{query}: {told}"
        return list(told["data"]["result"])

    def value(self, query: str) -> float | None:
        try:
            found = self.ask(query)
        except (OSError, ValueError):  # it does not listen, or is not ready yet
            return None
        return float(found[0]["value"][1]) if found else None


def bars(agent: Agent) -> dict[str, int]:
    """How many minutes each chart of the page has."""
    charts = re.findall(r'<figcaption class="row">(.*?) <b>.*?<path d="(.*?)"/>',
                        agent.get("/").body)
    return {title: path.count("M") for title, path in charts}


@pytest.mark.timeout(180)  # for a minute to be over
def test_charts_outlive_the_core(node: Node) -> None:
    """Each finder keeps the points of its own chart."""
    agent = node.agent
    node.web.start(php=False)
    agent.start()
    for job in ("mount", "database"):
        agent.wait_job(job, "ok", 30)
    wait_until(lambda: len(bars(agent)) == 3 and all(bars(agent).values()), "a minute is over", 100,
               pace=0.5)
    before, pid = bars(agent), agent.pid("core")
    agent.host.kill(pid)
    wait_until(lambda: agent.pid("core") != pid, "a new core", 10)
    after = bars(agent)
    assert all(after[chart] >= before[chart] for chart in before), (before, after)


@pytest.fixture
def agent(node: Node) -> Agent:
    node.web.start(php=False)
    node.only("check web")
    node.agent.change("health", status_allow="10.16.1.0/24")
    return node.agent


@pytest.fixture
def prometheus(world: World, agent: Agent) -> Iterator[Prometheus]:
    agent.start()
    made = Prometheus(world, f"{agent.host.address}:{PORT}")
    yield made
    made.process.kill()


def queries() -> list[str]:
    """The dashboard's, as Grafana sends them when all nodes are chosen."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"].replace("$node", ".*") for panel in panels for target in panel["targets"]]


def test_promtool_has_no_complaint(agent: Agent) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    checked = subprocess.run(["promtool", "check", "metrics"], input=agent.get("/metrics").body,
                             capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_prometheus_follows_the_node(node: Node, agent: Agent, prometheus: Prometheus) -> None:
    healthy = 'wna_endpoint_success{endpoint="healthz"}'
    wait_until(lambda: prometheus.value(healthy) == 1, "Prometheus sees a healthy node", 30)
    assert prometheus.value("up") == 1
    assert prometheus.value('wna_check_state{check="web",state="ok"}') == 1
    assert prometheus.ask("wna_instance_info")[0]["metric"]["instance_id"] == node.instance_id
    node.web.stop_httpd()
    wait_until(lambda: prometheus.value(healthy) == 0, "Prometheus sees the failure", 20)
    assert prometheus.value('wna_check_state{check="web",state="fail"}') == 1
    assert (prometheus.value('increase(wna_http_requests_total[1m])') or 0) > 0
    node.web.start_httpd()


def test_the_dashboard_asks_for_what_exists(agent: Agent, prometheus: Prometheus) -> None:
    told = agent.get("/metrics").body
    names = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))
    asked = set(re.findall(r"\bwna_\w+", " ".join(queries())))
    assert asked and asked <= names
    wait_until(lambda: prometheus.value("up") == 1, "the node is scraped", 30)
    for query in queries():
        prometheus.ask(query)  # it is valid
    for query in queries()[:2]:
        assert prometheus.ask(query), query
