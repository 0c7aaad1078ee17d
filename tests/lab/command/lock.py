"""The lock of a build folder's lab. `up` takes the lock before it changes anything and passes the
descriptor to the daemon: the lock is held without a gap until both have ended. The lock file is
beside the folder of the lab, because a new lab first removes that folder. The file has the pid of
the process to ask to end."""
from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import NamedTuple

from parts.wait import wait_until


class Holder(NamedTuple):
    held: bool
    pid: int  # 0: unknown, or no holder


def place(build: Path) -> Path:
    return build / "lab.lock"


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(build: Path) -> int | None:
    """Takes the lock and returns its descriptor; None if it is held."""
    fd = os.open(place(build), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    while not _try(fd, fcntl.LOCK_EX):
        # A reader holds the lock for a moment, shared.
        if not _try(fd, fcntl.LOCK_SH):
            os.close(fd)
            return None
        fcntl.flock(fd, fcntl.LOCK_UN)
    return fd


def sign(fd: int) -> None:
    """Makes this process the one to ask to end."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)


def adopt(fd: int) -> None:
    """Called by the daemon, with the inherited descriptor; its children do not inherit it."""
    os.set_inheritable(fd, False)
    sign(fd)


def look(build: Path) -> Holder:
    try:
        fd = os.open(place(build), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Holder(False, 0)
    try:
        if _try(fd, fcntl.LOCK_SH):
            return Holder(False, 0)
        pid = int(os.pread(fd, 20, 0) or b"0")
        # The pid may be stale, and may belong to another process now.
        return Holder(True, pid if _has_open(pid, os.fstat(fd)) else 0)
    finally:
        os.close(fd)


def _has_open(pid: int, file: os.stat_result) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            if os.path.samestat(os.stat(f"{folder}/{name}"), file):
                return True
    except OSError:
        pass  # the process has ended
    return False


def ask_to_end(build: Path) -> int | None:
    """Sends SIGTERM to the holder of the lock. Returns a descriptor of the process; None if the
    lock is free."""
    def known() -> Holder:
        who = look(build)
        if who.held and not who.pid:
            raise LookupError(who)
        return who
    pid = wait_until(known, "the lab says which process it is", 20).pid
    if not pid:
        return None
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if look(build).pid == pid:  # still the same holder
        signal.pidfd_send_signal(process, signal.SIGTERM)
    return process
