"""The shared file system. In the demo, where the kernel has an NFS
server, it is real NFSv4.1 from a host of its own; otherwise a stand-in by configuration: bindfs (FUSE)
over one folder that all hosts see. Like NFS the stand-in is served by another
process, so it can fall silent: then calls sleep in the kernel until killed."""
from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from . import names
from .host import Host

MOUNT_POINT = "/var/www/html/efs"
EXPORT = "/srv/efs"  # the folder all hosts see


def kernel_has_nfs() -> bool:
    """Client and server of NFSv4 with their tools; loads the modules if there are any."""
    if not shutil.which("exportfs"):
        return False
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-qa", "nfsd", "nfsv4"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    known = Path("/proc/filesystems").read_text().split()
    return "nfs4" in known and "nfsd" in known


# A server's namespace has no NFS state of its own to begin with; without client
# tracking (nfsdcld) the first open would wait for the whole grace period.
NFS_SERVER = f"""
mkdir -p {EXPORT} /run/rpcbind
mount -t tmpfs -o mode=1777 tmpfs {EXPORT}
mount -t tmpfs tmpfs /var/lib/nfs
mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/xtab
mount -t nfsd nfsd /proc/fs/nfsd
echo 10 > /proc/fs/nfsd/nfsv4leasetime
echo 10 > /proc/fs/nfsd/nfsv4gracetime
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
nfsdcld -p /var/lib/nfs/rpc_pipefs
rpc.mountd -N 2 -N 3
exportfs -o rw,fsid=0,insecure,no_subtree_check,no_root_squash '*:{EXPORT}'
rpc.nfsd -N 3 2
"""


class NfsFileSystem:
    """The kernel's own NFSv4.1 server on a host that stands where EFS's mount
    target does. Needs kernel_has_nfs() and the nfs group's packages."""

    label = "real: the kernel's NFSv4.1 server and client"

    def __init__(self, host: Host) -> None:
        self.host = host
        self.binds: list[tuple[Path, str, str]] = []

    def start(self) -> None:
        self.host.sh(NFS_SERVER)

    def stop(self) -> None:
        """The kernel's threads are no processes of the host: they end by order."""
        self.host.run("rpc.nfsd", "0", check=False)

    def configuration(self) -> dict[str, str]:
        return {"path": MOUNT_POINT, "type": "nfs4", "file_system": names.FILE_SYSTEM}

    def write(self, name: str, text: str) -> None:
        self.host.write(f"{EXPORT}/{name}", text)


class SharedFileSystem:
    """`folder`: outside, bound to EXPORT in every web host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        self.binds = [(folder, EXPORT, "rw")]
        self.label = "a stand-in: bindfs (FUSE); real NFS is in tests/check vm"

    def configuration(self) -> dict[str, str]:
        """The [mount] section that mounts it."""
        return {"path": MOUNT_POINT, "type": "fuse.bindfs", "source": EXPORT,
                "expect_type": "fuse"}

    def write(self, name: str, text: str) -> None:
        place = self.folder / name
        place.write_text(text)
        place.chmod(0o644)

    def mounts(self, host: Host) -> list[str]:
        """The host's mountinfo lines for the mount point."""
        lines = host.path("/proc/1/mountinfo").read_text().splitlines()
        return [line for line in lines if line.split()[4] == MOUNT_POINT]

    def servers(self, host: Host) -> list[int]:
        return sorted(host.ps("bindfs"))

    def silence(self, host: Host) -> None:
        """The file system stops answering this host."""
        for pid in self.servers(host):
            host.kill(pid, signal.SIGSTOP)

    def speak(self, host: Host) -> None:
        for pid in self.servers(host):
            host.kill(pid, signal.SIGCONT)

    def lose(self, host: Host) -> None:
        """The mount goes away under the agent."""
        host.run("umount", "-l", MOUNT_POINT)
