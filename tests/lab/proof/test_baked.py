"""A baked image: an instance of it needs neither S3 nor Amazon's repository to become healthy."""
from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path

import pytest

from boot import timeline
from boot.timeline import Timeline
from lab.command.client import Inside, Lab
from lab.command.table import Notes
from lab.instance.baking import bake
from lab.instance.image import SAID
from parts.wait import wait_until

PACE_S = 0.25  # a look is a process on the instance, whose boot is measured


@pytest.fixture(scope="module")
def image(lab: Lab) -> Path:
    """Baked of the repository that the instances are installed from."""
    bucket, folder = lab.folder / "repository", lab.folder / "baked"
    key = (bucket / "RPM-GPG-KEY-web-node-agent").read_bytes()
    bake(lab.build, lab.logs, bucket, folder, RepositoryKey=base64.b64encode(key).decode(),
         CaBundleSha256=hashlib.sha256((bucket / "rds-ca.pem").read_bytes()).hexdigest())
    return folder


def third(lab: Lab) -> Inside:
    """Scales out by one, until user-data has ended."""
    known = {instance["id"] for instance in lab.instances()}
    lab.ask("capacity", desired=len(known) + 1)
    new, host = lab.launched(known)
    wait_until(lambda: "web-node-setup: ready" in host.read(SAID), "its user-data has ended", 120,
               PACE_S)
    wait_until(lambda: lab.targets()[new]["state"] == "healthy", "it is healthy", 60)
    return host


def told(found: Timeline) -> str:
    healthy = found.events["/healthz 200"]
    return f"{healthy - found.userspace:.1f} s, unit start to healthy {healthy - found.agent:.2f} s"


@pytest.mark.timeout(400)
def test_a_scale_out_needs_no_repository(settled: Lab, image: Path, notes: Notes) -> None:
    """S3, which Amazon Linux's repository is in, too, answers with errors."""
    began = time.time()
    installed = timeline.read(third(settled))  # the twin: it asks for packages
    assert any(path.endswith("/repodata/repomd.xml") for path in settled.ask("asked", since=began))
    least = settled.facts()["min_size"]
    settled.ask("capacity", desired=least)
    settled.wait_healthy(least, 120)

    settled.ask("image", folder=str(image))
    settled.ask("repository", available=False)
    try:
        began = time.time()
        host = third(settled)
        baked = timeline.read(host)
        assert not settled.ask("asked", since=began) and "again in" not in host.read(SAID)
        notes.add(f"    machine start to healthy: with installation {told(installed)}; "
                  f"baked {told(baked)}")
    finally:
        settled.ask("restore")
