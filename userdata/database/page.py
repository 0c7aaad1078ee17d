"""The page, put onto the shared file system once and never over anything.

Only onto the file system that the agent has proved to be the right one, through a
descriptor of its root: should it be unmounted meanwhile, nothing is written below."""
from __future__ import annotations

import errno
import os
import shutil
import subprocess

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
    """proc(5), mountinfo: blanks and the like are octal."""
    return field.encode("latin-1").decode("unicode_escape")


def mounted() -> str:
    """The device, as major:minor, of the shared file system at FOLDER; "" if none is there."""
    device = ""
    with open("/proc/self/mountinfo", encoding="latin-1") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind = after.split()[0].split(".")[0]
            if unescape(before.split()[4]) == FOLDER:
                device = before.split()[2] if kind in SHARED else ""
    return device


def put(folder: int) -> bool:
    """Whether it was us: whoever is first has it."""
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
        # No hard links here. Between the look above and this lie milliseconds, and what two
        # nodes write in them is the same.
        os.rename(temporary, NAME, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    finally:
        try:
            os.unlink(temporary, dir_fd=folder)
        except FileNotFoundError:
            pass


def placed() -> bool:
    return files.age(DONE) != float("inf")


def place() -> None:
    """Once per boot. Waits for the mount, and may then block on the file system."""
    if placed():
        return
    waited = subprocess.run(["wnactl", "wait", "--for", "mounted", "--timeout", str(WAIT_S)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, timeout=WAIT_S + 30, check=False)
    if waited.returncode == JOB_IS_OFF:
        return
    device = mounted() if waited.returncode == 0 else ""
    if not device:
        raise NotYet("page: the shared file system is not mounted yet")
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        opened = os.fstat(folder).st_dev
        if f"{os.major(opened)}:{os.minor(opened)}" != device:
            raise NotYet("page: the shared file system went away")
        if put(folder):
            print(f"page: {FOLDER}/{NAME} is in place", flush=True)
    finally:
        os.close(folder)
    files.write(DONE, "", 0o600)
