"""A machine's life, from a bare image on: a clean first boot to a healthy target; the power is cut; and a
boot into trouble. What needs no kernel and no disk of its own is looked at elsewhere: tests/units,
tests/system, tests/lab."""
from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from parts.wait import hold_true, wait_until
from . import facts, timeline
from .conftest import place
from .guest_agent import PACE_S
from .machine import Machine, overlay
from .timeline import Timeline
from .world import BootWorld, Instance, TimeServer, vanished

# For whoever waits, with a machine half as fast in mind.
FIRST_BOOT_S, BOOT_S = 900, 500
HOUR = 3600
Note = Callable[[str], None]


@dataclass
class Born:
    """A machine that came to work, and what there is to know of how it did."""
    instance: Instance
    disk: Path
    machine: Machine
    time: TimeServer
    timeline: Timeline
    said: str          # the console
    asked: list[tuple[float, str, int]]
    metadata: list[dict[str, object]]


@pytest.fixture(scope="module")
def instance(world: BootWorld) -> Instance:
    return Instance(world, world.model.zones[0])


@pytest.fixture(scope="module")
def born(world: BootWorld, instance: Instance, note: Note) -> Born:
    """The first boot, looked at when it is over; the machine goes on."""
    disk = overlay(world.base_disk(), world.disks / "disk.qcow2")
    instance.serve_metadata()
    server = TimeServer(world, instance.place)
    server.start()
    began = time.time()
    machine = instance.boot(disk)
    instance.register()
    with ThreadPoolExecutor(1) as pool:
        target = pool.submit(facts.wait_target, instance, FIRST_BOOT_S)
        machine.wait_said("web-node-setup: ready", FIRST_BOOT_S)
        healthy = target.result()
    facts.wait_metric(world, began)
    facts.check_well(world, instance, machine)
    # What cloud-init says of itself is true when it has ended.
    said = machine.sh("rpm -qi web-node-agent; cloud-init status --wait --long || :; "
                      "rpm -qa --qf '%{NAME}\\n'; cat /var/log/dnf.rpm.log")
    found = timeline.read(machine)
    kernel = time.time() - float(machine.sh("cut -d ' ' -f 1 /proc/uptime"))
    found.events["target healthy at the load balancer"] = healthy - kernel
    timeline.draw(found, f"From a bare image to a healthy target (QEMU, {world.image.accel})",
                  place("WNA_BOOT_LOGS") / "timeline.svg")
    note(f"first boot ({world.image.accel}): " + "; ".join(found.lines()))
    return Born(instance, disk, machine, server, found, machine.said() + said,
                list(world.internet.repo.asked), world.metadata.order(instance.place.eni, op="log"))


def test_first_boot(born: Born) -> None:
    """Nobody touched it: the metadata service told it everything, by tokens alone."""
    asked = [entry for entry in born.metadata if entry["method"] == "GET"]
    assert asked and all(entry["token"] for entry in asked if entry["status"] == 200)
    assert any(str(entry["path"]).endswith("/user-data") for entry in asked)
    assert "DataSourceEc2" in born.said, born.said[-800:]
    assert not re.search(r"^status: error|Traceback", born.said, re.M)


def test_installed_from_the_signed_repository(born: Born) -> None:
    paths = [path for _, path, code in born.asked if code == 200]
    assert any(path.endswith("/repodata/repomd.xml.asc") for path in paths)
    assert any("web-node-agent-" in path and path.endswith(".rpm") for path in paths)
    assert re.search(r"^Signature +: RSA", born.said, re.M)


def test_dependencies(born: Born, note: Note) -> None:
    """What dnf brought beyond the image, the packages that user-data names aside."""
    known = {"amazon-linux-image", "web-node-agent", "httpd", "php8.4-fpm", "php8.4-cli",
             "php8.4-mysqlnd", "nftables", "awscli-2", "amazon-efs-utils"}
    installed = re.findall(r"^[a-z][a-zA-Z0-9.+-]+$", born.said[born.said.rindex("detail:"):], re.M)
    brought = sorted({name for name in installed if not name.startswith("gpg-pubkey")} - known)
    note("dependencies beyond the image: " + " ".join(brought))
    # As packaging/rpm/README.md lists them; and cJSON, which the package for Amazon Linux brings.
    assert brought == sorted(["cjson", "libevent", "mariadb-connector-c"])


