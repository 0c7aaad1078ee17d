"""The way into the virtual machine that does not use its network: QEMU's guest agent, over a
serial port (QEMU, "Guest Agent Protocol Reference"). No instance on AWS has it."""
from __future__ import annotations

import base64
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

from parts.wait import wait_until

PACE_S = 0.2  # of looking at a machine: that is work for it, and it is slow


class GuestAgent:
    """One request at a time; any thread. `path`: the socket that QEMU listens on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._left = b""

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket, self._left = None, b""

    def _line(self, deadline: float) -> dict[str, Any]:
        assert self._socket
        while b"\n" not in self._left:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the guest agent says nothing")
            self._socket.settimeout(left)
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the machine has ended")
            self._left += more
        line, _, self._left = self._left.partition(b"\n")
        # 0xff comes before the answer to guest-sync-delimited.
        return dict(json.loads(line.rpartition(b"\xff")[2]))

    def _connect(self, deadline: float) -> None:
        """Answers to whoever asked before are read away."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._path))
        number = time.monotonic_ns() % 1_000_000_000
        self._socket.sendall(b"\xff" + json.dumps(
            {"execute": "guest-sync-delimited", "arguments": {"id": number}}).encode() + b"\n")
        while True:
            try:
                if self._line(deadline).get("return") == number:
                    return
            except ValueError:
                continue

    def ask(self, command: str, timeout: float = 60.0, **arguments: Any) -> Any:
        with self._lock:
            deadline = time.monotonic() + timeout
            try:
                if self._socket is None:
                    self._connect(deadline)
                assert self._socket
                self._socket.sendall(json.dumps(
                    {"execute": command, "arguments": arguments}).encode() + b"\n")
                answer = self._line(deadline)
            except OSError:
                self._drop()
                raise
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error'].get('desc')}")
        return answer["return"]

    def there(self) -> bool:
        """Whether it answers now."""
        self.ask("guest-ping", timeout=5)
        return True

    def sh(self, script: str, check: bool = True, timeout: float = 180.0) -> str:
        """What a shell of root's in the machine prints, standard error too."""
        pid = self.ask("guest-exec", path="/bin/sh", arg=["-c", f"exec 2>&1\n{script}"],
                       env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"],
                       **{"capture-output": True})["pid"]

        def ended() -> dict[str, Any] | None:
            status = self.ask("guest-exec-status", pid=pid)
            return dict(status) if status["exited"] else None
        status = wait_until(ended, f"in the machine: {script}", timeout, PACE_S)
        said = base64.b64decode(status.get("out-data", "")).decode(errors="replace")
        if check and status.get("exitcode") != 0:
            raise RuntimeError(f"in the machine: {script}: exit {status.get('exitcode')}: {said}")
        return said
