"""What the template's web servers run, judged by the tools of those who will run it: systemd reads
the units, and the scripts keep to the Python that Amazon Linux 2023 has."""
from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from reading import ROOT

DATABASE = ROOT / "userdata" / "database"
UNITS = sorted(path.name for path in DATABASE.glob("web-node-agent-*"))
# By others' packages; here so that what refers to them can be followed.
OTHERS = ("php-fpm.service", "httpd.service", "nftables.service")
EXECUTABLES = ("wna-database", "nft", "systemctl")
# AL2023 User Guide, "Python in AL2023": 3.9 is the system's for as long as AL2023 lasts.
PYTHON = "3.9-"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, with executables that are there."""
    for name in EXECUTABLES:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    folder = tmp_path / "units"
    (folder / "nftables.service.d").mkdir(parents=True)
    for source, place in (*((name, name) for name in UNITS),
                          ("nftables.conf", "nftables.service.d/web-node-agent.conf")):
        text = (DATABASE / source).read_text(encoding="utf-8")
        for there in ("@database_dir@/", "/usr/sbin/nft", "/usr/bin/systemctl"):
            name = "" if there.endswith("/") else there.rpartition("/")[2]
            text = text.replace(there, f"{tmp_path}/{name}")
        (folder / place).write_text(text, encoding="utf-8")
    for name in OTHERS:
        (folder / name).write_text(f"[Service]\nType=oneshot\nExecStart={tmp_path}/nft\n")
    return folder


def verify(folder: Path) -> str:
    """What systemd has to say; its exit status alone does not tell of unknown directives."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(folder / name for name in (*UNITS, *OTHERS))],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:", "LC_ALL": "C"},
        capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


def test_systemd_takes_the_units(units: Path) -> None:
    assert len(UNITS) == 5
    assert verify(units) == ""


@pytest.mark.parametrize("name, old, new, words", [
    ("web-node-agent-database.service", "TimeoutStopSec", "TimeoutStpSec", "Unknown key"),
    ("web-node-agent-database.service", "/wna-database", "/absent", "not executable"),
    ("web-node-agent-database.timer", "=4min", "=a while", "a while"),
    ("web-node-agent-guard.service", "After=nftables", "After=php-fpm", "cycle"),
    ("nftables.service.d/web-node-agent.conf", "ExecReload=-", "ExecReload=x", "x/"),
])
def test_systemd_would_say_so(units: Path, name: str, old: str, new: str, words: str) -> None:
    """The positive twin: that silence above means something."""
    text = (units / name).read_text(encoding="utf-8")
    assert old in text
    (units / name).write_text(text.replace(old, new), encoding="utf-8")
    assert words in verify(units)


def unit(name: str) -> configparser.ConfigParser:
    """Good for units in which no key is given twice."""
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[method-assign, assignment]
    found.read(DATABASE / name)
    return found


def test_nobody_waits_for_the_database() -> None:
    """multi-user.target wants the service; without default dependencies it is not ordered after
    it (systemd.target(5)), so neither a boot nor cloud-init waits for AWS and the database."""
    service = unit("web-node-agent-database.service")
    assert service["Install"]["WantedBy"] == "multi-user.target"
    assert service["Unit"]["DefaultDependencies"] == "no"
    assert "shutdown.target" in service["Unit"]["Before"].split()
    assert service["Unit"]["Conflicts"] == "shutdown.target"
    assert not {"network-online.target", "multi-user.target"} & set(
        service["Unit"]["After"].split())
    assert service["Service"]["TimeoutStopSec"] == "10s"


def test_the_guard_comes_back_when_nftables_flushes() -> None:
    """At a start, a reload and a stop; not waited for, as it is ordered after nftables.service."""
    hooks = dict(unit("nftables.conf")["Service"])
    assert set(hooks) == {"ExecStartPost", "ExecReload", "ExecStopPost"}
    assert set(hooks.values()) == {"-/usr/bin/systemctl --no-block try-reload-or-restart "
                                   "web-node-agent-guard.service"}
    guard = unit("web-node-agent-guard.service")
    assert guard["Unit"]["After"] == "nftables.service"
    assert guard["Service"]["ExecReload"] == guard["Service"]["ExecStart"]


def test_timer_and_path_only_have_a_look() -> None:
    """Whoever starts the service itself is not put off after refusals."""
    look = "web-node-agent-database-look.service"
    assert unit("web-node-agent-database.timer")["Timer"]["Unit"] == look
    assert unit("web-node-agent-database.path")["Path"]["Unit"] == look
    assert unit(look)["Service"]["ExecStart"].endswith("/wna-database --look")


def test_a_refusal_ends_the_restarts() -> None:
    status = unit("web-node-agent-database.service")["Service"]["RestartPreventExitStatus"]
    assert f"NOT_YET, REFUSED = 75, {status}" in (DATABASE / "wna-database").read_text()


def vermin(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("vermin"), f"--target={PYTHON}", "--violations", "--no-tips",
         "--processes", "1", *files],
        capture_output=True, text=True, timeout=60, check=False)


def test_the_scripts_are_of_amazon_linux_s_python() -> None:
    files = [DATABASE / "wna-database", *sorted(DATABASE.glob("*.py"))]
    done = vermin(*files)
    assert done.returncode == 0, done.stdout
    assert f"Analyzing {len(files)} files" in done.stdout
    # Which leaves annotations unread, and so free to be of any version.
    assert all("from __future__ import annotations\n" in path.read_text() for path in files)


@pytest.mark.parametrize("newer", [
    "match 1:\n    case _: pass\n", "import hashlib\nhashlib.file_digest\n",
    "zip([], [], strict=True)\n"])
def test_a_newer_python_would_be_noticed(tmp_path: Path, newer: str) -> None:
    (tmp_path / "newer.py").write_text(newer)
    done = vermin(tmp_path / "newer.py")
    assert done.returncode != 0 and "Target versions not met" in done.stdout
