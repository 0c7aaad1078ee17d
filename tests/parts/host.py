"""Hosts: one net, mount, pid and uts namespace each, on a switch that leads
nowhere. A host ends with its holder (holder.py), and the holder with us."""
from __future__ import annotations

import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from .process import Process

HOLDER = Path(__file__).with_name("holder.py")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child=SIGKILL",
           "/usr/bin/python3", "-I", "-S")
# Run before a program: it and all its children are in the control groups named, and
# "--" ends their list. By exec, so that the process stays the one that was started.
JOIN = ('while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; '
        'shift; exec "$@"')


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def within(namespace: int) -> Iterator[None]:
    """The calling thread is in a network namespace, given as a descriptor, meanwhile:
    sockets made here stay there, and programs started here live there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(namespace)
        yield
    finally:
        _setns(back)
        os.close(back)


def joining(cgroups: list[Path], command: list[str]) -> list[str]:
    """The command line that enters control groups first; version 1 or 2, whose
    interface is the same here (cgroups(7))."""
    if not cgroups:
        return command
    return ["sh", "-c", JOIN, "sh", *map(str, cgroups), "--", *command]


def child(pid: int) -> int:
    """The only child of a process that has one."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def strays(namespaces: list[int]) -> list[str]:
    """Processes that live in one of these namespaces, given as descriptors."""
    wanted = {(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in namespaces}
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            for kind in ("net", "pid"):
                try:
                    status = os.stat(f"/proc/{entry}/ns/{kind}")
                    if (status.st_dev, status.st_ino) in wanted:
                        name = Path(f"/proc/{entry}/comm").read_text().strip()
                        found.append(f"{entry} {name} ({kind})")
                except OSError:
                    pass
    return found


class Host:
    """`copies`: folders whose contents are laid over the machine's root (the
    installed agent). `binds`: (from, to, "ro" or "rw"). `cgroups`: the folders of the
    control groups in which everything of the host lives; they are the caller's."""

    def __init__(self, name: str, logs: Path, copies: list[Path] | None = None,
                 binds: list[tuple[Path, str, str]] | None = None,
                 cgroups: list[Path] | None = None) -> None:
        self.name = name
        self.logs = logs
        self.cgroups = cgroups or []
        self.processes: list[Process] = []
        self.address = ""
        plan = {"name": name, "copies": [str(p) for p in copies or []],
                "binds": [[str(a), b, c] for a, b, c in binds or []]}
        with (logs / f"{name}.holder.log").open("ab") as log:
            self._holder = subprocess.Popen(
                self._holding(plan), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                bufsize=0, env=ENVIRONMENT, cwd="/", start_new_session=True)
        self._pid = 0
        self._held: list[int] = []

    def _holding(self, plan: dict[str, Any]) -> list[str]:
        """The command line of the holder."""
        return joining(self.cgroups, [*UNSHARE, str(HOLDER), json.dumps(plan)])

    def _hear(self, word: str, timeout: float) -> None:
        """Waits until the holder says so."""
        assert self._holder.stdout
        deadline = time.monotonic() + timeout
        line = b""
        while line != f"{word}\n".encode():
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._holder.stdout], [], [], max(left, 0))
            line = self._holder.stdout.readline() if ready else b""
            if line in (b"", b"ended\n") and line != f"{word}\n".encode():
                log = (self.logs / f"{self.name}.holder.log").read_text(errors="replace")
                raise RuntimeError(f"host {self.name} is not {word}: {log}")

    def _find(self) -> int:
        """The holder, as seen from outside: unshare's only child."""
        return child(self._holder.pid)

    @property
    def pid(self) -> int:
        """The holder, as seen from outside; waits until the host is ready."""
        if not self._pid:
            self._hear("ready", 20)
            self._pid = self._find()
            # Held open, so that their numbers are not given to others before the
            # last look around (strays).
            self._held = [os.open(f"/proc/{self._pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                          for kind in ("net", "pid")]
        return self._pid

    def close(self) -> None:
        """Ends every process of the host and the host itself; none may be left."""
        if self._holder.stdin:
            self._holder.stdin.close()
        for process in self.processes:
            process.wake()  # or the kernel waits for it to collect its dead child
        try:
            self._holder.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._holder.pid, signal.SIGKILL)  # with it the namespaces' PID 1
            self._holder.wait(5)
        if self._holder.stdout:
            self._holder.stdout.close()
        for process in self.processes:
            process.reap(5)
        left = strays(self._held)
        for fd in self._held:
            os.close(fd)
        self._held = []
        assert not left, f"{self.name}: processes left behind: {left}"

    # programs

    def enter(self, *args: str) -> list[str]:
        """The command line that runs a program inside."""
        return joining(self.cgroups, [
            "nsenter", "-t", str(self.pid), "-m", "-u", "-n", "-p", "-r", "-w",
            "--", "env", "-i", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *args])

    def run(self, *args: str, check: bool = True, timeout: float = 30.0,
            stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.enter(*args), input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout, cwd="/")
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(args)}: exit {done.returncode}: "
                               f"{done.stdout}{done.stderr}")
        return done

    def sh(self, script: str, check: bool = True, timeout: float = 30.0) -> str:
        return self.run("bash", "-euc", script, check=check, timeout=timeout).stdout

    def spawn(self, *args: str, log: str, stdin: int | None = None,
              pass_fds: tuple[int, ...] = ()) -> Process:
        process = Process(self.enter(*args), self.logs / f"{self.name}.{log}.log", stdin, pass_fds)
        self.processes.append(process)
        return process

    def python(self, module: str, *args: str, log: str, interpreter: str = "/usr/bin/python3"
               ) -> Process:
        """A stand-in: a module of this package; the tests' folder is bound to /lab."""
        return self.spawn("PYTHONPATH=/lab", "PYTHONDONTWRITEBYTECODE=1", interpreter,
                          "-m", module, *args, log=log)

    # files and processes, seen from outside

    def path(self, path: str) -> Path:
        """A path of the host, usable from outside. Absolute links do not work."""
        return Path(f"/proc/{self.pid}/root{path}")

    def read(self, path: str) -> str:
        """Follows the host's links, which path() cannot."""
        done = self.run("cat", path, check=False)
        if done.returncode != 0:
            raise FileNotFoundError(path)
        return done.stdout

    def write(self, path: str, text: str | bytes, mode: int = 0o644, owner: int = 0) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        os.chown(place, owner, owner)
        place.chmod(mode)

    def ps(self, name: str | None = None) -> dict[int, str]:
        """The host's processes, outside pid → path of the executable. Zombies
        and kernel threads have none and are left out."""
        found = {}
        own = os.readlink(f"/proc/{self.pid}/ns/pid")
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") != own:
                    continue
                exe = os.readlink(f"/proc/{entry}/exe")
            except OSError:
                continue
            if name is None or os.path.basename(exe) == name:
                found[int(entry)] = exe
        return found

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        """By outside pid, and only if it is this host's."""
        assert pid in self.ps(), f"{pid} is not a process of {self.name}"
        os.kill(pid, number)

    # network

    @contextmanager
    def net(self) -> Iterator[None]:
        """The calling thread is in the host's network meanwhile: sockets made
        here stay there."""
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with within(there):
                yield
        finally:
            os.close(there)

    def connect(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        """A TCP connection made from this host."""
        with self.net():
            return socket.create_connection((address, port), timeout)

    def cut(self, rule: str) -> None:
        """Drops packets silently: an nftables match, "tcp dport 3306", for both
        directions; "" drops everything but loopback."""
        text = "add table inet lab\n"
        for hook in ("input", "output"):
            text += (f"add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}\n"
                     f"add rule inet lab {hook} iif != lo {rule} drop\n" if hook == "input" else
                     f"add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}\n"
                     f"add rule inet lab {hook} oif != lo {rule} drop\n")
        self.run("nft", "-f", "-", stdin=text)

    def mend(self) -> None:
        """Takes all cuts back."""
        self.run("nft", "-f", "-", stdin="add table inet lab\ndelete table inet lab\n")


class Switch:
    """The network: a bridge in a host of its own. No link leads to the machine's."""

    def __init__(self, logs: Path) -> None:
        self.host = Host("switch", logs)
        self.host.run("ip", "link", "add", "lan", "type", "bridge", "forward_delay", "0")
        self.host.run("ip", "link", "set", "lan", "up")
        self._ports = 0

    def _outside(self, host: Host, *args: str) -> None:
        """Runs ip in a host's network, but with the machine's /proc, so that
        another host can be named by its outside pid."""
        subprocess.run(["nsenter", "-t", str(host.pid), "-n", "ip", *args], check=True)

    def attach(self, host: Host, *addresses: str, bits: int = 16) -> None:
        """Plugs a host in as eth0 with these addresses."""
        self._ports += 1
        port = f"p{self._ports}"
        self._outside(self.host, "link", "add", port, "type", "veth", "peer", "name", "eth0",
                      "netns", str(host.pid))
        script = "".join(f"ip address add {a}/{bits} dev eth0; " for a in addresses)
        host.sh(script + "ip link set eth0 up")
        self.host.sh(f"ip link set {port} master lan up")
        host.address = addresses[0]

    def wire(self, host: Host, device: str, server: Host, address: str) -> None:
        """A cable of its own from a host to a server with a link-local address,
        directly connected as the metadata service is."""
        self._outside(server, "link", "add", "eth0", "type", "veth", "peer", "name", device,
                      "netns", str(host.pid))
        server.sh(f"ip address add {address}/32 dev eth0; ip link set eth0 up; "
                  f"ip route add {host.address}/32 dev eth0")
        host.sh(f"ip link set {device} up; ip route add {address}/32 dev {device} src {host.address}")
        server.address = address

    def close(self) -> None:
        self.host.close()
