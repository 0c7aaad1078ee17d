"""The machine image: what an instance has before its user-data has run, as Amazon Linux's AMI
would have it. No trace of the agent, of a web server or of PHP is in it.

The root is the machine's own Debian (parts/host.py); this makes an EC2 instance of it: the
VPC's resolver, ec2-user, sshd, stand-ins for systemd and dnf, and, where AWS's own certificates
are trusted, the lab's too.
"""
from __future__ import annotations

import re
from pathlib import Path

from parts.host import Host
from parts.process import Process
from parts.wait import wait_until

from .systemctl import LOGS
from .systemctl_client import SOCKET

TESTS = Path(__file__).parents[2]
USER, UID = "ec2-user", 1000

# Debian's awscli has its own copy of the certificates.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt",
           "/usr/lib/python3/dist-packages/awscli/botocore/cacert.pem")

SSHD_CONFIG = f"""
Port 22
HostKey /etc/ssh/lab_host_key
PidFile /run/sshd.pid
AuthorizedKeysFile .ssh/authorized_keys
AllowUsers {USER}
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
AllowTcpForwarding yes
Subsystem sftp internal-sftp
"""
SSHD_UNIT = """
[Unit]
Description=OpenSSH server daemon

[Service]
Type=simple
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/lab_sshd_config
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process

[Install]
WantedBy=multi-user.target
"""
STAND_IN = """#!/bin/sh
# The lab's stand-in: see tests/lab/instance/{module}.py
PYTHONPATH=/lab PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -S -m lab.instance.{module} "$@"
"""

# The machine's own web server, database and the like are none of this instance's.
SCRIPT = f"""
rm -rf /var/www/html /etc/web-node-agent /etc/resolv.conf /etc/yum.repos.d /etc/httpd \
  /etc/php-fpm.conf /etc/php-fpm.d /etc/systemd/system /var/lib/cloud
mount -t tmpfs -o mode=700 root /root
mount -t tmpfs -o mode=755 home /home
mkdir -p /var/www/html /etc/systemd/system /etc/yum.repos.d /home/{USER}/.ssh
chmod 700 /home/{USER} /home/{USER}/.ssh
chown -R {UID}:{UID} /home/{USER}
rm -f /usr/bin/systemctl /usr/bin/dnf /etc/hosts
"""


def binds(logs: Path, name: str) -> list[tuple[Path, str, str]]:
    """What a host has to be made with: the stand-ins, and a place for its units' logs that
    outlives it."""
    units = logs / f"{name}.units"
    units.mkdir(parents=True, exist_ok=True)
    return [(TESTS, "/lab", "ro"), (units, LOGS, "rw")]


def prepare(host: Host, resolver: str, ca: bytes) -> None:
    host.sh(SCRIPT)
    host.write("/etc/resolv.conf", f"nameserver {resolver}\noptions timeout:2 attempts:3\n")
    host.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    for module, path in (("systemctl_client", "/usr/bin/systemctl"), ("dnf", "/usr/bin/dnf")):
        host.write(path, STAND_IN.format(module=module), 0o755)
    for bundle in BUNDLES:
        place = host.path(bundle)
        if place.exists():
            with place.open("ab") as file:
                file.write(b"\n" + ca)
    _add_user(host)
    host.write("/etc/ssh/lab_sshd_config", SSHD_CONFIG)
    host.write("/usr/lib/systemd/system/sshd.service", SSHD_UNIT.lstrip("\n"))


def _add_user(host: Host) -> None:
    """With a locked password ("*", not "!", which sshd takes for a locked account)."""
    for path, line in (("/etc/passwd", f"{USER}:x:{UID}:{UID}:EC2 Default User:/home/{USER}:/bin/bash"),
                       ("/etc/group", f"{USER}:x:{UID}:"), ("/etc/shadow", f"{USER}:*:19000:0:99999:7:::")):
        place = host.path(path)
        text = place.read_text()
        kept = [old for old in text.splitlines()
                if not re.match(rf"{USER}:|[^:]*:[^:]*:{UID}:", old)]
        place.write_text("\n".join([*kept, line]) + "\n")


def start(host: Host) -> Process:
    """systemd's stand-in runs from here on."""
    runner = host.python("lab.instance.systemctl", log="systemd")
    wait_until(lambda: host.path(SOCKET).exists() or _ended(runner),
               f"{host.name}: the stand-in for systemd listens", 10)
    return runner


def _ended(runner: Process) -> bool:
    if not runner.running():
        raise RuntimeError(f"systemd's stand-in ended: {runner.output()[-300:]}")
    return False


def let_in(host: Host, key: str) -> None:
    """What cloud-init's users-groups and ssh do: host keys, and the key pair's public half
    for the default user; then sshd is there."""
    host.sh("rm -f /etc/ssh/lab_host_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_host_key")
    path = f"/home/{USER}/.ssh/authorized_keys"
    host.write(path, key.strip() + "\n", 0o600, UID)
    host.run("systemctl", "enable", "--now", "sshd")
