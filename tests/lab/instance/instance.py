"""A web instance of the Auto Scaling group: a host with the machine image, an ENI, a metadata
service and a processor of its own; its user-data does the rest.

Real: the packets, systemd, cloud-init, dnf, the user-data and the programs that it installs and
starts: httpd, php-fpm, and the packaged agent. Added by the lab: a drop-in of the agent's
configuration for the lab's file system, and a drop-in of wna-cloud's unit for the instance's CPU
figures.

After launch an instance has a whole processor until it is healthy or has booted, and then its
share of a processor, like a T instance with launch credits (EC2 User Guide, "Burstable performance
instances"). A boot with only the share would need most of a minute."""
from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

from parts.wait import Late, wait_until

from lab.aws.metadata import META, Metadata, common_values
from lab.model.model import Model
from lab.network.fabric import Eni, Fabric
from .cgroup import Control, CpuGroup
from .image import Ec2
from .procstat import FOR_SERVICES, Lxcfs

DROP_IN = "/etc/web-node-agent/agent.conf.d/90-lab.conf"
UNIT_DROP_IN = "/etc/systemd/system/web-node-agent-cloud.service.d/90-lab.conf"
SHARE = 0.25  # of a processor
GRACE_S = 120.0
BOOT_S = 900.0


def metadata_values(model: Model, instance_id: str, eni: Eni, public_key: str) -> dict[str, str]:
    """The metadata of an instance of the group, without the role's credentials and the target
    state (EC2 User Guide, "Instance metadata categories")."""
    launch, subnet = model.launch, model.subnets[eni.subnet]
    interface = f"{META}/network/interfaces/macs/{eni.mac}"
    values = {
        **common_values(model, instance_id, launch.instance_type, eni, public_key),
        f"{META}/instance-life-cycle": "on-demand",
        # Each AWS account has its own mapping of names to zones; this is an example.
        f"{META}/placement/availability-zone-id": f"apne2-az{'abcd'.find(subnet.zone[-1]) + 1}",
        f"{META}/services/domain": "amazonaws.com",
        f"{META}/services/partition": "aws",
        f"{interface}/vpc-id": model.vpc_id,
        f"{interface}/subnet-id": subnet.id,
        f"{interface}/local-ipv4s": eni.address,
        "/latest/user-data": launch.user_data,
    }
    if launch.tags_enabled:
        tags = {**launch.tags, **model.group.tags, "aws:autoscaling:groupName": model.group.id}
        values.update({f"{META}/tags/instance/{key}": text for key, text in tags.items()})
    return values


@dataclass
class Surroundings:
    """The settings that all instances share. `drop_in`: the agent's [mount] section for the
    lab. `base`: the image of the instances that are launched from now on."""

    base: Path
    model: Callable[[], Model]  # a function: the stack may be updated
    fabric: Fabric
    metadata: Metadata
    control: Control
    figures: Lxcfs
    ca: bytes
    resolver: str
    public_key: str
    drop_in: str
    share: float = SHARE


