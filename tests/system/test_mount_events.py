"""How soon the answer follows the mount: mountinfo tells, not the next probe."""
from __future__ import annotations

import statistics
import time
from typing import Callable

import pytest

from parts.agent import Agent
from parts.node import Node
from parts.shared import MOUNT_POINT
from parts.wait import wait_until

BAR_S = 0.1
RIGHT = 1  # enum mount_state


@pytest.fixture
def agent(node: Node) -> Agent:
    """A probe a minute: within seconds none is due by itself. No attempt mounts anything."""
    node.only("mount")
    node.agent.change("mount", probe_interval="60s", max_age="90s", type="lab",
                      source="/srv/efs", expect_type="fuse", retry_min="60s", retry_max="60s")
    node.host.write("/sbin/mount.lab", "#!/bin/bash\nexit 32\n", 0o755)
    node.host.sh("mkdir -p /srv/other")
    return node.agent


def five_times(agent: Agent, change: str, back: str, turned: Callable[[], bool],
         waiting: Callable[[], bool]) -> list[float]:
    """Seconds from the end of `change` to `turned`, the shortest first."""
    took = []
    for _ in range(5):
        wait_until(waiting, "as before")
        agent.host.sh(change)
        start = time.monotonic()
        wait_until(turned, f"the answer follows {change}", 5)
        took.append(time.monotonic() - start)
        agent.host.sh(back)
    print(f"{change}: {', '.join(f'{t * 1000:.0f} ms' for t in sorted(took))}")
    return sorted(took)


def well(agent: Agent) -> bool:
    return agent.code("/healthz") == 200


def test_lost_appearing_covered_and_hidden(node: Node, agent: Agent) -> None:
    mount, umount = f"mount -t fuse.bindfs /srv/efs {MOUNT_POINT}", f"umount -l {MOUNT_POINT}"
    node.host.sh(mount)
    agent.start()

    def is_well() -> bool:
        return well(agent)

    def is_bad() -> bool:
        return not well(agent)

    def is_probed() -> bool:
        return is_well() and agent.fact("mount")["value"] == RIGHT

    wait_until(is_probed, "adopted")
    took = {
        "lost": five_times(agent, umount, mount, is_bad, is_probed),
        "covered": five_times(agent, f"mount --bind /srv/other {MOUNT_POINT}", umount, is_bad, is_probed),
        "hidden": five_times(agent, "mount --bind /srv/other /var/www", "umount -l /var/www", is_bad,
                       is_probed),
    }
    node.host.sh(umount)
    took["appearing"] = five_times(agent, mount, umount, is_well, is_bad)
    slow = {what: times for what, times in took.items() if statistics.median(times) > BAR_S}
    assert not slow, slow
