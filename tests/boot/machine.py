"""An EC2 instance that is a virtual machine: QEMU in a network namespace of its own, where a
bridge joins its network card to an elastic network interface of the lab's network. Its
addresses come by DHCP, as in a VPC, and everything that it is comes from its metadata.

What EC2 shows of itself to a machine is the SMBIOS UUID, which begins with "ec2", and the
serial number, the same (EC2 User Guide, "Identify EC2 instances").
"""
from __future__ import annotations

import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from lab.network.fabric import Eni, Fabric
from lab.network.netns import PLAIN, Netns
from parts.wait import wait_until
from .guest_agent import PACE_S, GuestAgent

CARD, TAP, BRIDGE = "eth0", "tap0", "br0"
RESERVED = 3        # of a subnet's addresses: AWS's own, for future use
MEMORY_MB, PROCESSORS = 1536, 2
FIRST_WORDS_S = 60  # until the kernel says something


@dataclass(frozen=True)
class Image:
    """What tests/boot/image made, and how it can be run."""
    folder: Path
    accel: str  # "kvm" or "tcg"

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"


def started(netns: Netns, log: Path, *command: str) -> "subprocess.Popen[bytes]":
    """A program of this machine in a network namespace; its output goes to a file."""
    with log.open("ab") as out:
        return subprocess.Popen(netns.enter(*command), stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, start_new_session=True, cwd="/")


def overlay(base: Path, disk: Path) -> Path:
    """A disk that begins as another one, which stays as it is."""
    kind = "raw" if base.suffix == ".raw" else "qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", str(base), str(disk)],
                   check=True)
    return disk


class Place:
    """Where a machine is plugged in: the interface, its namespace, the DHCP server. Outlives
    the machine, as an interface does a reboot."""

    def __init__(self, fabric: Fabric, name: str, subnet: str, address: str, groups: list[str],
                 resolver: str, logs: Path) -> None:
        self.netns = Netns(name, PLAIN)
        self.eni: Eni = fabric.attach(self.netns, subnet, name, groups, address)
        network = fabric.model.subnets[subnet].network
        own = str(network[RESERVED])
        # The interface's link address is the machine's: the cable's end here has another.
        self.netns.ip(f"address flush dev {CARD}\nlink set {CARD} down\n"
                      f"link set {CARD} address 02:00:00:00:00:01\n"
                      f"link add {BRIDGE} type bridge forward_delay 0\n"
                      f"address add {own}/{network.prefixlen} dev {BRIDGE}\n"
                      f"link set {BRIDGE} up\n")
        self.netns.run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        self.netns.ip("".join(f"link set {d} master {BRIDGE}\nlink set {d} up\n"
                              for d in (CARD, TAP)))
        self._dhcp = started(self.netns, logs / f"{name}.dhcp.log",
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
            "--log-facility=-", "--log-dhcp", "--no-ping", "--leasefile-ro", "--pid-file=",
            f"--interface={BRIDGE}", "--except-interface=lo", "--dhcp-authoritative",
            f"--dhcp-range={network[0]},static,{network.netmask},infinite",
            f"--dhcp-host={self.eni.mac},{address}",
            f"--dhcp-option=option:router,{fabric.model.subnets[subnet].router}",
            f"--dhcp-option=option:dns-server,{resolver}")

    def close(self, fabric: Fabric) -> None:
        self._dhcp.terminate()
        self._dhcp.wait(10)
        fabric.detach(self.eni)
        self.netns.close()


class Machine:
    """`disk`: what it boots from. `clock`: seconds that its clock is off."""

    def __init__(self, image: Image, place: Place, disk: Path, logs: Path, clock: int = 0) -> None:
        self._image, self._place, self._disk, self._clock = image, place, disk, clock
        self.name = place.netns.name
        self.console = logs / f"{self.name}.console.log"
        self._log = logs / f"{self.name}.qemu.log"
        self._socket = logs / f"{self.name}.agent"
        self.agent = GuestAgent(self._socket)
        self.began = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._begin()
        wait_until(self._speaks, f"{self.name}: the kernel says something", FIRST_WORDS_S)

    def _begin(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._seen = self.console.stat().st_size if self.console.exists() else 0
        self.began = time.time()
        seed = f"ec2{uuid.uuid5(uuid.NAMESPACE_DNS, self.name).hex[3:]}"
        serial = str(uuid.UUID(seed))
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.began + self._clock))
        self._process = started(
            self._place.netns, self._log,
            "qemu-system-x86_64", "-accel", self._image.accel, "-cpu", "max",
            "-smp", str(PROCESSORS), "-m", str(MEMORY_MB),
            "-nodefaults", "-display", "none", "-no-user-config",
            "-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd),
            "-append", "console=ttyS0 panic=-1 loglevel=4",
            "-smbios",
            f"type=1,manufacturer=Amazon EC2,product=t3.small,uuid={serial},serial={serial}",
            "-rtc", f"base={clock},clock=host",
            "-drive", f"file={self._disk},if=virtio,format=qcow2",
            "-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac={self._place.eni.mac}",
            "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self._socket},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-chardev", f"file,id=console,path={self.console},append=on",
            "-serial", "chardev:console")

    def _speaks(self) -> bool:
        if not self.running():
            raise RuntimeError(f"{self.name}: QEMU has ended: {self._log.read_text()[-500:]}")
        return self.console.exists() and self.console.stat().st_size > self._seen

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """The console, since it was started last."""
        with self.console.open("rb") as file:
            file.seek(self._seen)
            return file.read().decode(errors="replace")

    def wait_said(self, word: str, timeout: float) -> None:
        def there() -> bool:
            if not self.running():
                raise RuntimeError(f"{self.name} has ended: {self.said()[-500:]}")
            return word in self.said()
        wait_until(there, f"{self.name} says \"{word}\"", timeout, PACE_S)

    def sh(self, script: str, check: bool = True, timeout: float = 180.0) -> str:
        return self.agent.sh(script, check, timeout)

    def cut(self) -> None:
        """The power goes."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
        self.agent.close()
