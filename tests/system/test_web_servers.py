"""The agent's answer through httpd and nginx, by the drop-ins as installed: exactly /healthz, in
the agent's own words, and within a bounded time whatever the agent does."""
from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from parts.host import Host
from parts.agent import UMBRELLA
from parts.http import Answer, Connection, request
from parts.node import Node
from parts.process import Process
from parts.wait import wait_until
from parts.web import HTTPD

DOC = "/usr/share/doc/web-node-agent"
MODULES = ("proxy_http", "headers", "rewrite", "alias", "http2")
# On port 82 HTTP/2 without TLS, which httpd has on the other ports as well. On port 80 a site with habits that must not become the health check's: error pages of its own with
# another code, nothing for strangers, a log of all requests. On port 81 one that is open, so that
# nothing but the drop-in keeps a path from the agent.
NGINX = f"""
daemon off;
worker_processes 1;
error_log /dev/stderr;
pid /run/nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log /var/log/nginx/all.log;
  server {{
    listen 80 default_server;
    root /var/www/html;
    error_page 404 /404.html;
    error_page 502 503 504 =200 /sorry.html;
    auth_basic "site";
    auth_basic_user_file /etc/nginx/nobody;
    location = /health.html {{ auth_basic off; }}
    include {DOC}/nginx/web-node-agent.conf;
  }}
  server {{
    listen 81;
    root /var/www/html;
    include {DOC}/nginx/web-node-agent.conf;
  }}
  server {{
    listen 82 http2;
    include {DOC}/nginx/web-node-agent.conf;
  }}
}}
"""
SITE = f"""
Listen 0.0.0.0:81
Listen 0.0.0.0:82
Protocols h2c http/1.1
Include {DOC}/httpd/web-node-agent.conf
ProxyErrorOverride On
ErrorDocument 503 /sorry.html
LogFormat "%r" short
CustomLog /var/log/apache2/all.log short "expr=%{{REQUEST_URI}} != '/healthz'"
<VirtualHost *:80>
  DocumentRoot /var/www/html
  <Location "/">
    Require all denied
  </Location>
  <Location "/health.html">
    Require all granted
  </Location>
</VirtualHost>
<VirtualHost *:81>
  DocumentRoot /var/www/html
</VirtualHost>
"""
OPEN, HTTP2 = 81, 82
LOGS = {"httpd": "/var/log/apache2/all.log", "nginx": "/var/log/nginx/all.log"}
# In the agent's place: writes down what it was asked, answers everything with 200.
SPY = """
import http.server
class Spy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", self.requestline, sorted(k.lower() for k in self.headers), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"spy\\n")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Spy).serve_forever()
"""
BOUND_S = 3.0  # the drop-ins say: give the check 3 seconds or more


class Front:
    """One of the two web servers on port 80."""

    def __init__(self, node: Node, kind: str) -> None:
        self.host, self.kind = node.host, kind
        for name, text in (("health.html", "ok\n"), ("sorry.html", "sorry\n"), ("404.html", "?\n")):
            node.host.write(f"/var/www/html/{name}", text)
        node.host.sh("mkdir -p /var/log/nginx /var/log/apache2 /etc/nginx /var/lib/nginx; "
                     ": > /etc/nginx/nobody")
        if kind == "nginx":
            node.host.write("/etc/nginx/lab.conf", NGINX)
            self.process = node.host.spawn("/usr/sbin/nginx", "-c", "/etc/nginx/lab.conf",
                                           log="nginx")
        else:
            node.host.write("/etc/apache2/lab.conf", httpd_conf(*MODULES) + SITE)
            self.process = node.host.spawn("/usr/sbin/apache2", "-DFOREGROUND", "-f",
                                           "/etc/apache2/lab.conf", log="httpd")
        wait_until(self.serving, f"{kind} serves", 15)

    def serving(self) -> bool:
        if not self.process.running():
            raise AssertionError(f"{self.kind} ended: {self.process.output()}")
        return self.get("/health.html").status == 200

    def get(self, path: str, method: str = "GET", headers: dict[str, str] | None = None,
            port: int = 80) -> Answer:
        return request(self.host, "127.0.0.1", port, path, method, headers, timeout=10)

    def log(self) -> str:
        return self.host.read(LOGS[self.kind])


def httpd_conf(*modules: str) -> str:
    return HTTPD + "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                           for name in modules)


@pytest.fixture(params=["httpd", "nginx"])
def front(request: pytest.FixtureRequest, node: Node) -> Front:
    """Beside an agent that is healthy as long as /run/good is there."""
    node.host.sh("touch /run/good")
    node.only("check web")
    node.agent.change("check web", type="file", path="/run/good", url=None, interval="100ms")
    return Front(node, request.param)


