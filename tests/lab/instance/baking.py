"""Bakes the image of packaging/image/image.yaml as EC2 Image Builder does, without AWS: a machine of
the lab's image runs the component's commands, is cleaned, and its disk is the new image. A second
machine of that image runs the component's test. Both have no network: Amazon Linux's packages come
from the image's own folder, the agent's from the bucket's.

Instances of one image have the same user IDs, and the kernel counts a user's processes over all
machines (LimitNPROC=): launch one at a time."""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from rig.machine import Machine
from .image import BASE

TEMPLATE = Path(__file__).parents[3] / "packaging/image/image.yaml"
AMAZON = "/etc/yum.repos.d/amazonlinux.repo"
NO_CLOUD_INIT = "/etc/cloud/cloud-init.disabled"
DOWNLOADED = "/var/tmp/web-node-agent"  # where the component expects the bucket's files
# Image Builder's clean-up, as far as such a machine has these (EC2 Image Builder User Guide,
# "Required post-build clean up"). Each machine of the rig has its own machine ID already.
CLEAN = "rm -rf /var/lib/cloud/* /var/tmp/* /var/log/journal/* /etc/ssh/ssh_host_*"


class Loader(yaml.SafeLoader):
    """The component needs none of CloudFormation's short forms."""


Loader.add_multi_constructor("!", lambda *_: None)


def component(**values: str) -> dict[str, Any]:
    """The component's document, as Image Builder gets it. `values`: the template's parameters."""
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader)
    text, own = template["Resources"]["Component"]["Properties"]["Data"]["Fn::Sub"]
    values = {"PackageBucket": "bucket", "AWS::AccountId": "123456789012", **own, **values}
    return dict(yaml.safe_load(re.sub(r"\$\{([^}]*)\}", lambda match: values[match[1]], text)))


def commands(phase: str, **values: str) -> str:
    """A phase's commands, one script as Image Builder makes of them."""
    steps = next(one for one in component(**values)["phases"] if one["name"] == phase)["steps"]
    return "#!/bin/bash\n" + "\n".join(line for step in steps if step["action"] == "ExecuteBash"
                                       for line in step["inputs"]["commands"])


def run(machine: Machine, script: str) -> None:
    machine.write("/tmp/input.sh", script)
    machine.run("bash", "/tmp/input.sh", timeout=300)
    machine.path("/tmp/input.sh").unlink()


def bake(build: Path, logs: Path, bucket: Path, to: Path, **values: str) -> None:
    """`bucket`: the repository; `to`: the new image."""
    machine = Machine("baking", logs, build / BASE)
    try:
        amazon = machine.read(AMAZON)
        machine.write(AMAZON, re.sub("(?m)^baseurl=.*", "baseurl=file:///srv/amazonlinux", amazon))
        machine.write(NO_CLOUD_INIT, "")
        machine.boot()
        shutil.copytree(bucket, machine.path(DOWNLOADED))
        run(machine, commands("build", **values))
        machine.power_off()
        machine.write(AMAZON, amazon)
        machine.sh(CLEAN)
        shutil.rmtree(to, ignore_errors=True)
        # The root itself, not the link to it.
        subprocess.run(["cp", "-a", "--one-file-system", f"{machine.path('/')}/.", to], check=True)
    finally:
        machine.close()
    machine = Machine("baked", logs, to)
    try:
        machine.boot()
        run(machine, commands("test", **values))
    finally:
        machine.close()
    (to / NO_CLOUD_INIT[1:]).unlink()
