"""The test's side of the metadata service: one service for each instance, as on
EC2, directly connected to it."""
from __future__ import annotations

import json
from typing import Any

from . import control, names
from .host import Host
from .process import Process

SOCKET = "/run/imds.sock"
META = "/latest/meta-data"
STATE = f"{META}/autoscaling/target-lifecycle-state"
GROUP_TAG = f"{META}/tags/instance/aws:autoscaling:groupName"
ROLE = "practice-web-role"
CREDENTIALS = f"{META}/iam/security-credentials/{ROLE}"


def instance(number: int, address: str, zone: str) -> dict[str, str]:
    """What the service says of one of the group's instances."""
    mac = f"02:fc:00:00:00:{number:02x}"
    interface = f"{META}/network/interfaces/macs/{mac}"
    return {
        f"{META}/instance-id": f"i-0{number:016x}",
        f"{META}/instance-type": "t3.small",
        f"{META}/ami-id": "ami-0abcdef1234567890",
        f"{META}/instance-life-cycle": "on-demand",
        f"{META}/mac": mac,
        f"{META}/local-ipv4": address,
        f"{META}/placement/availability-zone": zone,
        f"{META}/placement/availability-zone-id": "apne2-az1" if zone[-1] == "a" else "apne2-az3",
        f"{META}/placement/region": names.REGION,
        f"{META}/services/domain": names.DOMAIN,
        f"{META}/services/partition": "aws",
        f"{interface}/vpc-id": "vpc-0123456789abcdef0",
        f"{interface}/subnet-id": f"subnet-0{number:016x}",
        f"{interface}/local-ipv4s": address,
        f"{META}/tags/instance/Name": "practice web",
        GROUP_TAG: names.GROUP,
        STATE: "InService",
        "/latest/dynamic/instance-identity/document": json.dumps({
            "accountId": "123456789012", "architecture": "x86_64", "availabilityZone": zone,
            "billingProducts": None, "imageId": "ami-0abcdef1234567890",
            "instanceId": f"i-0{number:016x}", "instanceType": "t3.small",
            "kernelId": None, "pendingTime": "2026-11-23T00:00:00Z", "privateIp": address,
            "region": names.REGION, "version": "2017-09-30"}),
    }


class Imds:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.process: Process | None = None

    def start(self, *addresses: str) -> None:
        self.process = self.host.python("parts.imds_server", SOCKET,
                                        *(addresses or (names.METADATA,)), log="imds")

    def ask(self, **order: Any) -> Any:
        return control.ask(self.host.path(SOCKET), order)

    def set(self, values: dict[str, str]) -> None:
        self.ask(op="set", values=values)

    def delete(self, path: str) -> None:
        self.ask(op="delete", path=path)

    def target_state(self, state: str | None) -> None:
        if state is None:
            self.delete(STATE)
        else:
            self.set({STATE: state})

    def fault(self, kind: str, match: str = "", count: int = -1, **more: Any) -> None:
        """The next `count` requests (all, if negative) whose "METHOD /path" matches
        are answered wrongly; kinds: imds_server.Handler.misbehave."""
        self.ask(op="fault", kind=kind, match=match, count=count, **more)

    def clear(self) -> None:
        self.ask(op="clear")

    def enable(self, yes: bool) -> None:
        self.ask(op="enable", value=yes)

    def revoke(self) -> None:
        """All tokens given out so far become invalid."""
        self.ask(op="revoke")

    def log(self, method: str | None = None, path: str = "") -> list[dict[str, Any]]:
        """All requests so far: at, method, path, status, token, ttl, port."""
        return [r for r in self.ask(op="log")
                if (method is None or r["method"] == method) and r["path"].startswith(path)]

    def silence(self) -> None:
        """Packets to and from the service vanish, as beyond the hop limit."""
        self.host.cut("")

    def speak(self) -> None:
        self.host.mend()

    def credentials(self, access_key: str, secret: str, token: str, expires: str,
                    updated: str = "2026-01-01T00:00:00Z") -> None:
        self.set({CREDENTIALS: json.dumps({
            "Code": "Success", "LastUpdated": updated, "Type": "AWS-HMAC",
            "AccessKeyId": access_key, "SecretAccessKey": secret, "Token": token,
            "Expiration": expires}, indent=2)})
