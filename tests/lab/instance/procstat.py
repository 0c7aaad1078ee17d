"""A /proc/stat for each instance, which shows only the load of this instance: by lxcfs with
--enable-cfs, which shows the CPU time of the reader's control group relative to its quota. lxcfs
finds the group through the first process of the reader's pid namespace; the group must have the
same name in cpu, cpuacct and cpuset."""
from __future__ import annotations

import subprocess
from pathlib import Path

from parts.host import ENVIRONMENT
from parts.wait import wait_until

INSIDE = "/var/lib/lab-stat"  # folder of the files on an instance
# Services with their own /proc (ProtectProc=) do not see a mount over the machine's /proc.
FOR_SERVICES = f"[Service]\nBindReadOnlyPaths={INSIDE}/stat:/proc/stat\n"

# lxcfs mounts its view of the control groups in /run/lxcfs: here in a mount namespace of its own,
# on a tmpfs that ends with it. Only mounts below the shared folder are visible outside. It ends
# when standard input closes, that is with the process that started it.
LXCFS = """
mount -t tmpfs -o mode=755 lab /run
lxcfs -f --enable-cfs -p /run/lxcfs.pid "$1" </dev/null &
read -r _
kill "$!"
wait
"""


class Lxcfs:
    """Must be made in the mount namespace in which the instances are made."""

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
        # Removes the rest of the file system's mount, and the mount that made it visible.
        for place in (self._mounted, self._shared):
            subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)
