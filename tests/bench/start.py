"""From the command that starts it to the first answer, and to the first datum that AWS took."""
from __future__ import annotations

import json
from typing import Any

from parts.agent import PORT, UMBRELLA
from parts.process import Process
from parts.wait import wait_until

from .answering import FLOOR_PORT
from .ground import FLOORS, Ground, median


def _figures(process: Process) -> dict[str, int]:
    """What `first` says, when it does."""
    def figures() -> dict[str, int] | None:
        lines = [x for x in process.output().splitlines() if x.startswith("{")]
        return json.loads(lines[0]) if lines else None
    return wait_until(figures, "first answers", 30)


def _floor(ground: Ground) -> dict[str, float]:
    """A bare epoll responder, started in the same way."""
    process = ground.node.host.spawn(f"{FLOORS}/first", str(FLOOR_PORT), "/healthz",
                                     f"{FLOORS}/floor_epoll", str(FLOOR_PORT), log="first-floor")
    first = _figures(process)
    process.stop()
    return {"answer_ms": first["first_answer_us"] / 1000}


def _once(ground: Ground) -> dict[str, float]:
    node = ground.node
    scripted = ground.world.use_scripted()
    scripted.know(node.credentials)
    mark = scripted.mark()
    # As on a new instance: no queue, nothing mounted, nothing in force.
    node.host.sh("umount -l /var/www/html/efs 2>/dev/null; rm -rf /run/web-node-agent/* "
                 "/var/lib/web-node-agent/cloud; systemd-tmpfiles --create web-node-agent.conf",
                 check=False)
    process = node.host.spawn(f"{FLOORS}/first", str(PORT), "/healthz", "/usr/bin/systemctl",
                              "start", UMBRELLA, log="first")
    first = _figures(process)
    def accepted() -> float | None:
        taken = [e["at"] for e in scripted.log(mark) if e.get("accepted")]
        return taken[0] if taken else None
    at = wait_until(accepted, "a datum is accepted", 30)
    process.stop()
    node.agent.stop()
    return {"answer_ms": first["first_answer_us"] / 1000,
            "healthy_ms": first["first_200_us"] / 1000,
            "metric_ms": at * 1000 - first["exec_wall_us"] / 1000}


def start(ground: Ground) -> dict[str, Any]:
    """Local endpoints, the instance already in service, the web server up."""
    rounds = [{"agent": _once(ground), "floor": _floor(ground)} for _ in range(ground.pairs)]
    ground.world.use_moto()
    ground.raw("start_ms", rounds)
    agent = [one["agent"] for one in rounds]
    return {**{key: median([r[key] for r in agent]) for key in agent[0]},
            "floor_answer_ms": median([one["floor"]["answer_ms"] for one in rounds]),
            "rounds": rounds, "bar": "first answer 20 ms; first metric 3 s"}
