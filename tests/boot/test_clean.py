"""A machine's life without trouble at its birth: a clean first boot; then, each on a disk that begins
as the installed one, a reboot, a power cut and a full disk."""
from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from parts.wait import wait_until
from . import facts, timeline
from .asking import vanished
from .conftest import Born, place
from .machine import Machine, overlay
from .timeline import Timeline
from .world import BootWorld, Instance

FIRST_BOOT_S, BOOT_S = 420, 240
BIG = "/var/tmp/fill"
Note = Callable[[str], None]


@dataclass
class Seen(Born):
    """What there is to know of it when it is off."""
    timeline: Timeline
    said: str          # the console
    asked: list[tuple[float, str, int]]
    metadata: list[dict[str, object]]


@pytest.fixture(scope="module")
def instance(world: BootWorld) -> Instance:
    return Instance(world, world.model.zones[0])


def healthy_at(instance: Instance) -> float:
    facts.wait_target(instance, "healthy", FIRST_BOOT_S + 60)
    return time.time()


@pytest.fixture(scope="module")
def born(world: BootWorld, instance: Instance, note: Note) -> Seen:
    """The first boot, looked at while it is well; then the machine is stopped, and its disk stays."""
    disk = overlay(world.base_disk(), world.disks / "installed.qcow2")
    instance.serve_metadata()
    world.serve_time(instance.place)
    began = time.time()
    machine = instance.boot(disk)
    instance.register()
    with ThreadPoolExecutor(1) as pool:
        target = pool.submit(healthy_at, instance)
        machine.wait_said("web-node-setup: ready", FIRST_BOOT_S)
        healthy = target.result()
    facts.wait_metric(world, began, 60)
    facts.check_well(world, instance, machine)
    # Evidence for the tests below, of a machine that will be off then.
    machine.sh("rpm -qi web-node-agent > /var/tmp/rpm; cloud-init status --wait --long > /var/tmp/cloud-init || :")
    found = timeline.read(machine)
    kernel = time.time() - float(machine.sh("cut -d ' ' -f 1 /proc/uptime"))
    found.events["target healthy at the load balancer"] = healthy - kernel
    timeline.draw(found, f"From a bare image to a healthy target (QEMU, {world.image.accel})",
                  place("WNA_BOOT_LOGS") / "timeline.svg")
    note(f"first boot ({world.image.accel}): " + "; ".join(found.lines()))
    born = Seen(instance, disk, found, machine.said(), list(world.internet.repo.asked),
                world.metadata.order(instance.place.eni, op="log"))
    born.said += machine.sh("cat /var/tmp/rpm /var/tmp/cloud-init; rpm -qa --qf '%{NAME}\\n'; "
                            "cat /var/log/dnf.rpm.log")
    machine.shut_down()
    return born


def test_first_boot(born: Seen) -> None:
    """Nobody touched it: the metadata service told it everything, by tokens alone."""
    asked = [entry for entry in born.metadata if entry["method"] == "GET"]
    assert asked and all(entry["token"] for entry in asked if entry["status"] == 200)
    assert any(str(entry["path"]).endswith("/user-data") for entry in asked)
    assert "DataSourceEc2" in born.said, born.said[-800:]
    assert not re.search(r"^status: error|Traceback", born.said, re.M)


def test_installed_from_the_signed_repository(born: Seen) -> None:
    paths = [path for _, path, code in born.asked if code == 200]
    assert any(path.endswith("/repodata/repomd.xml.asc") for path in paths)
    assert any("web-node-agent-" in path and path.endswith(".rpm") for path in paths)
    assert re.search(r"^Signature +: RSA", born.said, re.M)


def test_dependencies(born: Seen, note: Note) -> None:
    """What dnf brought beyond the image, the packages that user-data names aside."""
    known = {"amazon-linux-image", "web-node-agent", "httpd", "php8.4-fpm", "php8.4-cli",
             "php8.4-mysqlnd", "nftables", "awscli-2", "amazon-efs-utils"}
    installed = re.findall(r"^[a-z][a-zA-Z0-9.+-]+$", born.said[born.said.rindex("detail:"):], re.M)
    brought = sorted({name for name in installed if not name.startswith("gpg-pubkey")} - known)
    note("dependencies beyond the image: " + " ".join(brought))
    # As packaging/rpm/README.md lists them; and cJSON, which the package for Amazon Linux brings.
    assert brought == sorted(["cjson", "libevent", "mariadb-connector-c"])


