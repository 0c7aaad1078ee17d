"""What the boot test stands on: the system of the stack template as the lab builds it (tests/lab),
but that its instances are virtual machines, its file system is NFSv4.1 behind TLS, its
repository holds the signed RPM, and there is a time server."""
from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

from lab.aws.controller import TARGET_IN_SERVICE
from lab.aws.metadata import META
from lab.instance.instance import metadata_values
from lab.machines import STATE
from lab.world import World
from parts.host import Host
from .file_system import NfsFileSystem
from .machine import Image, Machine, Place, started

TIME = "169.254.169.123"  # Amazon Time Sync (EC2 User Guide, "Set the time for your instance")
CHRONY = f"""local stratum 4
allow
bindaddress {TIME}
port 123
cmdport 0
"""
TEMPLATE = Path(__file__).parents[2] / "userdata" / "stack.yaml"


class BootWorld(World):
    """`repository`: what packaging/repo made."""

    def __init__(self, build: Path, folder: str, image: Image, repository: Path, logs: Path,
                 say: Callable[[str], None]) -> None:
        shutil.rmtree(build / folder, ignore_errors=True)
        super().__init__(build, repository, TEMPLATE, {}, say, folder)
        self.image, self.logs = image, logs
        self.disks = self.folder / "disks"
        self.disks.mkdir()

    def _repository(self) -> Path:
        """It, with this system's own authority as the database's."""
        folder = self.folder / "repository"
        shutil.copytree(self.packages, folder)
        shutil.copytree(self.image.folder / "amazonlinux", folder / "amazonlinux")
        (folder / "rds-ca.pem").write_bytes(self.authority.pem)
        return folder

    def _file_system(self, host: Host, name: str) -> NfsFileSystem:
        return NfsFileSystem(host, name, self.authority)

    def _bastions(self) -> None:
        """None: nothing goes by them here."""
        self.bastions = []

    def _group(self) -> None:
        """Instances are the tests' to launch."""

    # the base disk

    def base_disk(self) -> Path:
        """The image's, trusting this system's authority where AWS's are trusted."""
        disk = self.folder / "base.raw"
        subprocess.run(["cp", "--sparse=always", "--reflink=auto",
                        str(self.image.folder / "disk.raw"), str(disk)], check=True)
        commands = []
        for number, bundle in enumerate(("/etc/ssl/certs/ca-certificates.crt",
                                         "/usr/lib/python3/dist-packages/awscli/botocore/cacert.pem")):
            new = self.folder / f"bundle{number}"
            new.write_bytes((self.image.folder / "root" / bundle[1:]).read_bytes() + b"\n"
                            + self.authority.pem)
            new.chmod(0o644)
            commands += [f"rm {bundle}", f"write {new} {bundle}"]
        # efs-utils has Amazon's own few authorities in a file.
        commands.append(f"write {self.ca} /etc/ssl/efs-ca.pem")
        done = subprocess.run(["debugfs", "-w", "-f", "-", str(disk)], input="\n".join(commands) + "\n",
                              capture_output=True, text=True, check=True)
        bad = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
        assert not bad, bad
        return disk


class TimeServer:
    """For whoever is in a place's subnet; by the router, as the metadata service."""

    def __init__(self, world: BootWorld, place: Place) -> None:
        router = self._router = world.fabric.router(place.eni.subnet)
        router.ip(f"address add {TIME}/32 dev lo\n")
        for chain, rule in (("input", f"ip daddr {TIME} udp dport 123"),
                            ("output", f"ip saddr {TIME} udp sport 123")):
            router.nft(f"insert rule inet self {chain} {rule} accept\n")
        conf = world.folder / f"chrony.{router.name}"
        # chronyd removes its PID file at its end, whatever that is.
        conf.write_text(CHRONY + f"pidfile {conf}.pid\n")
        # The image's own: installed here it would take this machine's clock over.
        root = world.image.folder / "root"
        self._log = world.logs / f"{router.name}.chrony.log"
        self._command = (f"LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/sbin/chronyd",
                         "-d", "-x", "-U", "-u", "root", "-f", str(conf))
        self._process: subprocess.Popen[bytes] | None = None
        world._later(self.stop)

    def start(self) -> None:
        self._process = started(self._router, self._log, *self._command)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
        self._process = None


@contextmanager
def vanished(host: Host, port: int) -> Iterator[None]:
    """What comes to a port of the host is dropped meanwhile."""
    host.sh("nft add table inet away; "
            "nft 'add chain inet away input { type filter hook input priority 0; }'; "
            f"nft add rule inet away input tcp dport {port} drop")
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "away")


class Instance:
    """One of the group's, as EC2 launches it, in a zone."""

    def __init__(self, world: BootWorld, zone: str) -> None:
        self.world, model = world, world.model
        subnet = model.in_zone(model.group.subnets, zone)
        made = world.services.aws.launch(subnet)
        self.id, address = made.id, made.address
        self.zone, self.address = zone, address
        self.place = Place(world.fabric, f"web-{zone[-1]}", subnet, address, model.launch.groups,
                           model.resolver, world.logs)
        world._later(lambda: self.place.close(world.fabric))
        self.machine: Machine | None = None
        self._credentials = f"{META}/iam/security-credentials/{world.services.aws.role.id}"

    def serve_metadata(self) -> None:
        model, aws = self.world.model, self.world.services.aws
        self.world.metadata.serve(self.place.eni, {
            **metadata_values(model, self.id, self.place.eni, self.world.public_key),
            self._credentials: aws.role_credentials(self.id)}, model.launch.hop_limit)
        self.world._later(lambda: self.world.metadata.withdraw(self.place.eni))

    def boot(self, disk: Path, clock: int = 0) -> Machine:
        machine = self.machine = Machine(self.world.image, self.place, disk, self.world.logs, clock)
        self.world._later(machine.cut)
        machine.start()
        return machine

    def register(self) -> None:
        """As Auto Scaling does with an instance that is in service."""
        self.world.metadata.update(self.place.eni, {STATE: TARGET_IN_SERVICE})
        self.world.services.alb.register(self.id, self.address, self.zone)

    def state(self) -> str:
        return str(self.world.services.alb.state(self.id))
