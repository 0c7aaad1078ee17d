"""The machine image and its machines. The image is instance/base: a Debian with its own systemd,
cloud-init, sshd and dnf, like an image of Amazon Linux; without the agent, and with httpd and PHP
only as packages for dnf. The machines are those of tests/rig. The lab adds some files before the
boot: the VPC's resolver, and the lab's CA certificate wherever AWS's certificates are trusted."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, Mapping

from parts.wait import Late, wait_until
from rig.machine import Machine

TESTS = Path(__file__).parents[2]
BASE = "cache/lab-base"  # in the build folder
OFF_S = 20.0  # timeout of a clean power-off

# Debian's awscli has its own copy of the CA certificates.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt",
           "/usr/lib/python3/dist-packages/awscli/botocore/cacert.pem")
SAID = "/var/log/cloud-init-output.log"
RESULT = "/run/cloud-init/result.json"


class Ec2(Machine):
    """`base`: the image's folder. `more`: bind mounts, as in parts.host.Host."""

    def __init__(self, name: str, logs: Path, base: Path, cgroups: list[Path] | None = None,
                 more: list[tuple[Path, str, str]] | None = None) -> None:
        super().__init__(name, logs, base, cgroups=cgroups,
                         binds=[(TESTS, "/lab", "ro"), *(more or [])])

    def launch(self, resolver: str, ca: bytes, files: Mapping[str, str] | None = None) -> None:
        """Starts the machine; returns when its first process runs. `files`: paths and texts that
        the lab adds."""
        self.write("/etc/resolv.conf", f"nameserver {resolver}\noptions timeout:2 attempts:3\n")
        for bundle in BUNDLES:
            with self.path(bundle).open("ab") as file:
                file.write(b"\n" + ca)
        for path, text in (files or {}).items():
            self.write(path, text)
        self.boot(wait=False)

    def runs(self) -> bool:
        """Whether the first process runs; all others end with it."""
        try:
            return Path(f"/proc/{self.pid}/ns/pid").exists()
        except (LookupError, OSError):
            return False

    def shut_down(self) -> None:
        """A clean shutdown, for up to OFF_S."""
        try:
            self.run("systemctl", "--no-block", "poweroff", timeout=OFF_S)
            wait_until(lambda: not self.runs(), f"{self.name} is off", OFF_S)
        except (RuntimeError, OSError, Late):
            pass  # the caller ends the machine anyway

    def booted(self, timeout: float, broken_off: Callable[[], bool] = lambda: False) -> str:
        """Waits until cloud-init has finished; returns its error, "" without one."""
        result = wait_until(lambda: broken_off() or self.path(RESULT).read_text(),
                            f"{self.name}: cloud-init has ended", timeout)
        errors = [] if result is True else json.loads(result)["v1"]["errors"]
        if not errors:
            return ""
        return f"{'; '.join(errors)}: {self.path(SAID).read_text(errors='replace')[-400:]}"
