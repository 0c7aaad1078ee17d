"""What every measurement stands on: a node of the lab with all five jobs on,
the floors, and a place for raw samples."""
from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from parts import names
from parts.agent import Agent
from parts.node import Node
from parts.process import Process
from parts.wait import wait_until
from parts.world import World

FLOORS = "/opt/floors"
HUB = "/run/web-node-agent/hub"
# include/hub.h: a struct msg of type HUB_ASK with id ASK_STATUS, all else 0.
ASK_STATUS = struct.pack("=4H7q256x", 5, 1, 0, 0, *[0] * 7)


class Ground:
    def __init__(self, world: World, build: Path, out: Path, quick: bool) -> None:
        self.world, self.build, self.out, self.quick = world, build, out, quick
        self.pairs = 1 if quick else 5
        self.node: Node = world.add_node()
        self.node.host.run("mkdir", "-p", FLOORS)
        for floor in (build / "floors").iterdir():
            self.node.host.write(f"{FLOORS}/{floor.name}", floor.read_bytes(), 0o755)
        self.node.web.start()
        self.node.give_role()
        self.node.imds.target_state("InService")
        self.node.agent.configure(self.settings())

    @property
    def agent(self) -> Agent:
        assert self.node.agent
        return self.node.agent

    def settings(self) -> dict[str, dict[str, Any]]:
        """The periods of a real node: 1 s samples, 10 s pushes, 5 s probes."""
        own = self.node.settings()
        for section, keys in (("mount", ("retry_min", "retry_max", "probe_interval",
                                         "probe_timeout", "max_age", "timeout")),
                              ("imds", ("refresh", "state_refresh")),
                              ("check web", ("interval", "timeout", "rise", "fall")),
                              ("database", ("interval", "timeout", "dns_timeout", "dns_fast",
                                            "max_age")),
                              ("agent", ("log_level",)),
                              ("metrics", ("timeout", "retry_max"))):
            for key in keys:
                own[section].pop(key, None)
        return own

    def start(self) -> None:
        """The agent, until all is well and a datum was accepted."""
        self.agent.start()
        for job in ("identity", "mount", "checks", "database", "metrics"):
            self.agent.wait_job(job, "ok", 40)

    def stop(self) -> None:
        self.agent.stop()

    def floor(self, name: str, *args: str, stdin: str = "") -> Process:
        if stdin:
            script = f"exec {FLOORS}/{name} {' '.join(args)} <<< '{stdin}'"
            return self.node.host.spawn("bash", "-c", script, log=name)
        return self.node.host.spawn(f"{FLOORS}/{name}", *args, log=name)

    def floor_pid(self, name: str) -> int:
        def found() -> int | None:
            return next(iter(self.node.host.ps(name)), None)
        return wait_until(found, f"floor {name} runs", 5)

    def listening(self, port: int) -> None:
        def up() -> bool:
            self.node.host.connect("127.0.0.1", port, 1).close()
            return True
        wait_until(up, f"port {port} listens", 5)

    def status(self) -> dict[str, Any]:
        """/status over the hub, without starting a command."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(5)
            link.connect(str(self.node.host.path(HUB)))
            link.sendall(ASK_STATUS)
            return dict(json.loads(link.recv(1 << 20)))

    def pinned(self, pid: int, core: int) -> None:
        subprocess.run(["taskset", "-a", "-p", "-c", str(core), str(pid)], check=True,
                       stdout=subprocess.DEVNULL)

    def raw(self, name: str, values: Any) -> None:
        (self.out / "raw").mkdir(exist_ok=True)
        (self.out / "raw" / f"{name}.json").write_text(json.dumps(values) + "\n")

    def observe(self, seconds: float, every: float, look: Any) -> list[Any]:
        """What `look` says, every so often for so long."""
        seen, start = [], time.monotonic()
        while (now := time.monotonic()) - start < seconds:
            seen.append(look())
            # A fixed rate of looking is what is wanted here, not an event.
            time.sleep(max(0.0, every - (time.monotonic() - now)))
        return seen


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: list[float]) -> float:
    return percentile(values, 0.5)


CLOUDWATCH = f"https://{names.CLOUDWATCH_HOST}/"
