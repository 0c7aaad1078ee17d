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
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from lab.template import reader as template_reader
from lab.template.tree import List, Map, TemplateError

if TYPE_CHECKING:
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
    """What cloud-init would not have taken, or this stand-in does not know. `line`: of the
    user-data; 0: of none in particular."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line


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


def decode(content: str, encoding: str) -> bytes:
    """write_files' encodings: gz, b64, or both."""
    if encoding not in ENCODINGS:
        raise BadConfig(f"write_files: unknown encoding {encoding!r}")
    try:
        data = content.encode()
        if "b64" in encoding or "base64" in encoding:
            data = base64.b64decode(data)
        return gzip.decompress(data) if encoding.startswith("gz") else data
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise BadConfig(f"write_files: the content is not {encoding}: {error}") from None


def _file(entry: Any) -> File:
    if not isinstance(entry, Map) or "path" not in entry:
        raise BadConfig("write_files: an entry is no mapping with a path")
    for key, value in entry.items():
        if key not in FILE_KEYS:
            raise BadConfig(f"write_files: unknown key {key}", entry.line_of(key))
        kind = bool if key in ("append", "defer") else \
            (str, int) if key == "permissions" else str
        if not isinstance(value, kind) or (key == "permissions" and isinstance(value, bool)):
            raise BadConfig(f"write_files: {key} is of the wrong kind", entry.line_of(key))
    if not entry["path"].startswith("/") or not entry["path"].isprintable():
        raise BadConfig(f"write_files: {entry['path']!r} is no absolute path",
                        entry.line_of("path"))
    mode = entry.get("permissions", "0644")
    # Unquoted, YAML 1.1 makes 0644 the number 420; quoted it is read as octal.
    text = mode if isinstance(mode, str) else f"{mode:o}"
    if not re.fullmatch(r"[0-7]{1,5}", text):
        raise BadConfig(f"write_files: {entry['path']}: permissions {mode!r} are not octal",
                        entry.line_of("permissions"))
    return File(entry["path"], decode(entry.get("content", ""), entry.get("encoding", "")),
                int(text, 8), entry.get("owner", "root:root"), entry.get("append", False),
                entry.get("defer", False))


def _command(key: str, entry: Any) -> Any:
    if isinstance(entry, str) or (isinstance(entry, list) and entry and
                                  all(isinstance(w, (str, int)) for w in entry)):
        return entry
    raise BadConfig(f"{key}: {entry!r} is neither a text nor a list of words")


def _package(entry: Any) -> str:
    # What begins with a dash would be an option to dnf.
    if not isinstance(entry, str) or not re.fullmatch(r"[A-Za-z0-9][!-~]*", entry):
        raise BadConfig(f"packages: {entry!r} is no name of a package")
    return entry


def _each(found: Map, key: str, make: Callable[[Any], Any]) -> list[Any]:
    """The items of one of the lists, each one understood or refused with its line."""
    entries = found.get(key, List())
    if not isinstance(entries, List):
        raise BadConfig(f"{key} is not a list of what it should be", found.line_of(key))
    made = []
    for number, entry in enumerate(entries):
        try:
            made.append(make(entry))
        except BadConfig as error:
            raise BadConfig(str(error), error.line or entries.line_of(number)) from None
    return made


def parse(text: str) -> Config:
    """A whole user-data text."""
    if len(text.encode()) > LIMIT:
        raise BadConfig(f"user-data has {len(text.encode())} bytes, more than {LIMIT}")
    if text.split("\n", 1)[0].rstrip() != "#cloud-config":
        raise BadConfig("the first line of user-data is not #cloud-config", 1)
    if all(line.lstrip()[:1] in ("", "#") for line in text.splitlines()):
        return Config()  # it asks for nothing
    try:
        found = template_reader.read(text, "user-data")
    except TemplateError as error:
        raise BadConfig(error.what, error.line) from None
    for key in found:
        if key not in KEYS:
            raise BadConfig(f"unknown here: {key}", found.line_of(key))
    return Config(_each(found, "write_files", _file), _each(found, "packages", _package),
                  _each(found, "bootcmd", lambda entry: _command("bootcmd", entry)),
                  _each(found, "runcmd", lambda entry: _command("runcmd", entry)))


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

    def __init__(self, host: "Host", timeout: float = 900.0) -> None:
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
