"""What happened when during a boot: read off the machine when all is over, told as lines and drawn
as a picture (SVG). Times are seconds since the kernel's start, by the machine's monotonic clock.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from .machine import Machine

AGENT = "web-node-agent.service"
STAGES = (("cloud-init: local (finds the data source)", "cloud-init-local.service"),
          ("cloud-init: network", "cloud-init.service"),
          ("cloud-init: config", "cloud-config.service"),
          ("cloud-init: final, with web-node-setup", "cloud-final.service"),
          ("database users, table and page", "web-node-agent-database.service"))
# What the agent says when something is reached, first occurrence.
SAID = {
    "identity known": r"imds: this is i-",
    "web server answers": r"check web: .*-> ok",
    "file system mounted": r"mount: nfs4 .* mounted on",
    "credentials in place": r"credentials of generation \S+ are in place",
    "database writable": r"database: .* is writable",
    "/healthz 200": r"healthz: .*-> (?:ok|degraded)",
    "/readyz 200": r"readyz: .*-> ok",
    "first metric accepted": r"push: accepted",
}


@dataclass
class Timeline:
    userspace: float = 0.0       # the kernel and its first process are done
    booted: float = 0.0          # systemd: all of the boot's jobs are done, or now
    agent: float = 0.0           # its first command, wnactl load, was started
    bars: list[tuple[str, float, float]] = field(default_factory=list)
    events: dict[str, float] = field(default_factory=dict)

    @property
    def waited_for(self) -> tuple[str, float]:
        """The last thing without which /healthz cannot be 200."""
        names = ("web server answers", "file system mounted", "credentials in place")
        found = [(name, self.events[name]) for name in names if name in self.events]
        return max(found, key=lambda pair: pair[1]) if found else ("the start", self.agent)

    @property
    def beyond(self) -> float:
        """From the slowest thing it waits for to the first healthy answer."""
        return self.events["/healthz 200"] - max(self.waited_for[1], self.agent)

    @property
    def systemd(self) -> float:
        """systemd's own time: from its start until login is possible."""
        return self.booted - self.userspace

    def lines(self) -> list[str]:
        rows = [(begin, f"{name}: {begin:.1f} to {end:.1f} s") for name, begin, end in self.bars]
        rows += [(at, f"{name}: {at:.1f} s") for name, at in self.events.items()]
        return [text for _, text in sorted(rows)]


def seconds(text: str) -> float:
    return int(text) / 1e6 if text.isdigit() else 0.0


def shown(machine: Machine, unit: str, *names: str) -> list[float]:
    out = machine.sh(f"systemctl show {unit} " + " ".join(f"-p {name}" for name in names))
    values = dict(line.partition("=")[::2] for line in out.splitlines())
    return [seconds(values.get(name, "")) for name in names]


def read(machine: Machine) -> Timeline:
    found = Timeline()
    found.userspace, = shown(machine, "", "UserspaceTimestampMonotonic")
    found.booted, = shown(machine, "multi-user.target", "ActiveEnterTimestampMonotonic")
    found.agent, ready = shown(machine, AGENT, "ExecMainStartTimestampMonotonic",
                               "ActiveEnterTimestampMonotonic")
    found.bars.append(("kernel", 0.0, found.userspace))
    if found.booted:
        found.bars.append(("systemd, until login is possible", found.userspace, found.booted))
    for name, unit in STAGES:
        begin, end = shown(machine, unit, "ExecMainStartTimestampMonotonic",
                           "ExecMainExitTimestampMonotonic")
        if begin and end > begin:
            found.bars.append((name, begin, end))
    if ready:
        found.events["agent started, its configuration loaded"] = ready
    journal = machine.sh("journalctl -b --no-pager -o json --output-fields=MESSAGE "
                         "-u 'web-node-agent*'", timeout=120)
    for line in journal.splitlines():
        entry = json.loads(line)
        text = entry.get("MESSAGE")
        for name, pattern in SAID.items():
            if isinstance(text, str) and name not in found.events and re.search(pattern, text):
                found.events[name] = int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6
    return found


def draw(timeline: Timeline, title: str, path: Path) -> None:
    """A bar for what lasts, a mark for what is reached, on one axis."""
    rows = sorted([(begin, end, name) for name, begin, end in timeline.bars]
                  + [(at, at, name) for name, at in timeline.events.items()])
    last = max(end for _, end, _ in rows)
    left, width, high, top = 300, 760, 22, 60
    scale = width / last
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if last / s <= 12)
    height = top + high * len(rows) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="#fff"/><text x="12" y="24" font-size="16">'
             f'{escape(title)}</text>']
    for tick in range(0, int(last) + 1, step):
        x = left + tick * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{height - 24}" stroke="#ddd"/>'
                     f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick} s</text>')
    for number, (begin, end, name) in enumerate(rows):
        y, x = top + number * high, left + begin * scale
        parts.append(f'<text x="{left - 10}" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
        if end > begin:
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{max((end - begin) * scale, 1):.1f}" '
                         'height="14" fill="#7aa6c2"/>')
            said, after = f"{end - begin:.1f} s", left + end * scale + 4
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y + 7}" r="5" fill="#c0392b"/>')
            said, after = f"{begin:.1f} s", x + 9
        parts.append(f'<text x="{after:.1f}" y="{y + 11}" fill="#555">{said}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
