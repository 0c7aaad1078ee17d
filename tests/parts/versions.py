"""Another version of the agent's programs: the same build with another version number and another
mark of the contract, so that neither its wnactl's configuration nor its processes are the other's.

    versions.py STAGE HERE THERE    makes version THERE of the version HERE that is staged
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

LIBEXEC = "/usr/libexec/web-node-agent"
PROGRAMS = ("/usr/bin/wnactl", *(f"{LIBEXEC}/wna-{role}" for role in (
    "core", "mount", "probe", "check", "rds", "cloud", "hooks")))
MARK = re.compile(rb"web-node-agent contract [0-9a-f]{32}")
TURNED = bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0")


def other(data: bytes, here: str, there: str) -> bytes:
    """The same executable as of another version, whose number differs in its first digit only: the end
    of a text may be a text of its own to the linker ("0" is one of "0.1.0")."""
    version = re.compile(re.escape(here.encode()) + rb'(?="?\0)')
    assert here[1:] == there[1:] and version.search(data) and MARK.search(data)
    data = MARK.sub(lambda mark: mark[0][:-32] + mark[0][-32:].translate(TURNED), data)
    return version.sub(there.encode(), data)


def main() -> None:
    stage, here, there = sys.argv[1:]
    for name in PROGRAMS:
        path = Path(stage + name)
        path.write_bytes(other(path.read_bytes(), here, there))


if __name__ == "__main__":
    main()