@contextmanager
def spying(host: Host) -> Iterator[Process]:
    spy = host.spawn("/usr/bin/python3", "-I", "-c", SPY, log="spy")

    def listens() -> bool:
        host.connect("127.0.0.1", 8099, 1).close()
        return True
    wait_until(listens, "the spy listens")
    try:
        yield spy
    finally:
        spy.stop()


def asked(spy: Process) -> list[str]:
    return re.findall(r"^asked (.*)$", spy.output(), re.M)


# the agent through it

def test_in_the_agent_s_own_words(node: Node, front: Front) -> None:
    agent = node.agent
    agent.start()
    agent.wait_page("/readyz", 200)
    own = agent.wait_page("/healthz", 200)
    through = front.get("/healthz")
    assert (through.status, through.body) == (200, own.body)
    assert through.headers["cache-control"] == "no-store"
    assert front.get("/healthz?probe=1").body == own.body
    head = front.get("/healthz", "HEAD")
    assert (head.status, head.body) == (200, "")
    node.host.sh("rm /run/good")
    own = agent.wait_page("/healthz", 503)
    through = front.get("/healthz")
    assert (through.status, through.body) == (503, own.body) and own.body
    node.host.sh("touch /run/good")
    agent.wait_page("/healthz", 200)
    assert front.get("/healthz").status == 200


def test_http2_without_tls(node: Node, front: Front) -> None:
    """EC2's application status checks speak it from the first byte on."""
    node.agent.start()
    node.agent.wait_page("/healthz", 200)

    def ask() -> list[str]:
        return front.host.run("curl", "-sS", "-m", "5", "--http2-prior-knowledge", "-o",
                              "/dev/null", "-w", "%{http_version} %{http_code}",
                              f"http://127.0.0.1:{HTTP2}/healthz").stdout.split()
    assert ask() == ["2", "200"]
    node.host.sh("rm /run/good")
    node.agent.wait_page("/healthz", 503)
    assert ask() == ["2", "503"]
    assert front.get("/healthz").status == 503, "HTTP/1.1 as before"


def test_other_methods_are_refused_as_by_the_agent(node: Node, front: Front) -> None:
    node.agent.start()
    node.agent.wait_page("/healthz", 200)
    with node.agent.connection() as connection:
        own = connection.ask("/healthz", method="POST", headers={"Content-Length": "0"}).status
    assert own == 405
    for method in ("POST", "PUT", "DELETE"):
        assert front.get("/healthz", method, {"Content-Length": "0"}).status == own
    with Connection(front.host, "127.0.0.1", 80) as connection:
        connection.send(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n"
                        + b"x" * 30000)
        assert connection.receive().status >= 400
    assert front.get("/healthz").status == 200


def test_what_a_browser_sends_along_does_not_reach_the_agent(node: Node, front: Front) -> None:
    """The agent takes requests of a kilobyte: with its cookies a browser's is longer."""
    node.agent.start()
    node.agent.wait_page("/healthz", 200)
    much = {"Cookie": "session=" + "x" * 3000, "Authorization": "Basic " + "x" * 1000}
    with node.agent.connection() as connection:
        assert connection.ask("/healthz", headers=much).status >= 400
    assert front.get("/healthz", headers=much).status == 200


def test_an_agent_that_is_away(node: Node, front: Front) -> None:
    gone = front.get("/healthz")
    assert gone.status == 503 and gone.took_s < 1 and "sorry" not in gone.body
    node.agent.start()
    node.agent.wait_page("/healthz", 200)
    assert front.get("/healthz").status == 200, "asked again at once"


def test_an_agent_that_is_stuck(node: Node, front: Front) -> None:
    """For longer than its watchdog would let it be."""
    node.agent.drop_in("core", "[Service]\nWatchdogSec=60s\n")
    node.agent.start()
    node.agent.wait_page("/healthz", 200)
    core = node.agent.pid("core")
    node.host.kill(core, signal.SIGSTOP)
    try:
        for _ in range(2):
            stuck = front.get("/healthz")
            assert stuck.status in (502, 503, 504) and stuck.took_s < BOUND_S
            assert "sorry" not in stuck.body
    finally:
        node.host.kill(core, signal.SIGCONT)
    node.agent.wait_page("/healthz", 200)
    assert front.get("/healthz").status == 200


def test_a_restart_is_waited_for(node: Node, front: Front) -> None:
    """systemd has the listener meanwhile: the question waits in it."""
    node.agent.start()
    node.agent.wait_page("/healthz", 200)
    for _ in range(3):
        old = node.agent.pid("core")
        node.host.systemctl("restart", "--no-block", UMBRELLA)

        def another() -> bool:
            answer = front.get("/healthz")
            assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
            return node.agent.pids("core") not in ([], [old])
        wait_until(another, "the core is another one")
        assert front.get("/healthz").status == 200


