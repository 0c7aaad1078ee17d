"""The EFS file system: a server on a host of the backplane. The mount targets forward port 2049 to
it (EFS User Guide, "Managing mount targets": one per zone, all of the same file system).

If the kernel has NFS, this is the kernel's NFSv4.1 server; EFS also uses NFSv4.1, and the agent
mounts it like EFS without TLS. Otherwise a stand-in by configuration: OpenSSH's sftp-server on TCP
2049, mounted with sshfs by the agent's own libmount. In both cases real packets go from the
instance only to the mount target of its zone.

Both differ from EFS: no TLS, no IAM, one server for all zones. The stand-in also has no locks and
no users (the server works as root; the client's kernel checks modes), and a lost server is an
error at once, where NFS waits for the server."""
from __future__ import annotations

from pathlib import Path

from parts.host import Host
from parts.process import Process
from parts.shared import EXPORT, NFS_SERVER, kernel_has_nfs
from parts.wait import wait_until

PORT = 2049
LISTENER = "/usr/local/libexec/sftp_listener.py"

# No cache of names and attributes. NFS on EFS sees another client's change when a file is opened
# again, or after a second or more; the stand-in sees it at once.
SSHFS_OPTIONS = (f"directport={PORT},reconnect,allow_other,default_permissions,dir_cache=no,"
                 "attr_timeout=0,entry_timeout=0")


class FileSystem:
    """`name`: the file system's DNS name, fs-...efs.REGION.amazonaws.com."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.nfs = kernel_has_nfs()
        self.process: Process | None = None

    @property
    def label(self) -> str:
        return "real: the kernel's NFSv4.1 server and client" if self.nfs else \
            f"a stand-in: sftp-server on TCP {PORT}, mounted by sshfs (this kernel has no NFS)"

    @property
    def type(self) -> str:
        """The type in an instance's mountinfo."""
        return "nfs4" if self.nfs else "fuse.sshfs"

    def drop_in(self) -> str:
        """The [mount] section for this file system; it overrides user-data's."""
        if self.nfs:
            return "[mount]\ntype = nfs4\ntls = no\niam = no\n"
        return (f"[mount]\ntype = {self.type}\nsource = {self.name}:{EXPORT}\n"
                f"expect_type = {self.type}\noptions = {SSHFS_OPTIONS}\n")

    def start(self) -> None:
        if self.nfs:
            self.host.sh(NFS_SERVER)
        else:
            self.host.sh(f"mkdir -p {EXPORT}; mount -t tmpfs efs {EXPORT}")
            listener = Path(__file__).with_name("sftp_listener.py")
            self.host.write(LISTENER, listener.read_text())
            self._listen()
        # Only root may write to the root directory of a new file system (EFS User Guide,
        # "Working with users, groups, and permissions at the Network File System level").
        self.host.run("chmod", "755", EXPORT)
        self._wait_ready()

    def _listen(self) -> None:
        self.process = self.host.spawn("/usr/bin/python3", "-I", "-S", LISTENER, str(PORT),
                                       log="sftp")

    def _wait_ready(self) -> None:
        def served() -> bool:
            self.host.connect("127.0.0.1", PORT, 1).close()
            return True
        wait_until(served, f"the file system is served on port {PORT}", 10)

    def stop(self) -> None:
        """The kernel's NFS threads are not processes of the host: a command must stop them."""
        if self.nfs:
            self.host.run("rpc.nfsd", "0", check=False)
        elif self.process:
            self.process.stop()
