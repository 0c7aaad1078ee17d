"""Small files: safe reading of untrusted files, atomic writing."""
from __future__ import annotations

import glob
import grp
import os
import stat
import time
from typing import Optional

LIMIT = 64 << 10


def text(path: str) -> str:
    """The contents of a regular file, up to LIMIT bytes. "" if the file is missing, a symbolic
    link, a FIFO or another special file."""
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
    """Seconds since the file was written; infinite if it is missing. A time in the future (the
    clock was set back) counts as equally far in the past."""
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
    """Writes a file of root with this content, mode and group, atomically, also over a power
    cut. Returns False if the file was the same already and was not written; with `anew` it is
    always written."""
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
    """Removes the files prefix* that are older than this, except prefix+keep. Temporary files of
    a killed run are among them."""
    for path in glob.glob(glob.escape(prefix) + "*"):
        if path != prefix + keep and age(path) > older_s:
            os.unlink(path)