def test_time_to_the_first_healthy_answer(born: Born, world: BootWorld, note: Note) -> None:
    found = born.timeline
    what, _ = found.waited_for
    share = 100 * found.beyond / found.systemd
    note(f"unit start to first healthy answer: {found.events['/healthz 200'] - found.agent:.2f} s; beyond "
         f"the slowest thing it waits for ({what}): {found.beyond:.2f} s, {share:.1f} % of systemd's own "
         f"{found.systemd:.1f} s")
    assert found.beyond < (1.0 if world.image.accel == "kvm" else 5.0)


def comes_again(born: Born, note: Note) -> None:
    """Started from its disk it comes to work by itself; its first boot was the only one of that kind."""
    machine, instance = born.machine, born.instance
    facts.agent_there(machine, BOOT_S)
    facts.wait_page(instance, "/readyz", 200, BOOT_S)
    note(f"second boot: ready {time.time() - machine.began:.0f} s after power on")
    facts.wait_target(instance)
    facts.check_well(instance.world, instance, machine)
    assert "web-node-setup" not in machine.said()  # user-data is the first boot's


def test_power_cut(born: Born, world: BootWorld, note: Note) -> None:
    """With data on the disk that CloudWatch has not had. The boot after it is any reboot's, too."""
    machine = born.machine
    with vanished(world.services.aws.host, 443):
        wait_until(lambda: facts.queued(machine) >= 1, "samples wait on the disk", facts.SOON_S, PACE_S)
        first = time.time()
        wait_until(lambda: facts.queued(machine) >= 4, "more samples wait on the disk", facts.SOON_S,
                   PACE_S)
        last = time.time()
        machine.cut()
    machine.start()
    comes_again(born, note)
    # Whole periods between the first that waited and the last that was written surely.
    length = world.model.policy.period
    note_found: list[int] = []

    def arrived() -> bool:
        found = [samples for start, _, samples in facts.metric(world, first)
                 if first <= start and start + 2 * length <= last]
        note_found[:] = found
        return bool(found) and all(found)
    wait_until(arrived, "what waited on the disk has arrived", facts.SOON_S)
    note(f"power cut: samples of {len(note_found)} periods that waited on the disk have arrived")


def behind(machine: Machine) -> bool:
    """Whether its clock is an hour behind."""
    return abs(time.time() - float(machine.sh("date +%s")) - HOUR) < HOUR / 2


def test_trouble_at_boot(born: Born, world: BootWorld, note: Note) -> None:
    """The clock is an hour behind and nobody tells the time, and what is sent to the file system vanishes.
    The boot does not wait for it and the answer says it; mended one after the other, it comes to work by
    itself."""
    instance = born.instance
    born.machine.cut()
    born.time.stop()
    with vanished(world.services.efs.host, 2049):
        machine = instance.boot(born.disk, clock=-HOUR)
        facts.agent_there(machine, BOOT_S)
        facts.wait_page(instance, "/livez", 200, BOOT_S)
        wait_until(lambda: machine.sh("systemctl is-active multi-user.target", check=False) == "active\n",
                   "the boot is over", BOOT_S, PACE_S)
        hold_true(lambda: facts.page_is(instance, "/healthz") == 503, "nothing is mounted, and it says so", 5)
        assert not facts.mounted(machine) and behind(machine)
    back = time.time()
    wait_until(lambda: facts.mounted(machine), "the file system is mounted", facts.SOON_S, PACE_S)
    note(f"file system absent at boot: mounted {time.time() - back:.0f} s after it came back")
    assert behind(machine)
    born.time.start()
    told = time.time()
    wait_until(lambda: not behind(machine), "the clock is set", facts.SOON_S, PACE_S)
    facts.wait_page(instance, "/readyz", 200, BOOT_S)
    note(f"clock an hour behind at boot: ready {time.time() - told:.0f} s after the time was told")
    facts.wait_target(instance)
    facts.wait_metric(world, told)
    facts.check_well(world, instance, machine)
