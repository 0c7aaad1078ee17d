"""Each instance's own /proc/stat, so that load on one is that one's figure and nobody else's: by
lxcfs, which with --enable-cfs shows the time of the reader's control group against its quota. It
knows the reader by its pid namespace's first process, whose group must have the same name in cpu,
cpuacct and cpuset.
"""
from __future__ import annotations

import subprocess
from pathlib import Path

from parts.host import ENVIRONMENT
from parts.wait import wait_until

INSIDE = "/var/lib/lab-stat"  # where the folder with the files is in an instance
# Services with a /proc of their own (ProtectProc=) do not see what lies over the machine's.
FOR_SERVICES = f"[Service]\nBindReadOnlyPaths={INSIDE}/stat:/proc/stat\n"

# lxcfs keeps its own view of the control groups in /run/lxcfs: in a mount namespace of its own
# that is a tmpfs which ends with it. Only what it mounts below the shared folder comes out.
# It ends when standard input does, which is when whoever started it ends.
LXCFS = """
mount -t tmpfs -o mode=755 lab /run
lxcfs -f --enable-cfs -p /run/lxcfs.pid "$1" </dev/null &
read -r _
kill "$!"
wait
"""


class Lxcfs:
    """To be made in the mount namespace that the instances are made from."""

    def __init__(self, folder: Path) -> None:
        shared = folder / "lxcfs"
        self._mounted = shared / "mnt"
        self._mounted.mkdir(parents=True, exist_ok=True)
        self._shared = shared
        subprocess.run(["mount", "--bind", str(shared), str(shared)], check=True)
        subprocess.run(["mount", "--make-shared", str(shared)], check=True)
        with (folder / "lxcfs.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", LXCFS, "lxcfs",
                 str(self._mounted)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=ENVIRONMENT, cwd="/", start_new_session=True)
        self.bind = (self._mounted / "proc", INSIDE, "rw")

        def there() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"lxcfs ended: {(folder / 'lxcfs.log').read_text()[-300:]}")
            return (self._mounted / "proc/stat").exists()
        try:
            wait_until(there, "lxcfs serves", 10)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
        # What the file system's end left of its mount, and the one that made it visible.
        for place in (self._mounted, self._shared):
            subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)