def test_time_to_the_first_healthy_answer(born: Seen, world: BootWorld, note: Note) -> None:
    found = born.timeline
    what, _ = found.waited_for
    share = 100 * found.beyond / found.systemd
    note(f"unit start to first healthy answer: {found.events['/healthz 200'] - found.agent:.2f} s; beyond "
         f"the slowest thing it waits for ({what}): {found.beyond:.2f} s, {share:.1f} % of systemd's own "
         f"{found.systemd:.1f} s")
    assert found.beyond < (1.0 if world.image.accel == "kvm" else 5.0)


def test_reboot(again: Machine, born: Born, world: BootWorld, note: Note) -> None:
    facts.agent_there(again, BOOT_S)
    facts.wait_page(born.instance, "/readyz", 200, BOOT_S)
    note(f"reboot: ready {time.time() - again.began:.0f} s after power on")
    facts.wait_target(born.instance, "healthy", 60)
    facts.check_well(world, born.instance, again)
    assert "web-node-setup" not in again.said()  # user-data is the first boot's


def test_power_cut(again: Machine, born: Born, world: BootWorld, note: Note) -> None:
    """With data on the disk that CloudWatch has not had."""
    facts.agent_there(again, BOOT_S)
    facts.wait_page(born.instance, "/readyz", 200, BOOT_S)
    with vanished(world.services.aws.host, 443):
        wait_until(lambda: facts.queued(again) >= 1, "samples wait on the disk", 90)
        first = time.time()
        wait_until(lambda: facts.queued(again) >= 4, "more samples wait on the disk", 90)
        last = time.time()
        again.cut()
    again.start()
    facts.agent_there(again, BOOT_S)
    facts.wait_page(born.instance, "/readyz", 200, BOOT_S)
    note(f"power cut: ready {time.time() - again.began:.0f} s after power on")
    # Whole periods between the first that waited and the last that was written surely.
    length = world.model.policy.period
    note_found: list[int] = []

    def arrived() -> bool:
        found = [samples for start, _, samples in facts.metric(world, first)
                 if first <= start and start + 2 * length <= last]
        note_found[:] = found
        return bool(found) and all(found)
    wait_until(arrived, "what waited on the disk has arrived", 60)
    note(f"power cut: samples of {len(note_found)} periods that waited on the disk have arrived")
    facts.check_well(world, born.instance, again)


def test_full_disk(again: Machine, born: Born, world: BootWorld, note: Note) -> None:
    """From before the boot until somebody makes room; it serves all the while."""
    facts.agent_there(again, BOOT_S)
    facts.wait_page(born.instance, "/readyz", 200, BOOT_S)
    again.sh(f"dd if=/dev/zero of={BIG} bs=1M; dd if=/dev/zero of={BIG}2 bs=4k; sync; "
             "test $(df --output=avail / | tail -n 1) -lt 64", check=False, timeout=120)
    assert int(again.sh("df --output=avail / | tail -n 1")) < 1024
    again.shut_down()
    again.start()
    facts.agent_there(again, BOOT_S)
    facts.wait_page(born.instance, "/healthz", 200, BOOT_S)
    assert int(again.sh("df --output=avail / | tail -n 1")) < 1024
    note(f"full disk: /healthz 200 {time.time() - again.began:.0f} s after power on")
    since = time.time()
    facts.wait_metric(world, since, 60)
    facts.wait_target(born.instance, "healthy", 60)
    again.sh(f"rm {BIG} {BIG}2")
    took = facts.wait_page(born.instance, "/readyz", 200, 60)
    note(f"full disk: /readyz 200 {took:.1f} s after there was room")
    # Units with a /var/tmp of their own could not start without room. The one-shot tries again by
    # itself; who looks for it comes every four minutes, here now.
    again.sh("systemctl start web-node-agent-database-look.service")
    # Others may well have failed at a boot without room.
    facts.check_well(world, born.instance, again, "'web-node-agent*' httpd php-fpm")
