"""A machine that is born into trouble: metadata, repository and clock. Then, each on a disk that begins as
the installed one: an upgrade under load, back again and away, and a boot without the file system."""
from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable

import pytest

from lab.proof.visitors import Visitors, good
from parts.wait import hold_true, wait_until
from . import facts
from .asking import Probed, Probes, vanished
from .conftest import Born
from .machine import Machine, overlay
from .world import BootWorld, Instance

LATE_S, HOUR = 60, 3600
FIRST_BOOT_S, BOOT_S = 600, 240
TARGETS = "/etc/web-node-agent /var/lib/web-node-agent /run/web-node-agent /usr/libexec/web-node-agent " \
    "/usr/share/doc/web-node-agent /usr/share/licenses/web-node-agent"
Note = Callable[[str], None]


@pytest.fixture(scope="module")
def instance(world: BootWorld) -> Instance:
    return Instance(world, world.model.zones[1])


@pytest.fixture(scope="module")
def born(world: BootWorld, instance: Instance, note: Note) -> Born:
    """Metadata and repository are a minute late, one after the other, and the clock, an hour behind,
    stays wrong until after the agent has come to work."""
    disk = overlay(world.base_disk(), world.disks / "installed.qcow2")
    instance.serve_metadata()
    world.metadata.order(instance.place.eni, op="fault", match=".*", kind="silence", count=-1)
    repository = world.internet.repo
    repository.unavailable = True
    machine = instance.boot(disk, clock=-HOUR)
    instance.register()
    began = time.time()
    wait_until(lambda: time.time() - began >= LATE_S, "a minute without metadata", LATE_S + 1)
    assert not repository.asked
    world.metadata.order(instance.place.eni, op="clear")
    wait_until(lambda: repository.asked, "the repository is asked", 300)
    refused = time.time()
    wait_until(lambda: time.time() - refused >= LATE_S, "a minute without the repository", LATE_S + 1)
    repository.unavailable = False
    facts.wait_page(instance, "/livez", 200, 300)
    # With this clock AWS takes no signature, and so there are no credentials for the page.
    wait_until(lambda: "/var/www/html/efs " in machine.sh("cat /proc/self/mountinfo"),
               "the file system is mounted", 120)
    assert abs(time.time() - float(machine.sh("date +%s")) - HOUR) < 60
    hold_true(lambda: facts.page_is(instance, "/healthz") == 503, "it does not say that it is well", 5)
    world.serve_time(instance.place)
    mended = time.time()
    facts.wait_page(instance, "/readyz", 200, FIRST_BOOT_S)
    note(f"first boot with faults: ready {time.time() - mended:.0f} s after the last one was mended, "
         f"{time.time() - began:.0f} s after power on")
    machine.wait_said("web-node-setup: ready", 60)
    facts.wait_target(instance, "healthy", 60)
    facts.wait_metric(world, mended, 60)
    facts.check_well(world, instance, machine)
    machine.shut_down()
    return Born(instance, disk)


def test_first_boot_with_faults(born: Born) -> None:
    """It came to work by itself; the fixture has seen to it."""
    assert born.disk.exists()


def test_file_system_absent_at_boot(again: Machine, born: Born, world: BootWorld, note: Note) -> None:
    with vanished(world.services.efs.host, 2049):
        facts.agent_there(again, BOOT_S)
        facts.wait_page(born.instance, "/livez", 200, BOOT_S)
        wait_until(lambda: again.sh("systemctl is-active multi-user.target", check=False) == "active\n",
                   "the boot is over", 60)
        hold_true(lambda: facts.page_is(born.instance, "/healthz") == 503,
                  "nothing is mounted, and it says so", 10)
    back = time.time()
    facts.wait_page(born.instance, "/readyz", 200, 120)
    note(f"file system absent at boot: ready {time.time() - back:.0f} s after it came back")
    facts.wait_target(born.instance, "healthy", 60)
    facts.check_well(world, born.instance, again)


