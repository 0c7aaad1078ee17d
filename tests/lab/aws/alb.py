"""The Application Load Balancer: a node in each zone. Real: every request and every
check goes from the node's own network to the target, through its security groups and
ACLs. A stand-in: HAProxy in place of AWS's proxy; aws/targets.py selects the targets,
and HAProxy's runtime socket gets the selection.

Like an ALB (ALB User Guide, "Troubleshoot your Application Load Balancers" for the
status codes, "HTTP headers and Application Load Balancers"):
- 503 without a target, 502 if a target refuses, resets or sends an invalid answer, 504
  after a timeout: ten seconds for the connection, the idle timeout for the answer;
- no retry with another target;
- X-Forwarded-For (appended), -Proto, -Port and X-Amzn-Trace-Id are set, Host is kept;
- requests at a deregistered target may end; after the delay they are cut;
- header fields whose names are not [-A-Za-z0-9]+ are removed ("Load balancer attributes",
  routing.http.drop_invalid_header_fields.enabled). The template has this on; AWS's default, off,
  is not implemented. A name that HTTP forbids gets status 400;
- source ports 1024-65535.
Different from AWS: the body of a 504 after a connection timeout says 502; a node has one
address, and does not scale.
"""
from __future__ import annotations

import threading
import time
from typing import Any, Callable

from parts.host import Host
from parts.wait import wait_until

from lab.model.model import Alb as AlbModel, Model, TargetGroup
from lab.trouble import Troubles
from .alb_node import SLOTS, SOCKET, Node
from .probe import probe
from .targets import Targets

CONNECT_S = 10  # the load balancer's timeout: "before the connection timeout expired (10 seconds)"
BALANCE = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn",
           "weighted_random": "random"}

CONF = """global
  maxconn 8000
  nbthread 1
  stats socket {socket} mode 600 level admin
  log stdout format raw local0 info
defaults
  mode http
  log global
  option httplog
  option dontlog-normal
  option http-keep-alive
  retries 0
  timeout connect {connect}s
  timeout server {idle}s
  timeout client {idle}s
  timeout http-request {idle}s
  timeout http-keep-alive {idle}s
  errorfile 503 /etc/haproxy/502.http
  errorfile 502 /etc/haproxy/502.http
  errorfile 504 /etc/haproxy/504.http
frontend listener
  bind :{port}
  http-request set-var(txn.start) date(0,ms)
  http-request del-header [^-A-Za-z0-9] -m reg
  http-request set-header X-Forwarded-For %[req.fhdr(X-Forwarded-For)],\\ %[src] if {{ req.hdr(X-Forwarded-For) -m found }}
  http-request set-header X-Forwarded-For %[src] unless {{ req.hdr(X-Forwarded-For) -m found }}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port {port}
  http-request set-header X-Amzn-Trace-Id Root=1-%{{+X}}Ts-%[uuid(4),regsub(-,,g),bytes(0,24)] unless {{ req.hdr(X-Amzn-Trace-Id) -m found }}
  http-request return status 503 content-type text/html string "{unavailable}" hdr Server awselb/2.0 if {{ nbsrv(targets) eq 0 }}
  # What HAProxy answers itself is 502 by the files above; a connection that timed out is told by its time.
  http-after-response set-status 504 reason "Gateway Time-out" if {{ status 502 }} {{ res.hdr(Server) awselb/2.0 }} {{ date(0,ms),sub(txn.start) ge {late} }}
  default_backend targets
backend targets
  balance {balance}
  server-template t 1-{slots} 0.0.0.0:80 disabled
"""


def page(status: str) -> str:
    return (f"<html><head><title>{status}</title></head>"
            f"<body><center><h1>{status}</h1></center></body></html>")


