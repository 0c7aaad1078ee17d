"""What is left of a lab whose daemon has ended, or was killed: hosts end when the daemon does,
but not in the same instant. What there is of them outside can be told by the logs it writes:
each host's first process has one open, and that process ends after all others of the host."""
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
    """Those that write below the lab's folder: number and command line of each. This
    process is not among them."""
    below, found = f"{folder.resolve()}/", []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            if _writes_below(pid, below):
                words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
                found.append(f"{pid} {words.replace(chr(0), ' ').strip()[:100]}")
        except (OSError, IndexError):
            pass  # it has ended meanwhile
    return found


def wait_gone(folder: Path, timeout: float = 10.0) -> None:
    """Returns when there is none; Late, which names them, if they do not end."""
    def gone() -> bool:
        left = processes(folder)
        if left:
            raise LookupError("; ".join(left))
        return True
    wait_until(gone, "the lab's last processes end", timeout)
