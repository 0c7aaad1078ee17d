"""What `cmake --install` lays out: exactly what a package needs."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from parts.world import World

FILES = """
etc/web-node-agent/agent.conf
usr/bin/wnactl
usr/lib/sysusers.d/web-node-agent-database.conf
usr/lib/sysusers.d/web-node-agent.conf
usr/lib/systemd/system/nftables.service.d/web-node-agent.conf
usr/lib/systemd/system/web-node-agent-check.service
usr/lib/systemd/system/web-node-agent-cloud.service
usr/lib/systemd/system/web-node-agent-core.service
usr/lib/systemd/system/web-node-agent-database-look.service
usr/lib/systemd/system/web-node-agent-database.path
usr/lib/systemd/system/web-node-agent-database.service
usr/lib/systemd/system/web-node-agent-database.timer
usr/lib/systemd/system/web-node-agent-drain.service
usr/lib/systemd/system/web-node-agent-guard.service
usr/lib/systemd/system/web-node-agent-health.socket
usr/lib/systemd/system/web-node-agent-hooks.service
usr/lib/systemd/system/web-node-agent-hub.socket
usr/lib/systemd/system/web-node-agent-mount.service
usr/lib/systemd/system/web-node-agent-rds.service
usr/lib/systemd/system/web-node-agent-ready.service
usr/lib/systemd/system/web-node-agent-ready.target
usr/lib/systemd/system/web-node-agent-sockets.service
usr/lib/systemd/system/web-node-agent.service
usr/lib/tmpfiles.d/web-node-agent.conf
usr/libexec/web-node-agent/database/aws.py
usr/libexec/web-node-agent/database/files.py
usr/libexec/web-node-agent/database/imds-guard.nft
usr/libexec/web-node-agent/database/index.php
usr/libexec/web-node-agent/database/once.py
usr/libexec/web-node-agent/database/page.py
usr/libexec/web-node-agent/database/refusals.py
usr/libexec/web-node-agent/database/schema.php
usr/libexec/web-node-agent/database/wna-database
usr/libexec/web-node-agent/wna-check
usr/libexec/web-node-agent/wna-cloud
usr/libexec/web-node-agent/wna-core
usr/libexec/web-node-agent/wna-hooks
usr/libexec/web-node-agent/wna-mount
usr/libexec/web-node-agent/wna-probe
usr/libexec/web-node-agent/wna-rds
usr/libexec/web-node-agent/wna-sockets
usr/share/bash-completion/completions/wnactl
usr/share/doc/web-node-agent/LICENSE
usr/share/doc/web-node-agent/existing-fleet.md
usr/share/doc/web-node-agent/grafana/web-node-agent.json
usr/share/doc/web-node-agent/hooks/50-php-fpm
usr/share/doc/web-node-agent/httpd/web-node-agent.conf
usr/share/doc/web-node-agent/nginx/web-node-agent.conf
usr/share/doc/web-node-agent/operations.md
usr/share/doc/web-node-agent/screens.md
usr/share/doc/web-node-agent/security.md
usr/share/doc/web-node-agent/status.schema.json
usr/share/man/man1/wnactl.1
usr/share/man/man5/agent.conf.5
usr/share/man/man7/web-node-agent.7
""".split()
EMPTY_FOLDERS = ["etc/web-node-agent/agent.conf.d",
                 *(f"etc/web-node-agent/hooks.d/database-{event}" for event in ("down", "moved", "up"))]


def test_nothing_else_and_nothing_less(world: World) -> None:
    stage = world.stage
    paths = [p for p in stage.rglob("*") if not p.is_symlink()]
    assert sorted(str(p.relative_to(stage)) for p in paths if p.is_file()) == sorted(FILES)
    assert sorted(str(p.relative_to(stage)) for p in paths
                  if p.is_dir() and not any(p.iterdir())) == EMPTY_FOLDERS


def linked(path: Path) -> set[str]:
    text = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True,
                          check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*?)\]", text))


# The table names the libraries, the executables the sonames.
SONAMES = {
    "libevent_core": "libevent_core-2.1.so.7", "libevent_extra": "libevent_extra-2.1.so.7",
    "libseccomp": "libseccomp.so.2", "libmount": "libmount.so.1",
    "libcares": "libcares.so.2", "libmariadb": "libmariadb.so.3", "libcurl": "libcurl.so.4",
    "libcjson": "libcjson.so.1", "libcrypto": "libcrypto.so.3", "libsqlite3": "libsqlite3.so.0"}


def test_link_table(world: World) -> None:
    text = (Path(__file__).parent.parent.parent / "HACKING.md").read_text()
    rows = re.findall(r"^\| `(wna[-\w]*)` \|.*\| ([^|]+) \|$", text, re.M)
    assert len(rows) == 9
    for name, cell in rows:
        names = [] if cell.strip() == "–" else [w.strip() for w in cell.split(",")]
        path = next(p for p in (world.stage / "usr").rglob(name)
                    if p.is_file() and p.read_bytes()[:4] == b"\x7fELF")
        assert linked(path) - {"libc.so.6"} == {SONAMES[n] for n in names}, name