class WebInstance:
    """Call `launch` and `terminate` once each, from any thread."""

    def __init__(self, around: Surroundings, instance_id: str, name: str, subnet: str,
                 address: str | None, more: Mapping[str, str]) -> None:
        """`name`: the host's. `address`: None for the subnet's next one. `more`: more metadata by
        path, with the role's credentials."""
        self.id, self.name, self.subnet = instance_id, name, subnet
        self.around, self.model = around, around.model()
        self.zone = self.model.subnets[subnet].zone
        self.launch_time = time.monotonic()
        self.healthy_s: float | None = None   # from launch to the first healthy answer
        self.booted_s: float | None = None    # from launch to the end of user-data
        self.boot_failed = ""                 # cloud-init's error
        self.booted = threading.Event()
        self.host: Ec2
        self.eni: Eni | None = None
        self.group: CpuGroup | None = None
        self._more = dict(more)
        self._address = address
        self.closed = False
        self._ending = threading.Event()
        self._closing = threading.Lock()
        self._boot: threading.Thread | None = None

    # lifecycle

    def launch(self, booted: Callable[["WebInstance"], None] = lambda _: None) -> None:
        """Returns when the machine runs (EC2's "running"); user-data goes on in a thread, which
        calls `booted` when it has ended, also with an error."""
        try:
            self._make()
            self._boot = threading.Thread(target=self._first_boot, args=(booted,), daemon=True,
                                          name=f"boot {self.name}")
            self._boot.start()
        except BaseException:  # also KeyboardInterrupt
            self.close()
            raise

    def _make(self) -> None:
        around = self.around
        self.group = around.control.group(self.name)
        self.host = Ec2(self.name, around.fabric.logs, around.base, self.group.folders,
                        [around.figures.bind])
        self.eni = around.fabric.attach(self.host, self.subnet, self.name,
                                        self.model.launch.groups, self._address)
        self.host.address = self.eni.address
        around.metadata.serve(self.eni, {
            **metadata_values(self.model, self.id, self.eni, around.public_key), **self._more},
            self.model.launch.hop_limit)
        self.host.launch(around.resolver, around.ca,
                         {DROP_IN: around.drop_in, UNIT_DROP_IN: FOR_SERVICES})

    def _first_boot(self, booted: Callable[["WebInstance"], None]) -> None:
        watch = threading.Thread(target=self._watch_health, daemon=True)
        watch.start()
        try:
            self.boot_failed = self.host.booted(BOOT_S, self._ending.is_set)
        except (OSError, Late, ValueError) as error:
            self.boot_failed = f"{type(error).__name__}: {error}"
        if self._ending.is_set():
            return
        self.booted_s = time.monotonic() - self.launch_time
        if self.healthy_s is None and self.healthz() == 200:
            self.healthy_s = self.booted_s
        self._limit()
        self.booted.set()
        booted(self)

    def _watch_health(self) -> None:
        """Waits for the agent's first healthy answer; then limits the processor."""
        def healthy() -> bool:
            return self._ending.is_set() or self.booted.is_set() or self.healthz() == 200
        try:
            wait_until(healthy, f"{self.name} is healthy", GRACE_S)
        except Late:
            self._limit()
            return
        if not self._ending.is_set() and not self.booted.is_set():
            self.healthy_s = time.monotonic() - self.launch_time
            self._limit()

    def _limit(self) -> None:
        self.use_credits(False)

    def use_credits(self, on: bool) -> None:
        """Gives the instance a whole processor, or its share."""
        try:
            if self.group:
                self.group.limit(None if on else self.around.share)
        except OSError:
            pass  # it is being terminated

    def terminate(self) -> None:
        """Shuts the instance down like EC2."""
        self._ending.set()
        self.host.shut_down()
        self.close()

    def close(self) -> None:
        """Ends at once, like a power cut. Every step runs, even if one fails."""
        self._ending.set()
        with self._closing, ExitStack() as steps:  # steps run in reverse order
            around, eni, group = self.around, self.eni, self.group
            self.eni = self.group = None
            if group:
                steps.callback(group.remove)
            if eni:
                steps.callback(around.fabric.detach, eni)
            if self._boot and self._boot is not threading.current_thread():
                steps.callback(self._boot.join, 30)
            if hasattr(self, "host") and not self.closed:
                steps.callback(self.host.close)
            if eni:
                steps.callback(around.metadata.withdraw, eni)
            self.closed = True

    # queries and changes

    def healthz(self) -> int:
        """The status of /healthz on the instance; 0 without an answer."""
        port = self.model.target_group.health_port
        try:
            with self.host.connect("127.0.0.1", port, 1.0) as peer:
                peer.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return int(peer.recv(256).split()[1])
        except (OSError, IndexError, ValueError):
            return 0
