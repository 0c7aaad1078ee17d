"""Machines: a Debian under its own systemd, in a container of systemd-nspawn's. To a test a machine
is a host (parts.host) that can boot."""
from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from parts.host import ENVIRONMENT, UNSHARE, Host, child, joining

HOLDER = Path(__file__).with_name("nspawn.py")
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WNA_BUILD") or ROOT / "build/check").resolve()
# The control group is there before the first process of the machine and goes after the last one,
# also where the test that made the machine has been killed.
GROUP = ('group=$1; shift; mkdir "$group" || exit; "$@"; status=$?; '
         'n=0; while grep -qx "populated 1" "$group/cgroup.events" && [ $n -lt 500 ]; do '
         'sleep 0.02; n=$((n + 1)); done; '
         'find "$group" -depth -type d -exec rmdir {} +; exit $status')


def unified() -> Path:
    """Where the control groups of version 2 are mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    raise RuntimeError("this machine has no control groups of version 2 (mount -t cgroup2)")


def group_of(name: str) -> Path:
    """tests/setup/left knows whose a group is by the beginning of its name."""
    build = hashlib.sha256(str(BUILD).encode()).hexdigest()[:12]
    return unified() / f"wna-lab-{build}-rig-{os.getpid()}-{name}"


class Machine(Host):
    """`base`: what tests/rig/base made. Before boot() files can be written and programs be run as in
    a chroot, with no /proc; afterwards everything happens beside the machine's systemd. What is
    written stays over boots, in memory, and ends with the machine."""

    def __init__(self, name: str, logs: Path, base: Path, copies: list[Path] | None = None,
                 binds: list[tuple[Path, str, str]] | None = None,
                 cgroups: list[Path] | None = None) -> None:
        self.base = base
        self.group = group_of(name)
        self.up = False
        super().__init__(name, logs, copies, binds, cgroups)

    def _holding(self, plan: dict[str, Any]) -> list[str]:
        plan["base"] = str(self.base.resolve())
        return ["sh", "-c", GROUP, "sh", str(self.group), *joining(
            [self.group, *self.cgroups], [*UNSHARE, str(HOLDER), json.dumps(plan)])]

    def _find(self) -> int:
        return child(child(self._holder.pid))

    @property
    def pid(self) -> int:
        """The machine's first process; before a boot the holder. LookupError between two boots."""
        holder = super().pid
        return child(child(holder)) if self.up else holder

    def enter(self, *args: str) -> list[str]:
        if not self.up:
            return super().enter(*args)
        return joining([self.group / "payload", *self.cgroups], [
            "nsenter", "-t", str(self.pid), "-a", "-r", "-w", "--",
            "env", "-i", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *args])

    # boots

    def boot(self, wait: bool = True) -> None:
        """Until systemd has no job left. Without `wait` only until its first process runs."""
        super().pid  # the root is there
        assert self._holder.stdin
        self._holder.stdin.write(b"boot")
        self._runs()
        if wait:
            self.wait_booted()

    def _runs(self) -> None:
        self._hear("running", 20)
        self.up = True
        self._held.append(os.open(f"/proc/{self.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC))

    def wait_booted(self, timeout: float = 30.0) -> None:
        self._hear("booted", timeout)

    def _ended(self) -> None:
        self._hear("ended", 60)
        self.up = False

    def power_off(self) -> None:
        """In good order."""
        self.run("systemctl", "--no-block", "poweroff")
        self._ended()

    def cut_power(self) -> None:
        """All processes at once. (What was written is in memory and is not lost, synced or not.)"""
        os.kill(self.pid, signal.SIGKILL)
        self._ended()

    def reboot(self) -> None:
        self.run("systemctl", "--no-block", "reboot")
        self._runs()
        self.wait_booted()

    # systemd

    def systemctl(self, *args: str, check: bool = True, timeout: float = 60.0) -> str:
        return self.run("systemctl", *args, check=check, timeout=timeout).stdout

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def journal(self, *args: str, after: str = "") -> list[dict[str, Any]]:
        """Entries, the oldest first; what has been said until now is among them. `after`: a cursor.
        (With matches, journalctl 252's --after-cursor omits the first entry after a cursor that
        does not match.)"""
        self.run("journalctl", "--sync")
        since = [f"--cursor={after}"] if after else []
        text = self.run("journalctl", "--no-pager", "-o", "json", *since, *args).stdout
        entries: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if entry["__CURSOR"] != after]

    def cursor(self) -> str:
        """Where the journal ends now."""
        entries = self.journal("-n", "1")
        return str(entries[0]["__CURSOR"]) if entries else ""

    def unit_pids(self, unit: str) -> list[int]:
        """The processes of a service, as seen from outside."""
        folder = self.group / "payload/system.slice" / unit
        try:
            return sorted(map(int, (folder / "cgroup.procs").read_text().split()))
        except FileNotFoundError:
            return []  # systemd removes the group of a unit that has no process

    def close(self) -> None:
        super().close()
        assert not self.group.exists(), f"{self.group} is left behind"