# which paths

SAME = ["/healthz", "/%68ealthz", "//healthz", "/./healthz", "/x/../healthz", "/healthz?x=/status"]
OTHERS = ["/index.html", "/status", "/readyz", "/livez", "/healthzz", "/healthz/", "/healthz/status",
          "/healthz/../status", "/healthz/..%2fstatus", "/healthz%2f..%2fstatus", "/healthz%2f",
          "/healthz/%2e%2e/readyz", "/healthz%0a", "/healthz%0d%0aX:%20y", "/healthz%00",
          "/healthz%20", "/healthz;x", "/healthz.html", "/Healthz", "/HEALTHZ", "/x/healthz",
          "/healthz%3f", "/healthz%3f/../status", "/%2573tatus", "//status", "/%73tatus",
          "/index.html/healthz", "/healthz%2500", "/..%2fhealthz/../status"]


def test_exactly_this_path(node: Node, front: Front) -> None:
    with spying(node.host) as spy:
        for path in OTHERS:
            answer = front.get(path, port=OPEN)
            assert answer.status in (400, 404) and "spy" not in answer.body, path
        # What the site keeps from strangers it goes on keeping.
        assert front.get("/healthz.html").status in (401, 403)
        assert front.get("/healthz", port=OPEN).body == "spy\n"
        # In order: what was asked before is written before.
        assert len(asked(spy)) == 1
        for path in SAME:
            front.get(path, port=OPEN)
        for line in asked(spy):
            # However it was written, the agent sees it so.
            assert re.match(r"GET /healthz(\?x=/status)? HTTP/1\.[01] ", line), line


def test_absolute_targets_and_other_hosts_change_nothing(node: Node, front: Front) -> None:
    with spying(node.host) as spy:
        for target in ("http://127.0.0.1:8099/status", "http://x/status", "http://x/readyz"):
            assert front.get(target, port=OPEN).status == 404
        for host in ("127.0.0.1:8099", "other.example", ""):
            with Connection(front.host, "127.0.0.1", OPEN) as connection:
                connection.send(f"GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert connection.receive().status >= 400
        assert asked(spy) == []
        assert front.get("http://x/healthz", port=OPEN).body == "spy\n"
        assert len(asked(spy)) == 1 and "cookie" not in asked(spy)[0]


def test_health_checks_are_not_logged(node: Node, front: Front) -> None:
    with spying(node.host):
        assert front.get("/healthz").status == 200
        front.get("/other")
    gone = front.get("/healthz")
    assert gone.status >= 500
    front.get("/last")
    log = wait_until(lambda: front.log() if "/last" in front.log() else "", "the log is written")
    assert "/other" in log and "/healthz" not in log


# what the heads of the files say

def test_httpd_without_the_module_says_so(node: Node) -> None:
    include = f"\nInclude {DOC}/httpd/web-node-agent.conf\n"

    def configtest(*modules: str) -> tuple[int, str]:
        node.host.write("/etc/apache2/lab.conf", httpd_conf(*modules) + include)
        done = node.host.run("/usr/sbin/apache2", "-t", "-f", "/etc/apache2/lab.conf", check=False)
        return done.returncode, done.stderr
    code, words = configtest("headers")
    assert code != 0 and "needs mod_proxy and mod_proxy_http" in words
    code, words = configtest("proxy_http")  # mod_headers may be absent
    assert code == 0, words


def test_a_rewrite_of_everything_comes_first(node: Node) -> None:
    """Which is why the head of httpd's file asks for an exception, and what that does."""
    node.host.write("/var/www/html/health.html", "ok\n")

    def through(rules: str) -> int:
        conf = httpd_conf("proxy_http", "rewrite") + f"Include {DOC}/httpd/web-node-agent.conf\n"
        node.host.write("/etc/apache2/lab.conf", conf + "RewriteEngine On\n" + rules)
        httpd = node.host.spawn("/usr/sbin/apache2", "-DFOREGROUND", "-f",
                                "/etc/apache2/lab.conf", log="httpd")
        try:
            return wait_until(lambda: request(node.host, "127.0.0.1", 80, "/healthz").status,
                              "httpd answers", 15)
        finally:
            httpd.stop()
    rule = "RewriteRule ^ https://www.example.com%{REQUEST_URI} [R=301,L]\n"
    with spying(node.host):
        assert through(rule) == 301
        assert through(f"RewriteCond %{{REQUEST_URI}} !=/healthz\n{rule}") == 200


def test_both_files_name_what_the_agent_has() -> None:
    root = Path(__file__).resolve().parents[2]
    for kind in ("httpd", "nginx"):
        text = (root / "packaging" / kind / "web-node-agent.conf").read_text()
        assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == {"8099"}
    assert "8099" in (root / "agent/conf/conf_keys.c").read_text()
