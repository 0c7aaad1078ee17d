"""Who has the lab of a build folder. Whoever brings it up takes a lock before anything is
touched and hands the descriptor to the daemon, so that the lock is held without a gap until
the last of the two has ended, however it ends. The file is beside the folder that a new lab
begins by removing, and says which process is to be asked to end.
"""
from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import NamedTuple

from parts.wait import wait_until


class Holder(NamedTuple):
    held: bool
    pid: int  # 0: nobody's, or not known yet


def place(build: Path) -> Path:
    return build / "lab.lock"


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(build: Path) -> int | None:
    """The lock, as a descriptor; None if somebody has it."""
    fd = os.open(place(build), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    while not _try(fd, fcntl.LOCK_EX):
        # Who only looks holds it for a moment, and shared.
        if not _try(fd, fcntl.LOCK_SH):
            os.close(fd)
            return None
        fcntl.flock(fd, fcntl.LOCK_UN)
    return fd


def sign(fd: int) -> None:
    """From now on this process is the one to be asked to end."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)


def adopt(fd: int) -> None:
    """By the daemon, with the descriptor it was started with: none of its children gets it."""
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
        # The number may be a predecessor's, and somebody else's by now.
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
        pass  # it has ended
    return False


def ask_to_end(build: Path) -> int | None:
    """SIGTERM for whoever has the lock. A descriptor of that process, or None if the lock
    has become free."""
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
    if look(build).pid == pid:  # it is still the one that was meant
        signal.pidfd_send_signal(process, signal.SIGTERM)
    return process