def test_upgrade_downgrade_removal(again: Machine, born: Born, world: BootWorld, note: Note) -> None:
    """Under load: not one health check refused, failed or late, nor a page."""
    instance, client = born.instance, world.internet.client
    facts.agent_there(again, BOOT_S)
    facts.wait_page(instance, "/readyz", 200, BOOT_S)
    facts.wait_target(instance, "healthy", 60)
    again.sh("printf '[health]\\nrequest_timeout = 4s\\n' > /etc/web-node-agent/agent.conf.d/60-admin.conf; "
             "echo '# by an administrator' >> /etc/web-node-agent/agent.conf")
    mount = mounted(again)
    world.offer_next_version()
    address = next(iter(world.services.spots[node.host.name].public or ""
                        for node in world.services.alb.nodes.values()))
    with Probes(world, instance.address, world.image.accel == "tcg") as probes, \
            Visitors(client, f"http://{address}/efs/", workers=2, pause_s=0.1) as people:
        for command, version in (("upgrade", "0.1.1"), ("downgrade", "0.1.0")):
            since = time.time()
            again.sh(f"dnf -y -q --refresh {command} web-node-agent", timeout=240)
            wait_until(lambda v=version: facts.status(again)["version"] == v, f"{version} runs", 60)
            facts.wait_page(instance, "/readyz", 200, 60)
            assert mounted(again) == mount
            assert again.sh("tail -n 1 /etc/web-node-agent/agent.conf") == "# by an administrator\n"
            done = [p for p in probes.all if p.at >= since]
            failed, visits = probes.failed(since), people.visits(since)
            slow = max(p.took_s for p in done)
            note(f"{command} under load: {len(failed)} of {len(done)} health checks failed (each had "
                 f"{probes.patience_s:g} s, the slowest took {slow:.1f} s), "
                 f"{sum(not good(v) for v in visits)} of {len(visits)} pages")
            keep_evidence(world.logs / f"{command}.log", again, done)
            assert len(done) > 50 and not failed, failed[:5]
            assert instance.state() == "healthy" and not world.said_unhealthy(instance.id, since)
            assert len(visits) > 10 and all(map(good, visits)), [v for v in visits if not good(v)][:3]
    again.sh("dnf -y -q remove web-node-agent", timeout=240)
    left = again.sh(f"find {TARGETS} ! -type d 2> /dev/null | sort; systemctl list-unit-files 'web-node-agent*' "
                    "--no-legend --no-pager; pgrep -l wna || :", check=False).split("\n")
    note("after the removal there is: " + " ".join(left))
    assert mounted(again) == mount
    flags = again.sh("mount --bind -o ro /var/www/html /mnt; lsattr -d /mnt/efs; umount /mnt")
    assert "i" not in flags.split()[0], flags
    allowed = {"/etc/web-node-agent/agent.conf.rpmsave", "/etc/web-node-agent/agent.conf.d/10-stack.conf",
               "/etc/web-node-agent/agent.conf.d/60-admin.conf", "/etc/web-node-agent/stack.env",
               "/etc/web-node-agent/rds-ca.pem", ""}
    assert set(left) <= allowed, left


def keep_evidence(file: Path, machine: Machine, done: list[Probed]) -> None:
    """Which checks were slow, and what the agent was at, by the same clock."""
    slow = [f"{datetime.fromtimestamp(p.at, timezone.utc):%H:%M:%S.%f} {p.status} after {p.took_s:.2f} s\n"
            for p in done if p.took_s > 0.5]
    file.write_text("".join(slow) + machine.sh(
        "journalctl -b --utc --no-pager -n 300 -o short-precise -u 'web-node-agent*'"))


def mounted(machine: Machine) -> str:
    """The mount by its id: another one, even the same again, has another."""
    return next(line.split()[0] for line in machine.sh("cat /proc/self/mountinfo").splitlines()
                if f" {facts.EFS} " in line)
