"""tests/lab/run down. Uses only the machine's own Python and no file of the build folder, which
may be incomplete while the lab is up."""
from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

from parts.wait import wait_until

from lab.instance import cgroup
from . import client
from . import lock
from . import remains

DOWN_S = 45.0  # timeout of the end, before the daemon is killed


def ended(process: int, timeout: float) -> bool:
    """Whether a process (a descriptor) has ended within this time."""
    ready, _, _ = select.select([process], [], [], timeout)
    return bool(ready)


def wait_ended(process: int) -> None:
    """Waits for a daemon that was asked to end; after the timeout it is killed, and its hosts end
    with it."""
    try:
        if not ended(process, DOWN_S):
            signal.pidfd_send_signal(process, signal.SIGKILL)
            ended(process, 10)
    finally:
        os.close(process)


def sweep(build: Path) -> None:
    """Runs after the daemon's end, with the lock held; returns when nothing is left."""
    remains.wait_gone(client.folder(build))
    cgroup.sweep(build)  # control groups outlive their creator


def strays(build: Path) -> list[int]:
    """Processes that hold a lock file which was removed from the folder."""
    name = f"{lock.place(build.resolve())} (deleted)"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") == name
                   for fd in os.listdir(f"/proc/{pid}/fd")):
                found.append(int(pid))
        except OSError:
            pass  # the process has ended
    return found


def wait_free(build: Path) -> int:
    """Waits for the lock: an interrupted `up` ends after its daemon."""
    def taken() -> list[int]:
        held = lock.take(build)
        return [] if held is None else [held]
    return wait_until(taken, "whoever brought the lab up ends", DOWN_S)[0]


def down(build: Path) -> bool:
    """Ends the lab; returns when nothing is left, and whether there was a lab."""
    was_up = False
    for pid in strays(build):
        was_up = True
        process = os.pidfd_open(pid)
        signal.pidfd_send_signal(process, signal.SIGTERM)
        wait_ended(process)
    held = lock.take(build)
    if held is None:
        was_up = True
        asked = lock.ask_to_end(build)
        if asked is not None:
            wait_ended(asked)
        held = wait_free(build)
    try:
        sweep(build)
    finally:
        os.close(held)
    return was_up


def main() -> int:
    if sys.argv[1:]:
        print(f"lab: down: unknown: {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 2
    # Signals are ignored during the end, which has its own timeout.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        was_up = down(client.build_folder())
    except Exception as error:
        print(f"lab: not everything has ended: {error}", file=sys.stderr)
        return 1
    print("lab: down" if was_up else "lab: it was not up", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
