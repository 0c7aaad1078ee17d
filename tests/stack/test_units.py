"""The agent's own units, judged by systemd's tools, and the figures that the papers give."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from reading import ROOT

SYSTEMD = ROOT / "packaging" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.iterdir())
AGENT, KEEPER, WAIT, TARGET = ("web-node-agent.service", "web-node-agent-mount.service",
                               "web-node-agent-ready.service", "web-node-agent-ready.target")
DRAIN = "web-node-agent-drain.service"
SERVICES = [name for name in UNITS if name.endswith(".service")]
DROP_IN = "[Unit]\nWants=web-node-agent-ready.target\nAfter=web-node-agent-ready.target\n"
# See the last comment of the keeper's unit.
HARMFUL = ("PrivateTmp=yes", "ProtectSystem=full", "ProtectKernelLogs=yes", "NoNewPrivileges=yes",
           "SystemCallFilter=@system-service")
INHERITED = ("SystemCall", "Restrict", "LockPersonality", "MemoryDeny", "Device", "Private", "Protect",
             "NoNewPrivileges", "MemoryMax", "CPUQuota", "Tasks", "IOWeight", "IPAddress")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, with executables that are there, and one that waits."""
    folder = tmp_path / "units"
    folder.mkdir()
    for name in UNITS:
        text = (SYSTEMD / name).read_text(encoding="utf-8")
        text = re.sub(r"(?<=[=-])/usr/(bin/wnactl|libexec/web-node-agent/wna-\w+)", "/bin/true", text)
        # sysusers makes the users; here is none of them.
        text = re.sub(r"(User|Group|Groups)=wna.*", r"\1=root", text)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "waits.service").write_text(f"{DROP_IN}[Service]\nExecStart=/bin/true\n")
    return folder


def verify(folder: Path, *names: str) -> str:
    """What systemd has to say; its exit status alone does not tell of unknown directives."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(folder / name for name in names)],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:", "LC_ALL": "C"},
        capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


def exposure(unit: Path) -> float:
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit],
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                          capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def settings(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") and "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_takes_the_units(units: Path) -> None:
    assert verify(units, *UNITS, "waits.service") == ""


@pytest.mark.parametrize("name, old, new, words", [
    (KEEPER, "RestartSec", "RestartSecs", "Unknown key"),
    (KEEPER, "ExecStart=/bin/true", "ExecStart=/absent", "not executable"),
    ("web-node-agent-hub.socket", "SocketGroup", "SocketGrp", "Unknown key"),
    (WAIT, "oneshot", "onceshot", "onceshot"),
    (WAIT, "[Service]", "Before=web-node-agent.service\n[Service]", "cycle"),
    (TARGET, "Requires=web-node-agent-ready.service", "Requires=absent.service", "absent.service"),
])
def test_systemd_would_say_so(units: Path, name: str, old: str, new: str, words: str) -> None:
    """The positive twin: that silence above means something."""
    text = (units / name).read_text(encoding="utf-8")
    assert old in text
    (units / name).write_text(text.replace(old, new), encoding="utf-8")
    assert words in verify(units, *UNITS)


def test_waiting_holds_up_nobody_else() -> None:
    """No boot, no cloud-init, and no agent: nothing installs it, nothing is ordered by it."""
    for name in (WAIT, TARGET):
        found = settings(name)
        assert not {"WantedBy", "RequiredBy", "Before", "BindsTo", "PartOf"} & set(found), name
        assert "[Install]" not in (SYSTEMD / name).read_text().splitlines()
    for name in UNITS:
        order = " ".join(settings(name).get("After", []))
        # The drain has nothing to do at a start, and must be stopped before the web server.
        assert name == DRAIN or not re.search(r"cloud|online|multi-user", order), order
        assert DRAIN not in order, name
    assert not {"Requires", "Requisite"} & set(settings(WAIT)), "a restart would end the wait"
    assert settings(WAIT)["TimeoutStartSec"] == ["infinity"]
    assert "ready" not in " ".join(sum(settings(AGENT).values(), []))


def test_others_wait_as_the_papers_say() -> None:
    """The same drop-in in the target's head and in the manual."""
    manual = (ROOT / "packaging/man/web-node-agent.7").read_text(encoding="utf-8")
    assert DROP_IN in manual
    assert DROP_IN in re.sub(r"^#\s?", "", (SYSTEMD / TARGET).read_text(), flags=re.M)


def test_the_papers_have_the_figures_of_the_tool() -> None:
    text = (ROOT / "packaging/doc/security.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `(web-node-agent[\w.-]*)` \|.*\| ([0-9]+\.[0-9]) \|$", text, re.M)
    assert {name for name, _ in found} == set(SERVICES)
    tool = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True,
                          timeout=60, check=True).stdout.split()[1]
    slack = 0 if tool == "252" else 0.3  # the papers name 252's; others reckon a little differently
    for name, figure in found:
        assert abs(float(figure) - exposure(SYSTEMD / name)) <= slack + 0.01, name


def test_what_a_sandbox_lets_execute() -> None:
    """systemd executes ExecReload= in the sandbox as well, unless it begins with "+"."""
    confined = [name for name in SERVICES if "NoExecPaths" in settings(name)]
    assert len(confined) == 5
    for name in confined:
        found = settings(name)
        paths = " ".join(found["ExecPaths"]).split()
        for key in ("ExecStart", "ExecReload", "ExecStop", "ExecStartPre", "ExecStartPost"):
            for line in found.get(key, []):
                assert line.startswith("+") or line.split()[0] in paths, f"{name}: {key}={line}"


def test_nothing_that_the_proxy_would_inherit() -> None:
    """The mount helper and EFS's proxy live in this control group, below this unit."""
    found = settings(KEEPER)
    assert not [key for key in found if key.startswith(INHERITED)]
    assert found["KillMode"] == ["process"]


@pytest.mark.parametrize("line", HARMFUL)
def test_what_is_left_out_counts(tmp_path: Path, line: str) -> None:
    """Each would lower the figure: it is not that they were forgotten."""
    text = (SYSTEMD / KEEPER).read_text(encoding="utf-8")
    assert line.partition("=")[0] not in settings(KEEPER)
    (tmp_path / KEEPER).write_text(text.replace("[Service]\n", f"[Service]\n{line}\n"))
    assert exposure(tmp_path / KEEPER) < exposure(SYSTEMD / KEEPER)
