"""How a test steers a stand-in at run time: one JSON object per line over a
Unix socket, one answer per line."""
from __future__ import annotations

import json
import os
import socket
import socketserver
from pathlib import Path
from typing import Any, Callable

from .wait import wait_until

Order = dict[str, Any]


def serve(path: str, do: Callable[[Order], Any]) -> None:
    """In the stand-in: answers orders for ever."""
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(json.dumps(do(json.loads(line))).encode() + b"\n")
                self.wfile.flush()

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    if os.path.exists(path):
        os.unlink(path)
    with Server(path, Handler) as server:
        server.serve_forever()


def ask(path: Path, order: Order, timeout: float = 20.0) -> Any:
    """In the test: gives one order, waits for the stand-in to be there."""
    def connected() -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(str(path))
        except OSError:
            peer.close()
            raise
        return peer

    with wait_until(connected, f"{path.name} is served", timeout) as peer:
        peer.settimeout(timeout)
        with peer.makefile("rwb") as file:
            file.write(json.dumps(order).encode() + b"\n")
            file.flush()
            return json.loads(file.readline())
