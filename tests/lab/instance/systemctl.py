"""A stand-in for systemd in an instance: its first process is parts/holder.py, so units are
run by this one, which the lab starts in it, and `systemctl` (systemctl_client.py) speaks to it.

Real: the unit files are the ones installed, read by systemctl_files.py; services of Type simple, exec,
notify (with NOTIFY_SOCKET, watchdog and descriptor store) and oneshot, their restarts and
limits; PathChanged= by inotify; timers with their random delay; Requires=, Wants=, After=,
Before= among the jobs at hand; enable's links.

Not as systemd does it: no boot (nothing is started by targets), no control group per unit (a
unit's processes are those of the sessions its processes began), no journal (a file per unit in
/var/log/units), no sandbox: what systemctl_files.KNOWN does not have is not honoured, and is listed in
`systemctl show -p LabIgnored` and in the runner's log. Conflicts=, BindsTo=, sockets, mounts,
templates and aliases are unknown.

    python -m lab.instance.systemctl               the runner; ends with SIGTERM, units as they are
    python -m lab.instance.systemctl_client ...    systemctl
"""
from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from parts.notify import assignments, descriptors

from .systemctl_client import SOCKET
from .systemctl_files import BadUnit
from .systemctl_jobs import Jobs, Refused
from .systemctl_triggers import Triggers
from .systemctl_units import Service, Unit

NOTIFY = "/run/systemd/notify"
LOGS = "/var/log/units"
ORDER_BYTES = 1 << 16  # the longest that systemctl's stand-in gives is a few hundred


class Runner:
    """One thread, one loop. `root` is "" but in tests."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.logs = Path(root + LOGS)
        self.notify = root + NOTIFY
        self.boot = time.monotonic()
        for folder in (self.logs, Path(root + "/run/systemd/system"),
                       Path(root + "/etc/systemd/system")):
            folder.mkdir(parents=True, exist_ok=True)
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.jobs = Jobs(self)
        self.triggers = Triggers(self)
        self.ended = False
        self._listen(root + SOCKET)
        self._listen_notify()
        self._signals()

    def say(self, text: str) -> None:
        print(text, flush=True)

    # Manager, as units see it

    def settled(self, unit: Unit, ok: bool, why: str) -> None:
        self.jobs.settled(unit, ok, why)

    def changed(self, unit: Unit) -> None:
        self.say(f"{unit.name}: {unit.state} ({unit.sub})"
                 + (f", {unit.result}" if unit.state == "failed" else ""))
        self.triggers.changed(unit)

    # the loop

    def run(self) -> None:
        while not self.ended:
            self.jobs.dispatch()
            wait = self._deadline()
            for key, _ in self.selector.select(wait):
                key.data()
            self._late()
        self.selector.close()

    def _deadline(self) -> float | None:
        known = [at for unit in self.jobs.units.values()
                 if isinstance(unit, Service) and (at := unit.deadline()) is not None]
        if (at := self.triggers.deadline()) is not None:
            known.append(at)
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _late(self) -> None:
        now = time.monotonic()
        for unit in list(self.jobs.units.values()):
            if isinstance(unit, Service) and (at := unit.deadline()) is not None and at <= now:
                unit.late()
        self.triggers.late(now)

    # children

    def _signals(self) -> None:
        read, write = socket.socketpair()
        for end in (read, write):
            end.setblocking(False)
        signal.set_wakeup_fd(write.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._wake = (read, write)

        def woken() -> None:
            read.recv(4096)
            self._reap()
        self.selector.register(read, selectors.EVENT_READ, woken)

    def _stop(self, *_: object) -> None:
        self.ended = True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            # What it said last comes first: "READY=1" of one that ends at once.
            self._notified()
            for unit in list(self.jobs.units.values()):
                if isinstance(unit, Service):
                    unit.exited(pid, status)

    # sd_notify(3)

    def _listen_notify(self) -> None:
        Path(self.notify).unlink(missing_ok=True)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._notify.bind(self.notify)
        os.chmod(self.notify, 0o666)
        self.selector.register(self._notify, selectors.EVENT_READ, self._notified)

    def _notified(self) -> None:
        room = socket.CMSG_SPACE(16 * 4) + socket.CMSG_SPACE(12)
        while True:
            try:
                data, control, _, _ = self._notify.recvmsg(8192, room, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            fds, words = descriptors(control), assignments(data)
            pid = next((int.from_bytes(payload[:4], sys.byteorder, signed=True)
                        for level, kind, payload in control if (level, kind) ==
                        (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)), 0)
            for unit in self.jobs.units.values():
                if isinstance(unit, Service) and unit.owns(pid):
                    fds = unit.message(pid, words, fds)
            for fd in fds:
                os.close(fd)

    # systemctl

    def _listen(self, path: str) -> None:
        """The name appears when it is answered at."""
        new = path + ".new"
        Path(new).unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._server.bind(new)
        os.chmod(new, 0o600)
        self._server.listen(64)
        os.rename(new, path)
        self.selector.register(self._server, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        peer, _ = self._server.accept()
        buffer = bytearray()

        def readable() -> None:
            try:
                data = peer.recv(65536)
            except OSError:
                data = b""
            buffer.extend(data)
            if data and not buffer.endswith(b"\n") and len(buffer) <= ORDER_BYTES:
                return
            self.selector.unregister(peer)
            try:
                order = json.loads(buffer)
            except ValueError:  # nobody's order: whoever it was has gone, or is no systemctl
                peer.close()
            else:
                self._serve(peer, order)
        self.selector.register(peer, selectors.EVENT_READ, readable)

    def _serve(self, peer: socket.socket, order: dict[str, Any]) -> None:
        def reply(answer: dict[str, Any]) -> None:
            try:
                peer.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                pass  # whoever asked has gone
            peer.close()
        try:
            self.jobs.order(order, reply)
        except (Refused, BadUnit, OSError) as error:
            reply({"error": str(error)})


if __name__ == "__main__":
    Runner().run()
