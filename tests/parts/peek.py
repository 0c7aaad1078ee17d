"""Tries all ways into another process that the kernel knows, and says what came
of each: run inside a host as the user in question (Host.run with the source as
`python3 -c`).

    peek.py PID ADDRESS FD...    ADDRESS: of readable memory of that process
    peek.py child                a child of its own, which may be looked into

Prints {"maps": "read", "mem": "EACCES" ...}."""
from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from typing import Callable

LENGTH = 8


class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def by_call(pid: int, address: int) -> None:
    """process_vm_readv(2)"""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(LENGTH)
    mine = Span(ctypes.addressof(buffer), LENGTH)
    theirs = Span(address, LENGTH)
    if libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) != LENGTH:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


def by_file(pid: int, address: int) -> None:
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        assert len(os.pread(fd, LENGTH, address)) == LENGTH
    finally:
        os.close(fd)


def whole(pid: int, name: str) -> None:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        file.read()


def descriptor(pid: int, fd: int) -> None:
    try:
        os.close(os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:  # a socket, which nobody can open anew: reached
            raise


def peek(pid: int, address: int, fds: list[int]) -> dict[str, str]:
    ways: dict[str, Callable[[], None]] = {
        "mem": lambda: by_file(pid, address),
        "process_vm_readv": lambda: by_call(pid, address),
        **{name: lambda name=name: whole(pid, name)  # type: ignore[misc]
           for name in ("environ", "maps", "auxv")},
        **{f"fd/{fd}": lambda fd=fd: descriptor(pid, fd)  # type: ignore[misc]
           for fd in fds}}
    result = {}
    for name, way in ways.items():
        try:
            way()
            result[name] = "read"
        except OSError as error:
            result[name] = errno.errorcode[error.errno or 0]
    return result


def child() -> dict[str, str]:
    secret = ctypes.create_string_buffer(b"secret", LENGTH)
    ended, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        os.read(ended, 1)
        os._exit(0)
    result = peek(pid, ctypes.addressof(secret), [ended])
    os.close(end)
    os.waitpid(pid, 0)
    return result


if __name__ == "__main__":
    if sys.argv[1] == "child":
        print(json.dumps(child()))
    else:
        print(json.dumps(peek(int(sys.argv[1]), int(sys.argv[2], 16),
                              [int(fd) for fd in sys.argv[3:]])))
