"""Small files, read with suspicion and written as a whole or not at all."""
from __future__ import annotations

import glob
import grp
import os
import stat
import time
from typing import Optional

LIMIT = 64 << 10


def text(path: str) -> str:
    """What is in a regular file, "" if there is none; a link, a FIFO or something endless in
    its place is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(LIMIT).decode(errors="replace")


def assignments(path: str) -> dict[str, str]:
    """Lines NAME=value."""
    pairs = (line.split("=", 1) for line in text(path).splitlines()
             if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def age(path: str) -> float:
    """Seconds since it was written; endless if it is not there. From the future, where it was
    written before the clock was set back, it is as far away as from the past."""
    try:
        return abs(time.time() - os.lstat(path).st_mtime)
    except OSError:
        return float("inf")


def group(name: str) -> Optional[int]:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _same(path: str, data: bytes, mode: int, gid: int) -> bool:
    try:
        found = os.lstat(path)
        return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == mode and \
            (found.st_uid, found.st_gid) == (0, gid) and text(path).encode() == data
    except OSError:
        return False


def write(path: str, content: str, mode: int, gid: int = 0, anew: bool = False) -> bool:
    """Root's file with this content, owner and mode from its first moment under that name,
    and after a power cut the old or the new one. Whether it was written: not if it was so
    already, except `anew`."""
    data = content.encode()
    if not anew and _same(path, data, mode, gid):
        return False
    folder, temporary = os.path.dirname(path), f"{path}.new-{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchown(fd, 0, gid)
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)
    return True


def remove_others(prefix: str, keep: str, older_s: float) -> None:
    """Files prefix* but prefix+keep that are so old; what a killed run left is among them."""
    for path in glob.glob(glob.escape(prefix) + "*"):
        if path != prefix + keep and age(path) > older_s:
            os.unlink(path)
