"""systemd's side of sd_notify(3) and of the descriptor store, without systemd:
receives READY, STATUS, WATCHDOG and so on, keeps the descriptors that a service
stores, and hands them out again."""
from __future__ import annotations

import array
import os
import socket
import threading
from pathlib import Path


def descriptors(control: list[tuple[int, int, bytes]]) -> list[int]:
    """Those that came with a message (SCM_RIGHTS)."""
    fds: list[int] = []
    for level, kind, payload in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            part = array.array("i")
            part.frombytes(payload[:len(payload) - len(payload) % part.itemsize])
            fds += part
    return fds


def assignments(data: bytes) -> dict[str, str]:
    """A message's lines NAME=value."""
    return dict(line.split("=", 1) for line in data.decode(errors="replace").split("\n")
                if "=" in line)


class NotifySocket:
    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._lock = threading.Lock()
        self.messages: list[dict[str, str]] = []
        self.stored: list[tuple[str, int]] = []
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        while True:
            try:
                data, control, _, _ = self._socket.recvmsg(8192, socket.CMSG_SPACE(16 * 4),
                                                           socket.MSG_CMSG_CLOEXEC)
            except OSError:
                return
            if not data:
                return
            message, fds = assignments(data), descriptors(control)
            with self._lock:
                self.messages.append(message)
                name = message.get("FDNAME", "stored")
                if message.get("FDSTOREREMOVE") == "1":
                    for old in [s for s in self.stored if s[0] == name]:
                        os.close(old[1])
                        self.stored.remove(old)
                elif message.get("FDSTORE") == "1":
                    self.stored += [(name, fd) for fd in fds]
                    fds = []
            for fd in fds:
                os.close(fd)

    def since(self, start: int = 0) -> list[dict[str, str]]:
        with self._lock:
            return self.messages[start:]

    def said(self, key: str, value: str | None = None, start: int = 0) -> bool:
        return any(key in m and value in (None, m[key]) for m in self.since(start))

    def status(self) -> str:
        """The last STATUS=."""
        return next((m["STATUS"] for m in reversed(self.since()) if "STATUS" in m), "")

    def close(self) -> None:
        self._socket.close()
        with self._lock:
            for _, fd in self.stored:
                os.close(fd)
            self.stored = []
