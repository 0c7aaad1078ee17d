"""The instance metadata service at 169.254.169.254: the stand-in of parts/imds_server.py, one per
instance, in the daemon.

The link identifies the instance: each server listens in the router of the subnet, only on the port
of the instance's ENI. No packet of another instance can reach it. The hop limit is the real TTL of
the packets with the token.

The servers are threads of the daemon and need no protocol to change or read their data."""
from __future__ import annotations

import json
import threading
from typing import Any, Mapping

from parts import imds_server

from lab.model.model import Model
from lab.network.fabric import Eni, Fabric
from lab.network.fabric_text import METADATA
from lab.network.serving import Server

META = "/latest/meta-data"
IMAGE = "ami-0abcdef1234567890"  # any name


def common_values(model: Model, instance_id: str, instance_type: str, eni: Eni,
                  public_key: str) -> dict[str, str]:
    """Metadata of every instance (EC2 User Guide, "Instance metadata categories"). Without a
    public address its path gives 404."""
    zone = model.subnets[eni.subnet].zone
    return {
        f"{META}/instance-id": instance_id,
        f"{META}/instance-type": instance_type,
        f"{META}/ami-id": IMAGE,
        f"{META}/mac": eni.mac,
        f"{META}/local-ipv4": eni.address,
        **({f"{META}/public-ipv4": eni.public} if eni.public else {}),
        f"{META}/placement/availability-zone": zone,
        f"{META}/placement/region": model.region,
        f"{META}/public-keys/": "0=lab",
        f"{META}/public-keys/0/openssh-key": public_key,
        "/latest/dynamic/instance-identity/document": json.dumps({
            "accountId": model.account, "architecture": "x86_64", "availabilityZone": zone,
            "imageId": IMAGE, "instanceId": instance_id, "instanceType": instance_type,
            "privateIp": eni.address, "region": model.region, "version": "2017-09-30"}),
    }


class LinkServer(Server, imds_server.Server):
    """The server of one instance, on one device."""

    def __init__(self, device: str, state: imds_server.State) -> None:
        self.device = device
        super().__init__(METADATA, state)


class Metadata:
    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._servers: dict[str, LinkServer] = {}
        self._lock = threading.Lock()

    def serve(self, eni: Eni, values: Mapping[str, str], hop_limit: int) -> None:
        """`values`: paths ("/latest/meta-data/instance-id") and texts; hop limit 1 to 64
        ("Configure the Instance Metadata Service options")."""
        state = imds_server.State()
        state.values.update(values)
        state.hop_limit = hop_limit
        with self._fabric.router(eni.subnet).net():
            server = LinkServer(eni.device, state)
        with self._lock:
            assert eni.name not in self._servers
            self._servers[eni.name] = server
        server.start()

    def update(self, eni: Eni, values: Mapping[str, str | None]) -> None:
        """Adds and changes values; None removes a path and all paths below it."""
        for path, text in values.items():
            if text is None:
                self.order(eni, op="delete", path=path)
        self.order(eni, op="set", values={k: v for k, v in values.items() if v is not None})

    def order(self, eni: Eni, **order: Any) -> Any:
        """imds_server.State.do(): faults, another hop limit, the log of requests."""
        with self._lock:
            state = self._servers[eni.name].state
        return state.do(order)

    def withdraw(self, eni: Eni) -> None:
        """Stops the answers; call it before the ENI is detached."""
        with self._lock:
            server = self._servers.pop(eni.name, None)
        if server:
            server.end()

    def close(self) -> None:
        with self._lock:
            servers, self._servers = self._servers, {}
        for server in servers.values():
            server.end()
