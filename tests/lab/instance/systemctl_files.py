"""systemd's unit files, as far as the lab's stand-in for systemd (instance/systemctl.py) goes by
them. What is not in KNOWN is not honoured, and listed as such (UnitFile.ignored): a directive
that a test relies on must be in it. Format and meaning: systemd.unit(5), systemd.service(5),
systemd.exec(5), systemd.kill(5), systemd.path(5), systemd.timer(5)."""
from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {
    "Unit": {"Description", "Documentation", "Requires", "Wants", "After", "Before",
             "StartLimitIntervalSec", "StartLimitBurst"},
    "Service": {"Type", "ExecStartPre", "ExecStart", "ExecReload", "ExecStop", "Restart",
                "RestartSec", "RemainAfterExit", "TimeoutStartSec", "TimeoutStopSec", "KillMode",
                "KillSignal", "WatchdogSec", "NotifyAccess", "FileDescriptorStoreMax", "User",
                "Group", "UMask", "WorkingDirectory", "Environment", "EnvironmentFile",
                "LimitCORE", "LimitNOFILE", "OOMScoreAdjust", "CapabilityBoundingSet",
                "NoNewPrivileges", "RuntimeDirectory", "RuntimeDirectoryMode",
                "RuntimeDirectoryPreserve", "StateDirectory"},
    "Path": {"PathExists", "PathChanged", "PathModified", "Unit"},
    "Timer": {"OnActiveSec", "OnBootSec", "OnUnitActiveSec", "RandomizedDelaySec", "Unit"},
    "Install": {"WantedBy", "RequiredBy"},
}
# Lists of words; assigned twice they add up, an empty assignment begins anew.
LISTS = {"Requires", "Wants", "After", "Before", "WantedBy", "RequiredBy", "RuntimeDirectory",
         "StateDirectory", "CapabilityBoundingSet"}
FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
KINDS = ("service", "path", "timer", "target")

SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600,
           "hr": 3600, "d": 86400}


class BadUnit(Exception):
    """What is wrong, with file and line."""


def seconds(text: str) -> float:
    """A time span, "1h 30min"; infinity for "infinity"."""
    if text.strip() == "infinity":
        return float("inf")
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", text)
    if not parts or re.sub(r"([0-9.]+)\s*([a-z]*)|\s", "", text):
        raise BadUnit(f"{text!r} is no time span")
    try:
        return sum(float(number) * SECONDS[unit] for number, unit in parts)
    except KeyError as error:
        raise BadUnit(f"{text!r}: unknown unit {error}") from None


def truth(text: str) -> bool:
    if text.lower() not in ("yes", "true", "on", "1", "no", "false", "off", "0"):
        raise BadUnit(f"{text!r} is no truth value")
    return text.lower() in ("yes", "true", "on", "1")


@dataclass
class Command:
    argv: list[str]
    may_fail: bool  # the prefix "-"


def command(text: str) -> Command:
    found = re.match(r"[-@:+!|]*", text)
    prefix = found[0] if found else ""
    if prefix not in ("", "-"):
        raise BadUnit(f"prefix {prefix!r} of a command is not known here")
    return Command(shlex.split(text[len(prefix):]), prefix == "-")


@dataclass
class UnitFile:
    name: str
    path: Path
    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]

    def all(self, key: str, section: str = "Service") -> list[str]:
        values = self.values.get((section, key), [])
        return " ".join(values).split() if key in LISTS else list(values)

    def get(self, key: str, default: str = "", section: str = "Service") -> str:
        """The last one counts."""
        values = self.values.get((section, key), [])
        return values[-1] if values else default

    def span(self, key: str, default: float, section: str = "Service") -> float:
        text = self.get(key, section=section)
        return seconds(text) if text else default

    def flag(self, key: str, default: bool = False) -> bool:
        text = self.get(key)
        return truth(text) if text else default

    def commands(self, key: str) -> list[Command]:
        return [command(text) for text in self.all(key)]


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines, those ended by a backslash joined, comments gone."""
    found: list[tuple[int, str]] = []
    waiting = ""
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        if not waiting:
            start = number
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        line = (waiting + line).strip()
        waiting = ""
        if line:
            found.append((start, line))
    return found


def read_into(unit: UnitFile, path: Path, text: str) -> None:
    """Adds a file's assignments: the unit's own or a drop-in's."""
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not section:
            raise BadUnit(f"{path}:{number}: {line!r} is no assignment in a section")
        if key not in KNOWN.get(section, set()):
            if not section.startswith("X-") and f"{section}.{key}" not in unit.ignored:
                unit.ignored.append(f"{section}.{key}")
            continue
        own = unit.values.setdefault((section, key), [])
        if value:
            own.append(value)
        else:
            own.clear()


def check(unit: UnitFile) -> UnitFile:
    """What the stand-in cannot do it refuses."""
    kind = unit.kind
    if kind not in KINDS:
        raise BadUnit(f"{unit.name}: units of this kind are not known here")
    kinds = {"simple", "exec", "notify", "oneshot"}
    if kind == "service" and unit.get("Type", "simple") not in kinds:
        raise BadUnit(f"{unit.path}: Type={unit.get('Type')} is not known here")
    if kind == "service" and unit.get("KillMode", "control-group") not in (
            "control-group", "mixed", "process"):
        raise BadUnit(f"{unit.path}: KillMode={unit.get('KillMode')} is not known here")
    if kind == "service" and unit.get("Restart", "no") not in ("no", "always", "on-failure"):
        raise BadUnit(f"{unit.path}: Restart={unit.get('Restart')} is not known here")
    if kind == "service" and not unit.all("ExecStart"):
        raise BadUnit(f"{unit.path}: no ExecStart=")
    for key in ("ExecStartPre", "ExecStart", "ExecReload", "ExecStop"):
        for one in unit.commands(key):
            if not one.argv or not one.argv[0].startswith("/"):
                raise BadUnit(f"{unit.path}: {key}= needs an absolute path")
            if any("%" in word for word in one.argv):
                raise BadUnit(f"{unit.path}: {key}=: specifiers are not known here")
    return unit


def full_name(name: str) -> str:
    """As systemctl takes it: "httpd" is httpd.service."""
    if "/" in name:
        raise BadUnit(f"{name!r} is no unit's name")
    return name if name.rpartition(".")[2] in KINDS else f"{name}.service"


def load(name: str, root: str = "", folders: tuple[str, ...] = FOLDERS) -> UnitFile | None:
    """By the first folder that has it, with its drop-ins; None if there is none. `root` is
    for tests."""
    places = [Path(root + folder) for folder in folders]
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        return UnitFile(name, Path()) if name.endswith(".target") else None
    unit = UnitFile(name, path)
    read_into(unit, path, path.read_text())
    drop_ins: dict[str, Path] = {}
    for place in reversed(places):
        if (place / f"{name}.d").is_dir():
            drop_ins.update({p.name: p for p in (place / f"{name}.d").glob("*.conf")})
    for key in sorted(drop_ins):
        read_into(unit, drop_ins[key], drop_ins[key].read_text())
    return check(unit)


def linked(name: str, how: str, root: str = "") -> list[str]:
    """Names in NAME.wants or NAME.requires: what `enable` made."""
    place = Path(f"{root}/etc/systemd/system/{name}.{how}")
    return sorted(os.listdir(place)) if place.is_dir() else []
