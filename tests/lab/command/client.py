"""The running lab for commands and tests: orders to the daemon, and access to each host. Only
orders change the lab."""
from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import Any

from parts import control
from parts.host import Host
from parts.wait import wait_until

from lab.instance.image import SAID
from . import lock


def build_folder() -> Path:
    return Path(os.environ["WNA_LAB_BUILD"])


def folder(build: Path) -> Path:
    """The folder of all files of a run."""
    return build / "lab"


def socket(build: Path) -> Path:
    """The daemon's control socket."""
    return folder(build) / "lab.sock"


def patience(seconds: float) -> float:
    """A test's timeout: shorter where a failure is expected (command/mutations.py)."""
    return min(seconds, float(os.environ.get("WNA_LAB_PATIENCE", "inf")))


class Refused(RuntimeError):
    """The daemon could not carry out the order."""


class Inside(Host):
    """A host of the daemon, entered from this process. The host belongs to the daemon."""

    def __init__(self, name: str, pid: int, address: str, logs: Path, enter: list[str]) -> None:
        self.name, self.address, self.logs = name, address, logs
        self.processes = []
        self._pid, self._enter = pid, enter
        self._held = []

    def enter(self, *args: str) -> list[str]:
        return [*self._enter, *args]

    def write_inside(self, path: str, text: str) -> None:
        """Writes a file by a process on the host: the host may have its own mounts."""
        self.run("tee", path, stdin=text)

    def close(self) -> None:
        """Ends the processes that this object has started."""
        for process in self.processes:
            process.stop()
        self.processes = []


class Lab:
    def __init__(self, build: Path | None = None) -> None:
        self.build = build or build_folder()
        self.folder = folder(self.build)
        self.logs = self.folder / "test-logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._hosts: dict[int, Inside] = {}

    def ask(self, op: str, timeout: float = 60.0, **more: Any) -> Any:
        place = socket(self.build)
        if not lock.look(self.build).held or not place.exists():  # do not wait for it
            raise Refused("the lab is not up yet, or no longer")
        answer = control.ask(place, {"op": op, **more}, timeout)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["answer"]

    def aws(self, service: str, call: str, **arguments: Any) -> dict[str, Any]:
        """A call of AWS's API by the admin, as boto3 names it."""
        return dict(self.ask("aws", service=service, call=call, arguments=arguments))

    # queries

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Name → pid, address, public (or None), zone, kind, enter (a command line)."""
        return dict(self.ask("hosts"))

    def host(self, name: str) -> Inside:
        info = self.hosts()[name]
        host = self._hosts.get(info["pid"])
        if host is None:
            host = Inside(name, info["pid"], info["address"], self.logs, info["enter"])
            self._hosts[info["pid"]] = host
        return host

    def facts(self) -> dict[str, Any]:
        """Values of the template: names, addresses, numbers."""
        return dict(self.ask("facts"))

    def instances(self) -> list[dict[str, Any]]:
        """The group's instances: id, host, address, zone, state (lifecycle), health, version."""
        return list(self.ask("instances"))

    def in_service(self) -> list[dict[str, Any]]:
        return [i for i in self.instances() if i["state"] == "InService"]

    def targets(self) -> dict[str, dict[str, Any]]:
        """Instance id → state, reason, description as in DescribeTargetHealth."""
        return dict(self.ask("targets"))

    def healthy(self) -> list[str]:
        return sorted(i for i, target in self.targets().items() if target["state"] == "healthy")

    def wait_healthy(self, count: int, timeout: float = 60.0) -> list[str]:
        """Waits until exactly this number of instances is in service and healthy, without other
        instances."""
        def reached() -> list[str]:
            instances, healthy = self.instances(), self.healthy()
            states = {i["id"]: i["state"] for i in instances}
            if len(healthy) == count and sorted(states) == healthy \
                    and set(states.values()) == {"InService"}:
                return healthy
            raise LookupError((states, self.targets()))
        return wait_until(reached, f"{count} instances in service and healthy", timeout)

    def launched(self, known: set[str], timeout: float = 60.0) -> tuple[str, Inside]:
        """Waits for an instance that is not among these ids, until its user-data has begun; it may
        still wait for a launch hook. Its id and host."""
        def begun() -> tuple[str, Inside]:
            new = next((one for one in self.instances() if one["id"] not in known), None)
            if new is None:
                raise LookupError("none")
            host = self.host(new["host"])  # before its boot another process
            host.read(SAID)
            return str(new["id"]), host
        return wait_until(begun, "a new instance runs user-data", timeout, 0.25)

    def activities(self) -> list[dict[str, Any]]:
        """The group's history, newest first, as in DescribeScalingActivities."""
        return list(self.ask("activities"))

    def alarms(self) -> dict[str, Any]:
        return dict(self.ask("alarms"))

    def lifecycle(self, host: str) -> str:
        """The state that an instance's agent is in."""
        done = self.host(host).run("wnactl", "status", "--json", check=False)
        return str(json.loads(done.stdout)["lifecycle"]["state"])

    def zone_of(self, address: str) -> str:
        """The zone of the instance's subnet."""
        return next(str(s["zone"]) for s in self.facts()["subnets"].values()
                    if ipaddress.ip_address(address) in ipaddress.ip_network(s["cidr"]))

    def database(self) -> dict[str, Any]:
        """writer and standby (addresses), semi_sync, events."""
        return dict(self.ask("database"))

    def close(self) -> None:
        for host in self._hosts.values():
            host.close()
