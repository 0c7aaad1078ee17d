"""A cloud-config for the lab's instances. Mistakes are refused with their line before anything is
built; cloud-init itself would only warn at an instance's boot. Supported are the keys of KEYS,
whose modules are in the image (instance/base).

Source: cloud-init's documentation, "Module reference" (22.2)."""
from __future__ import annotations

import base64
import gzip
import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Callable

from lab.template import reader as template_reader
from lab.template.tree import List, Map, TemplateError

KEYS = {"write_files", "packages", "bootcmd", "runcmd"}
FILE_KEYS = {"path", "content", "encoding", "permissions", "owner", "append", "defer"}
ENCODINGS = {"", "text/plain", "b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64",
             "gzip+base64"}
LIMIT = 16 << 10  # EC2 User Guide, "Run commands when you launch an EC2 instance with user data"


class BadConfig(Exception):
    """A text that cloud-init would refuse, or that needs a module which the image does not have.
    `line`: of the user-data; 0: unknown."""

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
    """The encodings of write_files: gz, b64, or both."""
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
    # In YAML 1.1 an unquoted 0644 is the number 420; a quoted one is read as octal.
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
    # A leading dash would be an option of dnf.
    if not isinstance(entry, str) or not re.fullmatch(r"[A-Za-z0-9][!-~]*", entry):
        raise BadConfig(f"packages: {entry!r} is no name of a package")
    return entry


def _each(found: Map, key: str, make: Callable[[Any], Any]) -> list[Any]:
    """The items of a list, each checked or refused with its line."""
    entries = found.get(key, List())
    if not isinstance(entries, List):
        raise BadConfig(f"{key} is not a list, or has a wrong item", found.line_of(key))
    made = []
    for number, entry in enumerate(entries):
        try:
            made.append(make(entry))
        except BadConfig as error:
            raise BadConfig(str(error), error.line or entries.line_of(number)) from None
    return made


def parse(text: str) -> Config:
    """Parses the whole user-data."""
    if len(text.encode()) > LIMIT:
        raise BadConfig(f"user-data has {len(text.encode())} bytes, more than {LIMIT}")
    if text.split("\n", 1)[0].rstrip() != "#cloud-config":
        raise BadConfig("the first line of user-data is not #cloud-config", 1)
    if all(line.lstrip()[:1] in ("", "#") for line in text.splitlines()):
        return Config()  # empty user-data
    try:
        found = template_reader.read(text, "user-data")
    except TemplateError as error:
        raise BadConfig(error.what, error.line) from None
    for key in found:
        if key not in KEYS:
            raise BadConfig(f"unknown key: {key}", found.line_of(key))
    return Config(_each(found, "write_files", _file), _each(found, "packages", _package),
                  _each(found, "bootcmd", lambda entry: _command("bootcmd", entry)),
                  _each(found, "runcmd", lambda entry: _command("runcmd", entry)))


def script(commands: list[Any]) -> str:
    """runcmd as a script, as cloud-init makes it (util.shellify): the words of a list are quoted,
    a text is shell code."""
    lines = ["#!/bin/sh"]
    for command in commands:
        lines.append(command if isinstance(command, str) else
                     " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in command))
    return "\n".join(lines) + "\n"
