"""The package under dnf, on an instance in service: upgrade and downgrade under load, and removal.
(tests/system/test_upgrade.py and test_removal.py test units and processes.)"""
from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from lab.command.client import Inside, Lab
from lab.command.table import Notes
from parts.wait import wait_until
from .checking import Checks
from .visitors import Visitors, addresses, bad, told

PACKAGE = "web-node-agent"
ETC = "/etc/web-node-agent"
EFS = "/var/www/html/efs"
CHANGED = "# by an administrator"
# Files of the package or of its programs.
PLACES = (ETC, "/var/lib/web-node-agent", "/run/web-node-agent", "/usr/libexec/web-node-agent",
          "/usr/share/doc/web-node-agent", "/usr/share/licenses/web-node-agent")
# Files of an administrator, of user-data or of the lab: these stay.
STAYS = {f"{ETC}/{name}" for name in (
    "agent.conf.rpmsave", "agent.conf.d/10-stack.conf", "agent.conf.d/20-lifecycle.conf",
    "agent.conf.d/60-admin.conf",
    "agent.conf.d/90-lab.conf", "stack.env", "rds-ca.pem")}


def dnf(host: Inside, *words: str) -> None:
    host.run("dnf", "-y", "-q", "--refresh", *words, PACKAGE, timeout=120)


def administrate(host: Inside) -> None:
    host.write_inside(f"{ETC}/agent.conf.d/60-admin.conf", "[health]\nrequest_timeout = 4s\n")
    host.sh(f"echo '{CHANGED}' >> {ETC}/agent.conf")


def runs(host: Inside) -> str:
    """The version of the running agent."""
    said = host.run("wnactl", "status", "--json", check=False).stdout
    if not said.startswith("{"):
        raise LookupError(said)
    return str(json.loads(said)["version"])


def mounted(host: Inside) -> list[str]:
    """The mount's id: a new mount of the same file system has another id."""
    return [line.split()[0] for line in host.run("cat", "/proc/self/mountinfo").stdout.splitlines()
            if line.split()[4] == EFS]


def bare_directory_is_writable(host: Inside) -> bool:
    """The directory below the mount, read where nothing is mounted on it."""
    script = f"mount --make-rprivate /; umount -l {EFS}; touch {EFS}/x && rm {EFS}/x"
    return host.run("unshare", "--mount", "sh", "-c", script, check=False).returncode == 0


@dataclass
class Load:
    """An instance in service under continuous requests."""
    host: Inside
    address: str
    checks: Checks
    people: Visitors


def changes_version(load: Load, command: str, notes: Notes) -> None:
    """Changes the version with dnf; no client sees an error."""
    host, checks = load.host, load.checks
    before, mount = runs(host), mounted(host)
    began, since = time.monotonic(), time.time()
    dnf(host, command)
    wait_until(lambda: runs(host) != before, f"{command}: the other version runs", 30)
    host.run("wnactl", "wait", "--for", "ready", "--timeout", "60s", timeout=70)
    took = time.monotonic() - began
    load.people.wait(lambda v: len(v) >= 20, "visits afterwards", since=time.time())
    wait_until(lambda: len(checks.since(since)) > 50, "health checks afterwards", 30)
    done, visits = checks.since(since), load.people.visits(since)
    failed = [checked for checked in done if checked.status != 200]
    notes.add(f"    {command} to {runs(host)} by dnf under load, {took:.0f} s: {len(failed)} of {len(done)} "
              f"health checks failed, the slowest took {max(checked.took_s for checked in done):.1f} s; "
              f"{len(bad(visits))} of {len(visits)} pages failed ({told(visits)})")
    assert not failed, failed[:5]
    assert not bad(visits), told(visits)
    assert load.address in addresses(visits)
    assert mounted(host) == mount and len(mount) == 1
    assert host.run("tail", "-n", "1", f"{ETC}/agent.conf").stdout == CHANGED + "\n"
    assert host.run("rpm", "-V", PACKAGE, check=False).stdout == f"S.5....T.  c {ETC}/agent.conf\n"


@pytest.mark.timeout(400)
def test_upgrade_and_downgrade_under_load(settled: Lab, notes: Notes) -> None:
    """No health check is refused, failed or late, no page fails, the file system is not mounted
    again, and an administrator's configuration is kept. (The instance uses its CPU credits, like a
    T instance during an installation: on a quarter of a processor the services start in seconds,
    and a core without reports answers after 300 ms.)"""
    instance = settled.in_service()[0]
    host, address = settled.host(instance["host"]), instance["address"]
    first, activities = runs(host), settled.activities()
    administrate(host)
    url = f"http://{settled.facts()['alb_name']}/efs/"
    try:
        settled.ask("next_version", offered=True)
        settled.ask("credits", host=host.name, on=True)
        with Checks(settled, address) as checks, \
                Visitors(settled.host("client"), url, pause_s=0.1) as people:
            load = Load(host, address, checks, people)
            changes_version(load, "upgrade", notes)
            changes_version(load, "downgrade", notes)
        assert runs(host) == first
        assert settled.targets()[instance["id"]]["state"] == "healthy"
        assert settled.activities() == activities
    finally:
        settled.ask("credits", host=host.name, on=False)
        settled.ask("next_version", offered=False)
        host.sh(f"rm {ETC}/agent.conf.d/60-admin.conf; sed -i '$d' {ETC}/agent.conf; "
                "systemctl reload web-node-agent")


@pytest.mark.timeout(300)
def test_removal(settled: Lab, notes: Notes) -> None:
    """Only other people's files stay; the file system stays mounted, and its directory is not
    immutable any more. The group replaces the instance, which answers no health checks."""
    instance = settled.in_service()[0]
    host = settled.host(instance["host"])
    administrate(host)
    mount = mounted(host)
    assert len(mount) == 1 and not bare_directory_is_writable(host)
    settled.ask("suspend", process="ReplaceUnhealthy")
    try:
        dnf(host, "remove")
        left = host.sh(f"find {' '.join(PLACES)} ! -type d 2> /dev/null || :; systemctl list-unit-files "
                       "'web-node-agent*' --no-legend --no-pager || :; pgrep -l wna || :").splitlines()
        assert set(left) <= STAYS and f"{ETC}/agent.conf.rpmsave" in left, left
        assert mounted(host) == mount and bare_directory_is_writable(host)
    finally:
        settled.ask("resume", process="ReplaceUnhealthy")
    # Without an agent the termination hook waits for its time-out, 120 s.
    wait_until(lambda: instance["id"] not in {i["id"] for i in settled.instances()},
               "it is terminated", 240)
    settled.wait_healthy(settled.facts()["min_size"], 90)
    notes.add(f"    removed by dnf: {len(left)} files are left, all of others' making")
