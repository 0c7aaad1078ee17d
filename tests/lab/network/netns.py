"""Network namespaces without a process: routers, gateways, and hosts that need only a network. A
descriptor of this process holds each namespace: it ends with the process, and has no name in the
file system. Programs that run inside have the machine's files and another network."""
from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping

from parts.host import CLONE_NEWNET, ENVIRONMENT, Host, within

_libc = ctypes.CDLL(None, use_errno=True)
SYSCTL = Path("/proc/sys/net")  # shows the namespace of the thread that opens it

# A namespace inherits the machine's IPv4 settings: every relevant setting is set here. The
# document's network has no IPv6. One retransmission for orphaned connections: otherwise a
# namespace whose peers have gone would live on for more than a minute.
RESERVED = (1024, 2049, 3306, 8080, 8099, 33000, 50000, 60999, 65000)
PLAIN: dict[str, int | str] = {
    "ipv4/ip_forward": 0,
    # The ports that R7 probes are never local ports of a connection: a listener needs them.
    "ipv4/ip_local_reserved_ports": ",".join(map(str, RESERVED)),
    **{f"ipv4/conf/{which}/{key}": 0 for which in ("all", "default")
       for key in ("rp_filter", "send_redirects", "accept_redirects", "proxy_arp")},
    "ipv4/tcp_orphan_retries": 1,
    "ipv6/conf/default/disable_ipv6": 1,
}
# Must be first: writing ip_forward resets other settings.
ROUTER: dict[str, int | str] = {**PLAIN, "ipv4/ip_forward": 1, "ipv6/conf/all/disable_ipv6": 1}


def _unshared() -> int:
    """The descriptor of a new namespace, made by a short-lived thread."""
    made: list[int] = []
    failed: list[OSError] = []

    def make() -> None:
        if _libc.unshare(CLONE_NEWNET) != 0:
            failed.append(OSError(ctypes.get_errno(), "unshare: no network namespace"))
            return
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


class Netns:
    """`settings`: sysctls below net/, like PLAIN and ROUTER."""

    def __init__(self, name: str, settings: Mapping[str, int | str] = ROUTER) -> None:
        self.name = name
        self._fd = _unshared()
        self.sysctl(settings)
        self.ip("link set lo up\n")

    @property
    def path(self) -> str:
        """A path for ip(8) and nsenter(1), valid while this process lives."""
        if self._fd < 0:
            raise RuntimeError(f"{self.name} is closed")
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def close(self) -> None:
        """Ends the namespace, with its devices and rules, when no program and no socket is left in
        it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextmanager
    def net(self) -> Iterator[None]:
        """The calling thread is inside of the namespace meanwhile."""
        with within(self._fd):
            yield

    def sysctl(self, settings: Mapping[str, int]) -> None:
        with self.net():
            write_sysctls(settings)

    def enter(self, *args: str) -> list[str]:
        """The command line prefix that runs a program inside."""
        return ["nsenter", f"--net={self.path}", "--", "env", "-i",
                *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *args]

    def run(self, *args: str, check: bool = True, timeout: float = 30.0,
            stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run_in(self, *args, check=check, timeout=timeout, stdin=stdin)

    def ip(self, lines: str) -> None:
        """Commands of ip(8), one per line, run by one process."""
        ip_in(self, lines)

    def nft(self, text: str) -> None:
        """Rules of nft(8), in one transaction."""
        self.run("nft", "-f", "-", stdin=text)

    def connect(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        """A TCP connection from inside."""
        with self.net():
            return socket.create_connection((address, port), timeout)


Holder = Host | Netns  # an object that can have a network device


def path_of(holder: Holder) -> str:
    return holder.path if isinstance(holder, Netns) else f"/proc/{holder.pid}/ns/net"


def run_in(holder: Holder, *args: str, check: bool = True, timeout: float = 30.0,
           stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a program of the machine in the holder's network: a child has the namespaces of the
    thread that starts it."""
    with holder.net():
        done = subprocess.run(args, input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout, cwd="/", env=ENVIRONMENT)
    if check and done.returncode != 0:
        raise RuntimeError(f"{holder.name}: {' '.join(args)}: exit {done.returncode}: "
                           f"{done.stdout}{done.stderr}")
    return done


def ip_in(holder: Holder, lines: str) -> None:
    run_in(holder, "ip", "-batch", "-", stdin=lines)


def write_sysctls(settings: Mapping[str, int | str]) -> None:
    """In the calling thread's namespace."""
    for name, value in settings.items():
        try:
            (SYSCTL / name).write_text(str(value), encoding="ascii")
        except FileNotFoundError:
            if not name.startswith("ipv6/"):  # a kernel without IPv6
                raise
