"""The demo without its screen: five jobs, a failover, everything taken down."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parts.world import World


@pytest.mark.timeout(180)
def test_once(world: World, tmp_path: Path) -> None:
    environment = {**os.environ, "WNA_DEMO_BUILD": str(tmp_path), "WNA_STAGE": str(world.stage),
                   "WNA_VENV": str(world.venv), "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-m", "parts.demo", "up", "--once"], env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("job metrics is ok", "1, KIM, SEOUL", "10.16.6.137 -> 10.16.5.149"):
        assert line in done.stdout
