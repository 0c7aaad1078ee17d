"""A plain HTTP client that speaks from a host's network, with the connection in
the test's hands."""
from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass

from .host import Host


@dataclass
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    took_s: float


class Connection:
    """One TCP connection; requests one after another, as keep-alive does."""

    def __init__(self, host: Host, address: str, port: int, timeout: float = 5.0) -> None:
        self.socket = host.connect(address, port, timeout)
        self._where = f"{address}:{port}"

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, method: str = "GET") -> Answer:
        """Reads one answer."""
        start = time.monotonic()
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            body = response.read().decode(errors="replace")
        finally:
            response.close()
        headers = {k.lower(): v for k, v in response.getheaders()}
        return Answer(response.status, body, headers, time.monotonic() - start)

    def ask(self, path: str, method: str = "GET", version: str = "1.1",
            headers: dict[str, str] | None = None) -> Answer:
        lines = [f"{method} {path} HTTP/{version}", f"Host: {self._where}",
                 *(f"{k}: {v}" for k, v in (headers or {}).items())]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.receive(method)

    def closed(self, timeout: float = 5.0) -> bool:
        """Whether the peer ends the connection within this time."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(4096):
                pass
        except socket.timeout:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        self.socket.close()


def request(host: Host, address: str, port: int, path: str, method: str = "GET",
            headers: dict[str, str] | None = None, timeout: float = 5.0) -> Answer:
    """One request on a connection of its own."""
    with Connection(host, address, port, timeout) as connection:
        return connection.ask(path, method, headers={"Connection": "close", **(headers or {})})
