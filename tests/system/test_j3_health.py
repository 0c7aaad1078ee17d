"""J3, health: what the load balancer is told, and by what."""
from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.wait import hold_true, wait_until
from parts.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def agent(node: Node) -> Agent:
    """The web server's check alone."""
    node.web.start(php=False)
    node.only("check web")
    return node.agent


def test_pages(world: World, node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    for path in ("/livez", "/healthz"):
        answer = agent.get(path, source=world.balancer, User_Agent="ELB-HealthChecker/2.0")
        assert answer.status == 200
        assert answer.body.count("\n") <= 1
        for secret in (node.subnet_address, node.instance_id, "web", "10.16"):
            assert secret not in answer.body
    assert agent.code("/readyz") in (200, 503)
    assert agent.code("/nothing") == 404


def test_methods_and_versions(agent: Agent) -> None:
    agent.start()
    with agent.connection() as connection:
        for _ in range(3):  # kept alive
            assert connection.ask("/livez").status == 200
        head = connection.ask("/livez", method="HEAD")
        assert head.status == 200 and head.body == "" and int(head.headers["content-length"]) > 0
        assert connection.ask("/livez").status == 200
        last = connection.ask("/livez", headers={"Connection": "close"})
        assert last.status == 200 and connection.closed()
    with agent.connection() as connection:
        assert connection.ask("/livez", version="1.0").status == 200
        assert connection.closed()
    with agent.connection() as connection:
        assert connection.ask("/livez", version="1.0",
                              headers={"Connection": "keep-alive"}).status == 200
        assert connection.ask("/livez", version="1.0").status == 200
    with agent.connection() as connection:
        assert connection.ask("/healthz", method="POST").status in (405, 501)
    with agent.connection() as connection:  # two requests in one packet
        request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send(request + request)
        assert connection.receive().status == 200


@pytest.mark.parametrize("path,word", [("/", "</html>"), ("/status", '"jobs"'),
                                       ("/metrics", "wna_job_state")])
def test_details_are_not_for_strangers(world: World, agent: Agent, path: str, word: str) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    answer = agent.get(path)
    assert answer.status == 200 and word in answer.body
    refused = agent.get(path, source=world.balancer)
    assert refused.status in (403, 404) and word not in refused.body
    for header in ("X_Forwarded_For", "Forwarded", "Via"):
        assert agent.get(path, **{header: "127.0.0.1"}).status in (403, 404)
    agent.change("health", status_allow="10.16.1.0/24")
    assert agent.reload().returncode == 0
    wait_until(lambda: agent.get(path, source=world.balancer).status == 200,
               "the configured network may look")


def test_web_server_stops(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    node.web.stop_httpd()
    agent.wait_page("/healthz", 503, timeout=5)
    assert agent.job("checks")["level"] == "fail"
    assert agent.code("/livez") == 200
    node.web.start_httpd()
    agent.wait_page("/healthz", 200, timeout=10)


def test_web_server_hangs(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    stopped: set[int] = set()
    while new := set(node.host.ps("apache2")) - stopped:  # it may fork while it is being stopped
        for pid in new:
            node.host.kill(pid, signal.SIGSTOP)
        stopped |= new
    agent.wait_page("/healthz", 503, timeout=8)
    for pid in stopped:
        node.host.kill(pid, signal.SIGCONT)
    agent.wait_page("/healthz", 200, timeout=10)


def test_first_success_suffices(node: Node, agent: Agent) -> None:
    node.web.stop_httpd()
    agent.change("check web", rise=10, interval="5s")
    agent.start()
    assert agent.code("/healthz") == 503
    node.web.start_httpd()
    agent.wait_page("/healthz", 200, timeout=4)


def test_shared_check_does_not_turn_the_answer(node: Node, agent: Agent) -> None:
    agent.change("check other", type="tcp", address=f"{node.subnet_address}:81", scope="shared",
                 interval="300ms", timeout="300ms", rise=1, fall=1)
    agent.start()
    agent.wait_page("/healthz", 200)
    agent.wait_page("/readyz", 503)
    assert "degraded" in agent.wait_page("/healthz", 200).body
    listener = node.host.spawn("python3", "-m", "http.server", "81", log="listener")
    wait_until(lambda: next(c for c in agent.status()["checks"] if c["name"] == "other")
               ["level"] == "ok", "the shared check is good")
    assert listener.running()


def check_level(agent: Agent, name: str) -> str:
    return str(next(c for c in agent.status()["checks"] if c["name"] == name)["level"])


def wait_check(agent: Agent, name: str, level: str) -> None:
    wait_until(lambda: check_level(agent, name) == level, f"check {name} is {level}")


def test_kinds_of_checks(node: Node, agent: Agent) -> None:
    quick = {"interval": "200ms", "timeout": "300ms", "rise": 1, "fall": 1}
    agent.change("check file", type="file", path="/run/deployed", **quick)
    agent.change("check process", type="process", process="apache2", **quick)
    agent.change("check disk", type="disk", path="/var", min_free="1M", **quick)
    agent.change("check tcp", type="tcp", address="127.0.0.1:80", **quick)
    agent.start()
    for name in ("process", "disk", "tcp", "web"):
        wait_check(agent, name, "ok")
    agent.wait_page("/healthz", 503)
    node.host.write("/run/deployed", "1")
    wait_check(agent, "file", "ok")
    agent.wait_page("/healthz", 200)
    node.host.path("/run/deployed").unlink()
    wait_check(agent, "file", "fail")
    node.host.write("/run/deployed", "1")
    agent.wait_page("/healthz", 200)
    node.web.stop_httpd()
    for name in ("process", "tcp", "web"):
        wait_check(agent, name, "fail")


def test_disk_check_sees_a_full_disk(node: Node, agent: Agent) -> None:
    node.host.sh("mkdir -p /srv/small; mount -t tmpfs -o size=1M small /srv/small")
    agent.change("check disk", type="disk", path="/srv/small", min_free_percent=50,
                 interval="200ms", timeout="300ms", rise=1, fall=1)
    agent.start()
    wait_check(agent, "disk", "ok")
    node.host.sh("head -c 900000 /dev/zero > /srv/small/file")
    wait_check(agent, "disk", "fail")
    node.host.sh("rm /srv/small/file")
    wait_check(agent, "disk", "ok")


def test_command_socket(node: Node, agent: Agent) -> None:
    agent.start()
    agent.wait_page("/readyz", 200)
    socket = "/run/web-node-agent/hub"
    assert node.host.run("stat", "-c", "%a %U", socket).stdout.split() == ["660", "root"]

    def as_user(*args: str, group: str) -> int:
        return node.host.run("setpriv", "--reuid", "nobody", "--regid", group, "--clear-groups",
                             "wnactl", *args, check=False).returncode
    group = node.host.run("stat", "-c", "%G", socket).stdout.strip()
    assert as_user("status", group="nogroup") in (3, 5)
    assert as_user("status", group=group) == 0
    assert as_user("load", group=group) != 0, "changing anything needs root"


def test_status_has_a_schema_and_an_exit_code_for_each_verdict(node: Node, agent: Agent) -> None:
    """Out of service it names what failed; not running it names the unit."""
    agent.start()
    agent.wait_page("/readyz", 200)
    well = agent.ctl("status", "--json")
    subprocess.run([sys.executable, ROOT / "tests/unit/screens/schema.py",
                    ROOT / "packaging/doc/status.schema.json"], input=well.stdout, text=True, check=True)
    node.web.stop_httpd()
    agent.wait_page("/healthz", 503)
    out = agent.ctl("status", check=False)
    assert out.returncode == 2 and out.stdout.startswith("OUT OF SERVICE for ")
    assert "http-refused" in out.stdout and "GET http://" in out.stdout and "  do:   Start " in out.stdout
    agent.stop()
    gone = agent.ctl("status", check=False)
    assert gone.returncode == 3 and "web-node-agent.service: inactive\n" in gone.stderr


def test_wait_for_ready(node: Node, agent: Agent) -> None:
    node.web.stop_httpd()
    agent.start()
    late = agent.ctl("wait", "--for", "ready", "--timeout", "1", check=False)
    assert late.returncode != 0
    node.web.start_httpd()
    assert agent.ctl("wait", "--for", "ready", "--timeout", "15").returncode == 0


def test_readiness_follows_a_restart_of_the_core(agent: Agent) -> None:
    agent.start()
    agent.wait_page("/healthz", 200)
    agent.host.kill(agent.pid("core"))
    hold_true(lambda: agent.code("/healthz") == 200, "healthy over a restart", 2)


def test_status_and_pages_tell_one_story(node: Node) -> None:
    """Results grow too old at an instant that nobody announces. Who reads the status just
    then, and the page right after it, gets the same from both."""
    node.host.sh("touch /run/good")
    node.only("check web")
    node.agent.change("check web", type="file", path="/run/good", url=None, interval="100ms",
                      max_age="1s")
    agent = node.agent
    agent.start()
    pid = agent.pid("check")
    with agent.connection() as status, agent.connection() as page:
        for _ in range(8):
            agent.wait_page("/healthz", 200)
            node.host.kill(pid, signal.SIGSTOP)
            end = time.monotonic() + 5
            # Without a pause: the instant is a few milliseconds long.
            while json.loads(status.ask("/status").body)["healthz"]["code"] == 200:
                assert time.monotonic() < end, "its silence was not noticed"
            code = page.ask("/healthz").status
            node.host.kill(pid, signal.SIGCONT)
            assert code == 503
