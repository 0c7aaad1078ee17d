"""From exec to the first answer, and to the first datum that AWS took."""
from __future__ import annotations

import json
import os
from typing import Any

from parts.agent import PORT, WNAD
from parts.wait import wait_until

from .ground import FLOORS, Ground, median


def _once(ground: Ground) -> dict[str, float]:
    node = ground.node
    scripted = ground.world.use_scripted()
    scripted.know(node.credentials)
    mark = scripted.mark()
    # As on a new instance: no listener kept by systemd, no queue, nothing remembered.
    for _, fd in node.agent.notify.stored:
        os.close(fd)
    node.agent.notify.stored.clear()
    node.host.sh("umount -l /var/www/html/efs 2>/dev/null; "
                 "rm -rf /run/web-node-agent /var/lib/web-node-agent/cloud", check=False)
    process = node.host.spawn(f"{FLOORS}/first", str(PORT), "/healthz",
                              WNAD, log="first")
    def figures() -> dict[str, int] | None:
        lines = [x for x in process.output().splitlines() if x.startswith("{")]
        return json.loads(lines[0]) if lines else None
    first = wait_until(figures, "first answers", 30)
    def accepted() -> float | None:
        taken = [e["at"] for e in scripted.log(mark) if e.get("accepted")]
        return taken[0] if taken else None
    at = wait_until(accepted, "a datum is accepted", 30)
    process.stop()
    return {"answer_ms": first["first_answer_us"] / 1000,
            "healthy_ms": first["first_200_us"] / 1000,
            "metric_ms": at * 1000 - first["exec_wall_us"] / 1000}


def start(ground: Ground) -> dict[str, Any]:
    """Local endpoints, the instance already in service, the web server up."""
    rounds = [_once(ground) for _ in range(ground.pairs)]
    ground.world.use_moto()
    ground.raw("start_ms", rounds)
    return {**{key: median([r[key] for r in rounds]) for key in rounds[0]}, "rounds": rounds,
            "bar": "first answer 20 ms; first metric 3 s"}
