"""One health check as made by an ALB node: GET by HTTP/1.1 on a new connection, which is closed
afterwards; the status line gives the result. The request has the headers of AWS's checks: Host is
the target's address and the check's port, the agent is ELB-HealthChecker/2.0 (ALB User Guide,
"Health checks for your target groups" and "Troubleshoot": virtual hosts must accept this Host)."""
from __future__ import annotations

import re
import select
import socket
import threading
import time
from typing import Protocol

from .targets import Result

LIMIT = 64 * 1024
TIMEOUT = Result(reason="Target.Timeout")
FAILED = Result(reason="Target.FailedHealthChecks")
STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [^\r\n]*)?\r?\n")


class _Late(Exception):
    pass


def _wait(peer: socket.socket, deadline: float, stop: threading.Event, write: bool) -> None:
    """Waits until the socket is ready; in short intervals, because the caller may be asked to
    stop."""
    while not stop.is_set():
        left = deadline - time.monotonic()
        if left <= 0:
            raise _Late
        ready = select.select([] if write else [peer], [peer] if write else [], [], min(left, 0.1))
        if ready[0] or ready[1]:
            return
    raise _Late


def _receive(peer: socket.socket, deadline: float, stop: threading.Event) -> bytes:
    _wait(peer, deadline, stop, write=False)
    return peer.recv(LIMIT)


class Check(Protocol):
    """The settings of a target group's check."""
    @property
    def health_port(self) -> int: ...
    @property
    def health_path(self) -> str: ...
    @property
    def timeout(self) -> int: ...


def probe(address: str, group: Check, stop: threading.Event) -> Result:
    """Checks from the network namespace of the calling thread. Timeout, also with dropped packets:
    Target.Timeout; a refused connection or invalid HTTP: Target.FailedHealthChecks."""
    deadline = time.monotonic() + group.timeout
    head = (f"GET {group.health_path} HTTP/1.1\r\nHost: {address}:{group.health_port}\r\n"
            "Connection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n"
            "Accept-Encoding: gzip, compressed\r\n\r\n")
    with socket.socket() as peer:
        peer.setblocking(False)
        try:
            peer.connect_ex((address, group.health_port))
            _wait(peer, deadline, stop, write=True)
            if peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return FAILED
            peer.send(head.encode())
            answer = b""
            while b"\n" not in answer and len(answer) < LIMIT:
                part = _receive(peer, deadline, stop)
                if not part:
                    return FAILED
                answer += part
            status = STATUS.match(answer)
            if not status:
                return FAILED
            result = Result(int(status[1]))
        except _Late:
            return TIMEOUT
        except OSError:
            return FAILED
        try:  # reads the rest: otherwise close() resets the connection
            while len(answer) < LIMIT and (part := _receive(peer, deadline, stop)):
                answer += part
        except (_Late, OSError):
            pass
        return result
