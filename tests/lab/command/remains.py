"""The rest of a lab whose daemon has ended or was killed: the hosts end with the daemon, but not
at the same instant. A host's first process keeps a log file open and ends last; this finds
remaining hosts from outside."""
from __future__ import annotations

import os
from pathlib import Path

from parts.wait import wait_until


def _writes_below(pid: str, folder: str) -> bool:
    for name in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{name}").startswith(folder):
            info = Path(f"/proc/{pid}/fdinfo/{name}").read_text(encoding="ascii")
            flags = int(info.split("flags:")[1].split()[0], 8)
            if flags & os.O_ACCMODE != os.O_RDONLY:
                return True
    return False


def processes(folder: Path) -> list[str]:
    """Processes with an open file below the lab's folder: pid and command line, without this
    process."""
    below, found = f"{folder.resolve()}/", []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            if _writes_below(pid, below):
                words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
                found.append(f"{pid} {words.replace(chr(0), ' ').strip()[:100]}")
        except (OSError, IndexError):
            pass  # the process has ended meanwhile
    return found


def wait_gone(folder: Path, timeout: float = 10.0) -> None:
    """Waits until no process is left; raises Late, with their names, after the timeout."""
    def gone() -> bool:
        left = processes(folder)
        if left:
            raise LookupError("; ".join(left))
        return True
    wait_until(gone, "the lab's last processes end", timeout)
