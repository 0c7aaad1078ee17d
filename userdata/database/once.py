"""The users of a database with IAM authentication are made by one node, once: the shared file system
has the record of it, and while a node is at it, its claim. Without the record a node reads the master
user's secret; with it no node does, at no boot.

The lock that keeps two nodes from changing the schema at once is the database's (schema.php). The
claim only keeps other nodes from reading the secret meanwhile, and may be late: NFS's locks are not
needed, which a file system of another kind would not share."""
from __future__ import annotations

import os
import time

LIMIT_S = 10 * 60  # systemd has ended the run of an older claim (TimeoutStartSec=)
WAIT_S = 10        # for another node's claim; it needs some seconds


class Once:
    """`folder`: a descriptor of the shared file system's root; `about`: a digest of the database.
    `writes`: the page's user may add rows. A user that may already keeps the right."""

    def __init__(self, folder: int, about: str, writes: bool) -> None:
        self._folder = folder
        names = [f".web-node-agent-{about}-{what}" for what in ("claim", "reads", "writes")]
        self._claim = names[0]
        self._record = names[2 if writes else 1]
        self._enough = names[2:] if writes else names[1:]

    def _exists(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            return True
        except FileNotFoundError:
            return False

    def _write(self, name: str) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                     dir_fd=self._folder)
        try:
            os.write(fd, os.uname().nodename.encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)

    def done(self) -> bool:
        return any(self._exists(name) for name in self._enough)

    def claim(self) -> bool:
        """Waits for another node that is at it; False if it does not end."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if self._left():
                self.release()
            try:
                self._write(self._claim)
                return True
            except FileExistsError:
                time.sleep(0.5)
        return False

    def _left(self) -> bool:
        """Whether the claim is of a run that has ended without release(): one of this node, of
        which systemd runs one at a time, or an old one."""
        try:
            fd = os.open(self._claim, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                         dir_fd=self._folder)
        except FileNotFoundError:
            return False
        try:
            node = os.read(fd, 256).decode(errors="replace").strip()
            return node == os.uname().nodename or abs(time.time() - os.fstat(fd).st_mtime) > LIMIT_S
        finally:
            os.close(fd)

    def release(self) -> None:
        try:
            os.unlink(self._claim, dir_fd=self._folder)
        except FileNotFoundError:
            pass

    def record(self) -> None:
        try:
            self._write(self._record)
        except FileExistsError:
            pass
