"""A stand-in for cloud-init: fetches an instance's user-data from its metadata service, over
the wire and with a token, and does what the cloud-config in it asks for.

Real: what is done, in cloud-init's order (bootcmd and write_files in the Network stage, runcmd
prepared in the Config stage, packages, then what runcmd asked for in the Final stage), as root,
output to /var/log/cloud-init-output.log. Not as cloud-init does it: only the keys of KEYS are
known, and any other is an error instead of a warning; write_files' owner may be given by names
that exist; packages are one `dnf -y install` and a failure of it ends nothing, as there.

Source: cloud-init's documentation, "Boot stages", "Module reference" (22.2).
"""
from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Callable

import yaml

from parts.host import Host

KEYS = {"write_files", "packages", "bootcmd", "runcmd"}
FILE_KEYS = {"path", "content", "encoding", "permissions", "owner", "append", "defer"}
ENCODINGS = {"", "text/plain", "b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64",
             "gzip+base64"}
LIMIT = 16 << 10  # EC2 User Guide, "Run commands when you launch an EC2 instance with user data"

LOG = "/var/log/cloud-init-output.log"
FOLDER = "/var/lib/cloud/instance"
METADATA = "http://169.254.169.254"
# curl's words as an operator would type them (EC2 User Guide, "Use IMDSv2").
FETCH = f"""
token=$(curl -sS -f --retry 20 --retry-delay 1 --retry-all-errors -m 2 -X PUT \
  -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' {METADATA}/latest/api/token)
curl -sS -f --retry 5 --retry-delay 1 -m 5 -H "X-aws-ec2-metadata-token: $token" "{METADATA}$1"
"""

# Path, "append" or not, mode, owner; the content on standard input.
WRITE = """
mkdir -p "$(dirname "$1")"
if [ "$2" = append ]; then base64 -d >> "$1"; else base64 -d > "$1"; fi
chmod "$3" "$1"
chown "$4" "$1"
"""


class BadConfig(Exception):
    """What cloud-init would not have taken, or this stand-in does not know."""


@dataclass
class File:
    path: str
    content: bytes
    mode: int
    owner: str
    append: bool
    defer: bool


@dataclass
class Config:
    files: list[File] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    bootcmd: list[Any] = field(default_factory=list)
    runcmd: list[Any] = field(default_factory=list)


def decode(content: str | bytes, encoding: str) -> bytes:
    """write_files' encodings: gz, b64, or both."""
    if encoding not in ENCODINGS:
        raise BadConfig(f"write_files: unknown encoding {encoding!r}")
    data = content.encode() if isinstance(content, str) else content
    if "b64" in encoding or "base64" in encoding:
        data = base64.b64decode(data)
    return gzip.decompress(data) if encoding.startswith("gz") else data


def _file(entry: Any) -> File:
    if not isinstance(entry, dict) or "path" not in entry or set(entry) - FILE_KEYS:
        raise BadConfig(f"write_files: {entry!r} has no path, or an unknown key")
    mode = entry.get("permissions", "0644")
    if not isinstance(mode, (str, int)):
        raise BadConfig(f"write_files: {entry['path']}: permissions {mode!r}")
    # Unquoted, YAML 1.1 makes 0644 the number 420; quoted it is read as octal.
    number = int(mode, 8) if isinstance(mode, str) else mode
    return File(entry["path"], decode(entry.get("content", ""), entry.get("encoding", "")),
                number, entry.get("owner", "root:root"), bool(entry.get("append", False)),
                bool(entry.get("defer", False)))


def _commands(key: str, entries: Any) -> list[Any]:
    for entry in entries:
        if not isinstance(entry, (str, list)) or (
                isinstance(entry, list) and not all(isinstance(w, (str, int)) for w in entry)):
            raise BadConfig(f"{key}: {entry!r} is neither a text nor a list of words")
    return list(entries)


def parse(text: str) -> Config:
    """A whole user-data text."""
    if len(text.encode()) > LIMIT:
        raise BadConfig(f"user-data has {len(text.encode())} bytes, more than {LIMIT}")
    if text.split("\n", 1)[0].rstrip() != "#cloud-config":
        raise BadConfig("the first line of user-data is not #cloud-config")
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise BadConfig(f"user-data is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise BadConfig("user-data is no mapping")
    if unknown := sorted(map(str, set(found) - KEYS)):
        raise BadConfig(f"unknown here: {', '.join(unknown)}")
    for key, value in found.items():
        if not isinstance(value, list) or (key == "packages" and
                                           not all(isinstance(p, str) for p in value)):
            raise BadConfig(f"{key} is not a list of what it should be")
    return Config([_file(entry) for entry in found.get("write_files", [])],
                  found.get("packages", []),
                  _commands("bootcmd", found.get("bootcmd", [])),
                  _commands("runcmd", found.get("runcmd", [])))


def script(commands: list[Any]) -> str:
    """As cloud-init makes one of runcmd (util.shellify): a list's words are quoted one by one,
    a text is the shell's."""
    lines = ["#!/bin/sh"]
    for command in commands:
        lines.append(command if isinstance(command, str) else
                     " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in command))
    return "\n".join(lines) + "\n"


class CloudInit:
    """One instance's first boot."""

    def __init__(self, host: Host, timeout: float = 900.0) -> None:
        self.host = host
        self._timeout = timeout

    def fetch(self, path: str = "/latest/user-data") -> str:
        """From the metadata service, by the instance itself. RuntimeError if it is silent."""
        return self.host.run("sh", "-euc", FETCH, "sh", path, timeout=120).stdout

    def boot(self, text: str, between: Callable[[], None] = lambda: None) -> bool:
        """All stages; whether all that was asked for succeeded. `between`: called when the
        files are there and nothing of Config and Final has begun."""
        config = parse(text)
        self.host.write(f"{FOLDER}/user-data.txt", text, 0o600)
        good = self._script(f"{FOLDER}/bootcmd", config.bootcmd)
        for file in config.files:
            if not file.defer:
                self._write(file)
        between()
        if config.packages:
            good &= self._run("dnf", "-y", "install", *config.packages)
        for file in config.files:  # whose owners packages bring
            if file.defer:
                self._write(file)
        good &= self._script(f"{FOLDER}/scripts/runcmd", config.runcmd)
        result = {"v1": {"datasource": "DataSourceEc2Local",
                         "errors": [] if good else [f"see {LOG}"]}}
        self.host.write("/run/cloud-init/result.json", json.dumps(result))
        return good

    def _script(self, path: str, commands: list[Any]) -> bool:
        if not commands:
            return True
        self.host.write(path, script(commands), 0o700)
        return self._run(path)

    def _run(self, *words: str) -> bool:
        """As root; what it says goes to LOG."""
        done = self.host.run("sh", "-c", f'exec >> {LOG} 2>&1 < /dev/null; exec "$@"', "sh",
                             *words, check=False, timeout=self._timeout)
        return done.returncode == 0

    def _write(self, file: File) -> None:
        done = self.host.run("sh", "-euc", WRITE, "sh", file.path,
                             "append" if file.append else "write", f"{file.mode:o}", file.owner,
                             check=False, stdin=base64.b64encode(file.content).decode())
        if done.returncode != 0:
            raise BadConfig(f"write_files: {file.path}: {done.stderr.strip()}")

    def words(self) -> str:
        """What was said so far."""
        return self.host.run("cat", LOG, check=False).stdout
