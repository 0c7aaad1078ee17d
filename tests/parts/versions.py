"""Another version of the agent's programs: the same build with another version number and another
mark of the contract, so that neither its wnactl's configuration nor its processes are the other's.

    versions.py STAGE HERE THERE    makes version THERE of the version HERE that is staged
"""
from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import Host

LIBEXEC = "/usr/libexec/web-node-agent"
PROGRAMS = ("/usr/bin/wnactl", *(f"{LIBEXEC}/wna-{role}" for role in (
    "core", "mount", "probe", "check", "rds", "cloud", "hooks", "sockets")))
MARK = re.compile(rb"web-node-agent contract [0-9a-f]{32}")
TURNED = bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0")


def other(data: bytes, here: str, there: str) -> bytes:
    """The same executable as of another version, whose number differs in its first digit only: the end
    of a text may be a text of its own to the linker ("0" is one of "0.1.0")."""
    version = re.compile(re.escape(here.encode()) + rb'(?="?\0)')
    assert here[1:] == there[1:] and version.search(data) and MARK.search(data)
    data = MARK.sub(lambda mark: mark[0][:-32] + mark[0][-32:].translate(TURNED), data)
    return version.sub(there.encode(), data)


class Versions:
    """Both, ready to be put into a host."""

    def __init__(self, stage: Path) -> None:
        old = {path: (stage / path[1:]).read_bytes() for path in PROGRAMS}
        new = {path: other(data, "0.1.0", "9.1.0") for path, data in old.items()}
        marks = {match[0] for data in old.values() if (match := MARK.search(data))}
        assert len(marks) == 1 and not any(data.count(*marks) for data in new.values())
        self.of = {"0.1.0": old, "9.1.0": new}

    def install(self, host: Host, version: str, *paths: str) -> None:
        """Beside the old file first, then renamed over it, as rpm does it: what runs goes on."""
        for path in paths or PROGRAMS:
            host.write(f"{path}.rpmnew~", self.of[version][path], 0o755)
            os.rename(host.path(f"{path}.rpmnew~"), host.path(path))


def main() -> None:
    stage, here, there = sys.argv[1:]
    for name in PROGRAMS:
        path = Path(stage + name)
        path.write_bytes(other(path.read_bytes(), here, there))


if __name__ == "__main__":
    main()