def error_file(status: str) -> str:
    body = page(status)
    return (f"HTTP/1.1 {status}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n"
            f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n{body}")


class Alb:
    """`hosts`: zone → the node's host, attached to its subnet. `say`: writes a line to a log;
    `troubles`: errors of the threads that check targets and configure HAProxy."""

    def __init__(self, hosts: dict[str, Host], model: Model, troubles: Troubles,
                 say: Callable[[str], None] = lambda text: None) -> None:
        self.alb: AlbModel = model.alb
        group = model.target_group
        self.nodes = {zone: Node(zone, host) for zone, host in hosts.items()}
        self.targets = Targets(group, hosts)
        self._troubles, self._say = troubles, say
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._stops: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def start(self) -> None:
        group = self.targets.group
        text = CONF.format(
            socket=SOCKET, connect=CONNECT_S, idle=self.alb.idle_timeout, slots=SLOTS,
            port=self.alb.listener.port, balance=BALANCE[group.algorithm],
            unavailable=page("503 Service Temporarily Unavailable").replace('"', '\\"'),
            late=CONNECT_S * 1000 - 100)
        for node in self.nodes.values():
            node.host.write("/etc/haproxy/lab.cfg", text)
            for status in ("502 Bad Gateway", "504 Gateway Time-out"):
                node.host.write(f"/etc/haproxy/{status[:3]}.http", error_file(status))
            node.host.sh("echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range")
            node.process = node.host.spawn("/usr/sbin/haproxy", "-db", "-f",
                                           "/etc/haproxy/lab.cfg", log="haproxy")
        self._thread(self._expire, "expiry")
        for node in self.nodes.values():
            wait_until(lambda: node.command("show info"), f"{node.host.name}: haproxy runs")

    # registration

    def register(self, target_id: str, address: str, zone: str) -> None:
        """RegisterTargets: an instance's id and address."""
        with self._lock:
            self._stop_checks(target_id)
            self.targets.register(target_id, address, zone)
            stop = self._stops[target_id] = threading.Event()
            self._apply()
            for node in self.nodes.values():
                self._thread(lambda n=node: self._check(n, target_id, address, stop),
                             f"{node.host.name} {target_id}")

    def deregister(self, target_id: str) -> None:
        """DeregisterTargets: no new requests; removed after the delay."""
        with self._lock:
            self._stop_checks(target_id)
            self.targets.deregister(target_id, time.monotonic())
            self._apply()
            self._wake.notify_all()

    def update(self, group: TargetGroup) -> None:
        """A stack update of the target group."""
        with self._lock:
            self.targets.update(group)
            self._apply()

    # queries

    def describe(self) -> list[dict[str, Any]]:
        """DescribeTargetHealth."""
        with self._lock:
            found = []
            for target in self.targets.all():
                shown = target.shown
                health = {"State": shown.state}
                if shown.reason:
                    health |= {"Reason": shown.reason, "Description": shown.description}
                found.append({"Target": {"Id": target.id, "Port": self.targets.group.port},
                              "HealthCheckPort": str(self.targets.group.health_port),
                              "TargetHealth": health})
            return found

    def state(self, target_id: str) -> str:
        """"initial", "healthy", "unhealthy", "draining", or "unused" (not registered)."""
        with self._lock:
            return self.targets.shown(target_id).state

    def states(self) -> dict[str, str]:
        with self._lock:
            return {target.id: target.shown.state for target in self.targets.all()}

    def by_node(self, target_id: str) -> dict[str, dict[str, Any]]:
        """By node's host: the node's opinion of a target, and whether the node sends requests to
        it; AWS has no such call."""
        with self._lock:
            target = self.targets.get(target_id)
            return {node.host.name: {"state": target.by_node(node.zone).state,
                                     "routed": target_id in self.targets.routed(node.zone)}
                    for node in self.nodes.values()} if target else {}

    def close(self) -> None:
        """Ends the checks; HAProxy ends with its host."""
        with self._lock:
            self._closed.set()
            for target_id in list(self._stops):
                self._stop_checks(target_id)
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(10)
        for node in self.nodes.values():
            if node.process:
                node.process.stop()

    # threads

    def _thread(self, run: Any, name: str) -> None:
        self._threads = [t for t in self._threads if t.is_alive()]
        thread = threading.Thread(target=run, name=f"alb {name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stop_checks(self, target_id: str) -> None:
        stop = self._stops.pop(target_id, None)
        if stop:
            stop.set()

    def _check(self, node: Node, target_id: str, address: str, stop: threading.Event) -> None:
        """Checks one target from one node, at a fixed interval, however long a check takes."""
        who = f"{node.host.name}: checks of {target_id}"
        due = time.monotonic()
        while not stop.is_set():
            with self._troubles.guard(who):
                with node.host.net():
                    result = probe(address, self.targets.group, stop)
                with self._lock:
                    if not stop.is_set() and self.targets.feed(node.zone, target_id, result):
                        self._note(node, target_id)
                    # Each time: retries a node that could not be configured before.
                    self._apply()
            due = max(due + self.targets.group.interval, time.monotonic())
            stop.wait(due - time.monotonic())
        self._troubles.forget(who)

    def _note(self, node: Node, target_id: str) -> None:
        target = self.targets.get(target_id)
        if target:
            found = target.by_node(node.zone)
            opens = ", and fails open" if self.targets.fails_open(node.zone) else ""
            self._say(f"{node.host.name}: {target_id} is {found.state}"
                      + (f": {found.description}" if found.description else "") + opens)

    def _expire(self) -> None:
        """Ends deregistrations when their delay has passed."""
        with self._lock:
            while not self._closed.is_set():
                due = self.targets.next_expiry()
                self._wake.wait(None if due is None else max(0.0, due - time.monotonic()))
                self.targets.expire(time.monotonic())
                self._apply()

    def _apply(self) -> None:
        """Configures HAProxy on each node with this node's view of the targets. A failure on one
        node does not affect the other, and is retried."""
        for node in self.nodes.values():
            with self._troubles.guard(node.host.name):
                node.bring(self.targets.all(), self.targets.routed(node.zone),
                           self.targets.group.port)
