"""The shared file system, and the page, which is written to it once; an existing file is never
replaced.

The agent has verified the file system. A descriptor of its root is used: if the file system is
unmounted meanwhile, nothing is written to the bare directory."""
from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from typing import Iterator, Optional

import files

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "index.php")
DONE = "/run/web-node-agent-database/page"
FOLDER = "/var/www/html/efs"
NAME = "index.php"
SHARED = ("nfs", "nfs4", "fuse")
WAIT_S = 120
JOB_IS_OFF = 7  # exit status of wnactl wait: this stack mounts nothing


class NotYet(Exception):
    pass


def unescape(field: str) -> str:
    """proc(5), mountinfo: spaces and other special characters are octal."""
    return field.encode("latin-1").decode("unicode_escape")


def mounted() -> str:
    """The device (major:minor) of the shared file system at FOLDER; "" if none is mounted."""
    device = ""
    with open("/proc/self/mountinfo", encoding="latin-1") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind = after.split()[0].split(".")[0]
            if unescape(before.split()[4]) == FOLDER:
                device = before.split()[2] if kind in SHARED else ""
    return device


def put(folder: int) -> bool:
    """Writes the page. Returns False if another node was first."""
    temporary = f".{NAME}.{os.uname().nodename}.{os.getpid()}"
    try:
        os.stat(NAME, dir_fd=folder, follow_symlinks=False)
        return False
    except FileNotFoundError:
        pass
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644,
                 dir_fd=folder)
    try:
        with open(SOURCE, "rb") as source, os.fdopen(fd, "wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        try:
            os.link(temporary, NAME, src_dir_fd=folder, dst_dir_fd=folder)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
        # No hard links on this file system. Two nodes may both arrive here; they write the same
        # contents.
        os.rename(temporary, NAME, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    finally:
        try:
            os.unlink(temporary, dir_fd=folder)
        except FileNotFoundError:
            pass


def placed() -> bool:
    return files.age(DONE) != float("inf")


@contextlib.contextmanager
def shared() -> Iterator[Optional[int]]:
    """A descriptor of the shared file system's root; None if this stack mounts nothing. Waits for the
    mount; may block on the file system."""
    waited = subprocess.run(["wnactl", "wait", "--for", "mounted", "--timeout", str(WAIT_S)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, timeout=WAIT_S + 30, check=False)
    if waited.returncode == JOB_IS_OFF:
        yield None
        return
    device = mounted() if waited.returncode == 0 else ""
    if not device:
        raise NotYet("the shared file system is not mounted yet")
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        opened = os.fstat(folder).st_dev
        if f"{os.major(opened)}:{os.minor(opened)}" != device:
            raise NotYet("the shared file system was unmounted")
        yield folder
    finally:
        os.close(folder)


def place() -> None:
    """Runs once per boot."""
    if placed():
        return
    with shared() as folder:
        if folder is None:
            return
        if put(folder):
            print(f"page: {FOLDER}/{NAME} is in place", flush=True)
    files.write(DONE, "", 0o600)
