"""Stand-in for the instance metadata service: AWS has no server to run, and
moto's serves a handful of paths under version 1 without tokens' rules.
Protocol: IMDSv2 as documented in the EC2 User Guide ("Use the Instance
Metadata Service to access instance metadata"): tokens by PUT with a TTL of
1..21600 s, refused when forwarded; 401 without a valid token; XHTML error bodies.

A server's state is its own, so one process can serve several instances, each by a server
bound to the instance's link. With a hop limit the token's packets carry it as their time
to live ("Configure the Instance Metadata Service options", HttpPutResponseHopLimit):
whoever is further away waits for nothing.

Arguments: the control socket's path, then the addresses to listen on. Control:
see State.do().
"""
from __future__ import annotations

import re
import secrets
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from . import control

ERROR = ('<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML '
         '1.0 Transitional//EN"\n\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
         '<html xmlns="http://www.w3.org/1999/xhtml">\n <head>\n  <title>{0} - {1}</title>\n'
         ' </head>\n <body>\n  <h1>{0} - {1}</h1>\n </body>\n</html>\n')
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"


class State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: dict[str, str] = {}
        self.tokens: dict[str, float] = {}
        self.enabled = True
        self.hop_limit = 0  # the system's own time to live
        self.faults: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []

    def fault(self, method: str, path: str) -> dict[str, Any] | None:
        with self.lock:
            for fault in self.faults:
                if re.match(fault["match"], f"{method} {path}") and fault["count"] != 0:
                    fault["count"] -= 1  # a negative count never ends
                    return fault
        return None

    def listing(self, path: str) -> str | None:
        """A folder's listing, folders in it with a slash."""
        prefix = path.rstrip("/") + "/"
        found: list[str] = []
        for key in self.values:
            if key.startswith(prefix):
                head, slash, _ = key[len(prefix):].partition("/")
                if head + slash not in found:
                    found.append(head + slash)
        return "\n".join(found) if found else None

    def do(self, order: dict[str, Any]) -> Any:
        """One order of the test."""
        with self.lock:
            match order["op"]:
                case "set":  # values: {path: text}
                    self.values.update(order["values"])
                case "delete":  # path, and all below it
                    for key in [k for k in self.values
                                if k == order["path"] or k.startswith(order["path"] + "/")]:
                        del self.values[key]
                case "fault":  # match: "METHOD /path" regex; kind; count, -1 = for ever
                    self.faults.append(order)
                case "clear":
                    self.faults.clear()
                case "enable":
                    self.enabled = order["value"]
                case "hops":  # value: 1..64, 0 = the system's own
                    self.hop_limit = order["value"]
                case "revoke":
                    self.tokens.clear()
                case "log":
                    return list(self.log)
                case _:
                    return {"error": "unknown op"}
        return {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    timeout = 60

    @property
    def state(self) -> State:
        assert isinstance(self.server, Server)
        return self.server.state

    def parse_request(self) -> bool:
        self.limit_hops(0)  # whoever asks again has received the last answer
        return super().parse_request()

    def limit_hops(self, hops: int) -> None:
        """Of what is sent on this connection from now on; 0: as many as usual."""
        if self.connection.family == socket.AF_INET:
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops or -1)

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, body: bytes, kind: str = "text/plain",
              headers: dict[str, str] | None = None) -> None:
        token = self.headers.get("X-aws-ec2-metadata-token")
        with self.state.lock:
            self.state.log.append({
                "at": time.time(), "method": self.command, "path": self.path, "status": status,
                "token": token is not None, "ttl": self.headers.get(TTL_HEADER),
                "port": self.client_address[1]})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, text: str) -> None:
        self.reply(status, ERROR.format(status, text).encode(), "text/html")

    def misbehave(self, fault: dict[str, Any]) -> None:
        kind = fault["kind"]
        if kind.isdigit():
            self.error(int(kind), "Scripted")
        elif kind == "html":
            self.reply(200, ERROR.format(200, "Not what you asked for").encode(), "text/html")
        elif kind == "empty":
            self.reply(200, b"")
        elif kind == "binary":
            self.reply(200, bytes(range(256)))
        elif kind == "oversized":
            self.reply(200, b"x" * (4 << 20))
        elif kind == "text":
            self.reply(int(fault.get("status", 200)), fault["body"].encode())
        elif kind == "redirect":
            self.reply(302, b"", headers={"Location": fault["to"]})
        elif kind == "truncated":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                             b"Content-Length: 400\r\n\r\ni-0trunc")
            self.close_connection = True
        elif kind == "slow":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n")
            for _ in range(60):
                self.wfile.write(b"i")
                time.sleep(1)  # that is the fault: a byte a second
        elif kind == "silence":
            # Until the client gives up: readable then means closed.
            self.connection.settimeout(120)
            self.connection.recv(1)
            self.close_connection = True
        elif kind == "close":
            self.close_connection = True
        else:
            raise ValueError(kind)

    def do_PUT(self) -> None:
        if fault := self.state.fault("PUT", self.path):
            return self.misbehave(fault)
        if not self.state.enabled or self.path != "/latest/api/token" or \
                self.headers.get("X-Forwarded-For"):
            return self.error(403, "Forbidden")
        ttl = self.headers.get(TTL_HEADER, "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return self.error(400, "Bad Request")
        token = secrets.token_urlsafe(40) + "=="
        with self.state.lock:
            self.state.tokens[token] = time.monotonic() + int(ttl)
        self.limit_hops(self.state.hop_limit)
        return self.reply(200, token.encode(), headers={TTL_HEADER: ttl})

    def do_GET(self) -> None:
        if fault := self.state.fault("GET", self.path):
            return self.misbehave(fault)
        if not self.state.enabled:
            return self.error(403, "Forbidden")
        with self.state.lock:
            left = self.state.tokens.get(self.headers.get("X-aws-ec2-metadata-token", ""), 0) \
                - time.monotonic()
        if left <= 0:
            return self.error(401, "Unauthorized")
        # A version by its date is as good as "latest" ("Instance metadata versions").
        path = re.sub(r"^/20\d\d-\d\d-\d\d(?=/)", "/latest", self.path.split("?")[0])
        value = self.state.values.get(path)
        if value is None:
            value = self.state.listing(path)
        if value is None:
            return self.error(404, "Not Found")
        return self.reply(200, value.encode(), headers={TTL_HEADER: str(int(left))})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.error(405, "Method Not Allowed")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, state: State, port: int = 80) -> None:
        self.state = state
        super().__init__((address, port), Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks the resolver for our own name

    def handle_error(self, *_: Any) -> None:
        pass  # clients that leave early are part of the tests


class Server6(Server):
    address_family = socket.AF_INET6


def main() -> None:
    state = State()
    for address in sys.argv[2:]:
        server = (Server6 if ":" in address else Server)(address, state)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    control.serve(sys.argv[1], state.do)


if __name__ == "__main__":
    main()
