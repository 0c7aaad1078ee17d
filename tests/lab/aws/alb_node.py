"""A node of the load balancer: HAProxy on the node's host. Its runtime socket assigns targets to
servers and enables their requests.

bring() compares the desired configuration with HAProxy's and sends the difference. A failed
command stays a difference, and is sent again the next time."""
from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import Iterable

from parts.host import Host
from parts.process import Process

from .targets import Target

SOCKET = "/run/haproxy.sock"
SLOTS = 64
READY, DRAIN = "ready", "drain"
ANSWER_S = 5.0
ANSWER_BYTES = 1 << 20  # enough for a table of SLOTS lines


@dataclass
class Slot:
    """One of HAProxy's servers. `place` and `state`: the last values sent."""
    number: int
    place: tuple[str, int] | None = None
    state: str = ""


@dataclass
class Node:
    zone: str
    host: Host
    process: Process | None = None
    slots: dict[str, Slot] = field(default_factory=dict)  # by target

    def command(self, *lines: str) -> str:
        """Commands of HAProxy's runtime API, on one connection."""
        deadline = time.monotonic() + ANSWER_S
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(ANSWER_S)
            peer.connect(str(self.host.path(SOCKET)))
            peer.sendall((";".join(lines) + "\n").encode())
            answer = b""
            while part := peer.recv(65536):
                answer += part
                if len(answer) > ANSWER_BYTES or time.monotonic() > deadline:
                    raise RuntimeError(f"haproxy: {lines}: an answer without end")
        text = answer.decode()
        if "No such" in text or "Unknown" in text or "Invalid" in text:
            raise RuntimeError(f"haproxy: {lines}: {text.strip()}")
        return text

    def bring(self, targets: Iterable[Target], routed: Iterable[str], port: int) -> None:
        """Gives every target a server and enables the routed targets. Enables before it
        disables."""
        if self.process and not self.process.running():
            words = self.process.output().strip().splitlines()
            raise RuntimeError(f"haproxy has ended; its last log line: {words[-1] if words else '-'}")
        wanted, sent = {target.id: target for target in targets}, set(routed)
        for name in self.slots.keys() - wanted.keys():  # drained targets
            self._remove(name)
        for target in wanted.values():
            self._place(target, port)
        for state in (READY, DRAIN):
            slots = [slot for name, slot in self.slots.items() if name in wanted
                     and state == (READY if name in sent else DRAIN) != slot.state]
            if slots:
                self.command(*(f"set server targets/t{slot.number} state {state}"
                               for slot in slots))
                for slot in slots:
                    slot.state = state

    def _place(self, target: Target, port: int) -> None:
        slot = self.slots.get(target.id)
        if slot is None:
            free = set(range(1, SLOTS + 1)) - {slot.number for slot in self.slots.values()}
            if not free:
                raise RuntimeError(f"the lab's load balancer has room for {SLOTS} targets")
            slot = self.slots[target.id] = Slot(min(free))
        if slot.place != (target.address, port):
            self.command(f"set server targets/t{slot.number} addr {target.address} port {port}")
            slot.place = target.address, port

    def _remove(self, name: str) -> None:
        """Cuts the requests that are still in flight (502 at an ALB)."""
        number = self.slots[name].number
        self.command(f"set server targets/t{number} state maint",
                     f"shutdown sessions server targets/t{number}")
        del self.slots[name]
