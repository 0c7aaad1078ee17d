"""EFS behind the mount targets: a real NFSv4.1 server (NFS-Ganesha, in user space, as the
machine's kernel may have none), and before it a real TLS server (stunnel) with the file
system's name in its certificate, at port 2049 as EFS has it. Not here: IAM."""
from __future__ import annotations

from lab.aws.efs import PORT, FileSystem
from parts.host import Host
from parts.pki import Authority
from parts.shared import EXPORT
from parts.wait import wait_until

INNER = 12049
GANESHA = f"""
NFS_CORE_PARAM {{
  Protocols = 4; NFS_Port = {INNER}; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
  mount_path_pseudo = true;
}}
# What clients hold is not waited for after a restart.
NFSV4 {{ Graceless = true; Minor_Versions = 1; RecoveryBackend = fs; Lease_Lifetime = 20; }}
EXPORT {{
  Export_Id = 1; Path = {EXPORT}; Pseudo = /; Access_Type = RW; Squash = No_Root_Squash;
  SecType = sys; Transports = TCP;
  FSAL {{ Name = VFS; }}
}}
"""
STUNNEL = f"""
foreground = yes
pid =
debug = warning
[efs]
accept = 0.0.0.0:{PORT}
connect = 127.0.0.1:{INNER}
cert = /etc/efs/cert.pem
key = /etc/efs/key.pem
libwrap = no
"""


class NfsFileSystem(FileSystem):
    def __init__(self, host: Host, name: str, authority: Authority) -> None:
        super().__init__(host, name)
        self.nfs = False  # of the kernel's own server there is nothing to end
        self._authority = authority

    @property
    def label(self) -> str:
        return "real: NFS-Ganesha (NFSv4.1) behind stunnel (TLS)"

    def start(self) -> None:
        host = self.host
        host.sh(f"mkdir -p {EXPORT} /run/ganesha /var/lib/nfs/ganesha /etc/efs; "
                f"mount -t tmpfs efs {EXPORT}; chmod 755 {EXPORT}")
        certificate = self._authority.issue(self.name)
        host.write("/etc/efs/cert.pem", certificate.certificate)
        host.write("/etc/efs/key.pem", certificate.key, 0o600)
        host.write("/etc/efs/ganesha.conf", GANESHA)
        host.write("/etc/efs/stunnel.conf", STUNNEL)
        self.process = host.spawn("/usr/bin/ganesha.nfsd", "-F", "-L", "/dev/stdout", "-f",
                                  "/etc/efs/ganesha.conf", "-p", "/run/ganesha/pid", log="ganesha")
        host.spawn("/usr/bin/stunnel", "/etc/efs/stunnel.conf", log="stunnel")
        for port in (INNER, PORT):
            def served(at: int = port) -> bool:
                host.connect("127.0.0.1", at, 1).close()
                return True
            wait_until(served, f"the file system is served on port {port}", 30)
