"""A MariaDB with RDS's IAM database authentication, by stand-ins: a login method of the name that RDS
for MySQL has (iam_plugin.c), and the process that verifies the tokens (iam_verifier.py)."""
from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .host import Host
from .process import Process
from .wait import wait_until

SOURCE = Path(__file__).with_name("iam_plugin.c")
FOLDER, SOCKET, RULES = "/etc/mysql/plugin", "/run/mysqld/iam.sock", "/etc/mysql/iam.json"
OPTIONS = (f"--plugin-dir={FOLDER}", "--plugin-load-add=AWSAuthenticationPlugin=iam_plugin.so")


def install(host: Host) -> None:
    """Before the server starts."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, SOURCE.with_suffix(".so").name)
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, SOURCE],
                       check=True)
        host.write(f"{FOLDER}/{made.name}", made.read_bytes(), 0o755)


def verify(host: Host, interpreter: str) -> Process:
    """The process; the host has the tests' folder at /lab. Without rules it refuses every login."""
    host.sh("mkdir -p /run/mysqld")
    process = host.python("parts.iam_verifier", SOCKET, RULES, log="iam-verifier",
                          interpreter=interpreter)
    wait_until(lambda: "ready" in process.output(), f"the verifier on {host.name} listens")
    return process


def allow(host: Host, rules: dict[str, Any]) -> None:
    """Who may log in from now on: see iam_verifier.py."""
    host.write(f"{RULES}.new", json.dumps(rules), 0o600)
    host.run("mv", f"{RULES}.new", RULES)
