"""The stand-in for systemd, run as a plain process over a folder of its own."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab.instance import systemctl_client
from lab.instance import systemctl_files as unitfile
from parts.wait import hold_true, wait_until

TESTS = Path(__file__).parents[2]
PYTHON = sys.executable
RUN = "import sys; from lab.instance.systemctl import Runner; Runner(sys.argv[1]).run()"

# Says READY=1, stores a descriptor if it was given none, and prints what it was given.
NOTIFIER = """
import array, os, signal, socket, sys, time
given = os.environ.get("LISTEN_FDNAMES", "") if os.environ.get("LISTEN_PID") == str(os.getpid()) else ""
print("given", given, os.readlink("/proc/self/fd/3") if given else "", flush=True)
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.connect(os.environ["NOTIFY_SOCKET"])
read, write = os.pipe()
if not given:
    peer.sendmsg([b"FDSTORE=1\\nFDNAME=pipe"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [read]))])
peer.send(b"READY=1\\nSTATUS=well")
while True:
    signal.pause()
"""


class Lab:
    """A runner and its folder in place of the root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("run/systemd", "usr/lib/systemd/system", "etc/systemd/system"):
            (root / folder).mkdir(parents=True)
        self.process = subprocess.Popen(
            [PYTHON, "-c", RUN, str(root)], cwd="/", start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=(root / "out").open("w"), stderr=subprocess.STDOUT)
        wait_until(lambda: (root / "run/systemd/lab.sock").exists(), "the runner listens")

    def unit(self, name: str, text: str) -> None:
        (self.root / "usr/lib/systemd/system" / name).write_text(text)

    def ask(self, op: str, *units: str, **more: Any) -> dict[str, Any]:
        return systemctl_client.ask({"op": op, "units": list(units), **more},
                                    str(self.root / "run/systemd/lab.sock"))

    def ctl(self, *words: str) -> int:
        return systemctl_client.client(list(words), str(self.root / "run/systemd/lab.sock"))

    def show(self, unit: str) -> dict[str, str]:
        return dict(self.ask("show", unit)["units"][0])

    def wait(self, unit: str, **expected: str) -> dict[str, str]:
        def reached() -> dict[str, str]:
            found = self.show(unit)
            if all(found[key] == value for key, value in expected.items()):
                return found
            raise LookupError(found)
        return wait_until(reached, f"{unit} has {expected}", 10)

    def log(self, unit: str) -> str:
        place = self.root / "var/log/units" / f"{unit}.log"
        return place.read_text() if place.exists() else ""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    found = Lab(tmp_path)
    yield found
    for unit in found.ask("list")["units"]:
        if unit["Id"].endswith((".service", ".timer", ".path")):
            found.ask("stop", unit["Id"])
    found.process.send_signal(signal.SIGTERM)
    assert found.process.wait(5) == 0, (tmp_path / "out").read_text()


def service(*lines: str) -> str:
    return "[Service]\n" + "\n".join(lines) + "\n"


def test_unknown_directives_are_listed_and_not_honoured(lab: Lab) -> None:
    lab.unit("a.service", service("ExecStart=/bin/sleep 100", "ProtectSystem=full", "CPUQuota=5%"))
    assert lab.show("a")["LabIgnored"] == "Service.ProtectSystem Service.CPUQuota"
    assert "not honoured" in (lab.root / "out").read_text()


@pytest.mark.parametrize("text, words", [
    (service("ExecStart=/bin/true", "Type=forking"), "Type=forking"),
    (service("ExecStart=sleep 1"), "absolute"),
    (service("Type=oneshot"), "no ExecStart="),
    ("ExecStart=/bin/true\n", "no assignment in a section"),
])
def test_what_it_cannot_do_it_refuses(lab: Lab, text: str, words: str) -> None:
    lab.unit("a.service", text)
    assert words in lab.ask("start", "a")["error"]


def test_time_spans() -> None:
    assert unitfile.seconds("1h 30min") == 5400
    assert unitfile.seconds("500ms") == 0.5
    assert unitfile.seconds("20") == 20
    with pytest.raises(unitfile.BadUnit):
        unitfile.seconds("soon")


def test_lists_add_up_and_an_empty_assignment_begins_anew(tmp_path: Path) -> None:
    unit = unitfile.UnitFile("a.service", tmp_path)
    unitfile.read_into(unit, tmp_path, "[Unit]\nAfter=a b\nAfter=c\n[Service]\nExecStart=/x\n"
                       "ExecStart=\nExecStart=/bin/sh -c 'a b' \\\n  c\n")
    assert unit.all("After", "Unit") == ["a", "b", "c"]
    assert [c.argv for c in unit.commands("ExecStart")] == [["/bin/sh", "-c", "a b", "c"]]


def test_simple_starts_and_stops_with_all_its_processes(lab: Lab) -> None:
    lab.unit("a.service", service("ExecStart=/bin/sh -c 'sleep 1000 & sleep 1000 & wait'"))
    assert lab.ctl("start", "a") == 0
    assert lab.ctl("is-active", "-q", "a") == 0
    main = lab.show("a")["MainPID"]
    children = Path(f"/proc/{main}/task/{main}/children")

    def two() -> list[str]:
        there = children.read_text().split()
        return there if len(there) == 2 else []
    found = wait_until(two, "two children")
    assert lab.ctl("stop", "a") == 0
    assert lab.show("a")["ActiveState"] == "inactive"
    assert not any(Path(f"/proc/{pid}/stat").exists() and
                   " Z " not in Path(f"/proc/{pid}/stat").read_text() for pid in found)


def test_kill_mode_process_leaves_the_others(lab: Lab) -> None:
    lab.unit("a.service", service("KillMode=process", "ExecStart=/bin/sh -c 'sleep 1000 & wait'"))
    lab.ask("start", "a")
    main = lab.show("a")["MainPID"]
    children = Path(f"/proc/{main}/task/{main}/children")
    child = wait_until(lambda: children.read_text().split(), "a child")[0]
    assert lab.ctl("stop", "a") == 0
    assert "sleep" in Path(f"/proc/{child}/comm").read_text()
    os.kill(int(child), signal.SIGKILL)


def test_notify_and_the_descriptor_store(lab: Lab) -> None:
    """What it stored survives a restart and a crash, and ends with a stop."""
    (lab.root / "notifier.py").write_text(NOTIFIER)
    lab.unit("a.service", service("Type=notify", "Restart=always", "RestartSec=100ms",
                                  "FileDescriptorStoreMax=2",
                                  f"ExecStart={PYTHON} {lab.root}/notifier.py"))
    assert lab.ctl("start", "a") == 0
    assert (lab.show("a")["StatusText"], lab.show("a")["NFileDescriptorStore"]) == ("well", "1")
    assert lab.ctl("restart", "a") == 0
    assert lab.show("a")["NRestarts"] == "0"
    os.kill(int(lab.show("a")["MainPID"]), signal.SIGKILL)
    lab.wait("a", NRestarts="1", ActiveState="active")
    given = [line.split()[1:] for line in lab.log("a.service").splitlines()]
    assert given[0] == [] and given[1] == given[2] and given[1][0] == "pipe", given
    lab.ctl("stop", "a")
    assert lab.show("a")["NFileDescriptorStore"] == "0"


def test_a_silent_service_is_ended_by_its_watchdog(lab: Lab) -> None:
    (lab.root / "notifier.py").write_text(NOTIFIER)
    lab.unit("a.service", service("Type=notify", "WatchdogSec=300ms",
                                  f"ExecStart={PYTHON} {lab.root}/notifier.py"))
    assert lab.ctl("start", "a") == 0
    lab.wait("a", ActiveState="failed", Result="watchdog")


def test_a_start_that_takes_too_long_fails(lab: Lab) -> None:
    lab.unit("a.service", service("Type=notify", "TimeoutStartSec=200ms",
                                  "ExecStart=/bin/sleep 1000"))
    assert "timeout" in lab.ask("start", "a")["error"]
    assert lab.show("a")["ActiveState"] == "failed"


def test_oneshot_is_tried_again_until_it_succeeds(lab: Lab) -> None:
    """The start fails at the first failure, as with systemd 252; the unit goes on trying."""
    lab.unit("a.service", "[Unit]\nStartLimitIntervalSec=0\n" + service(
        "Type=oneshot", "Restart=on-failure", "RestartSec=50ms", "RemainAfterExit=yes",
        f"ExecStart=/bin/sh -c 'echo x >> {lab.root}/tries; "
        f"test $(wc -l < {lab.root}/tries) -ge 3'"))
    assert "exit-code, status 1" in lab.ask("start", "a")["error"]
    lab.wait("a", ActiveState="active", SubState="exited", NRestarts="2")


def test_too_many_starts(lab: Lab) -> None:
    lab.unit("a.service", service("ExecStart=/bin/false", "Restart=always", "RestartSec=10ms"))
    lab.ask("start", "a")
    lab.wait("a", ActiveState="failed", Result="start-limit-hit")


def test_no_block_does_not_wait(lab: Lab) -> None:
    lab.unit("a.service", service("Type=oneshot", "RemainAfterExit=yes",
                                  f"ExecStart=/bin/sh -c 'while ! test -e {lab.root}/go; do "
                                  "sleep 0.02; done'"))
    assert lab.ctl("start", "--no-block", "a") == 0
    lab.wait("a", ActiveState="activating")
    (lab.root / "go").touch()
    lab.wait("a", ActiveState="active")


def test_requires_and_order(lab: Lab) -> None:
    """The one that is needed comes first; without it the other does not start."""
    lab.unit("first.service", "[Unit]\nBefore=second.service\n" + service(
        "Type=oneshot", "RemainAfterExit=yes", f"ExecStart=/bin/sh -c 'test -e {lab.root}/good'")
        + "[Install]\nRequiredBy=second.service\n")
    lab.unit("second.service", service("ExecStart=/bin/sleep 1000"))
    assert lab.ctl("enable", "first") == 0
    assert lab.show("first")["UnitFileState"] == "enabled"
    assert "dependency" in lab.ask("start", "second")["error"]
    assert lab.show("second")["ActiveState"] == "inactive"
    (lab.root / "good").touch()
    assert lab.ctl("start", "second") == 0
    assert lab.show("first")["ActiveState"] == "active"
    lab.ctl("stop", "first")
    assert lab.show("second")["ActiveState"] == "inactive"


def test_reload(lab: Lab) -> None:
    lab.unit("a.service", service(
        f"ExecStart=/bin/sh -c 'trap \"touch {lab.root}/reloaded\" HUP; touch {lab.root}/up; "
        "while :; do sleep 0.02; done'", "ExecReload=/bin/kill -HUP $MAINPID"))
    lab.unit("b.service", service("ExecStart=/bin/sleep 1000"))
    lab.ask("start", "a", "b")
    wait_until((lab.root / "up").exists, "it is up")
    assert lab.ctl("reload", "a") == 0
    wait_until((lab.root / "reloaded").exists, "it was told")
    assert "not applicable" in lab.ask("reload", "b")["error"]


def test_path_changed_starts_its_service(lab: Lab) -> None:
    """Also where the folder comes later; a change while the service runs is not seen."""
    lab.unit("a.path", "[Path]\nPathChanged=/watched/file\n")
    lab.unit("a.service", "[Unit]\nStartLimitIntervalSec=0\n" + service(
        "Type=oneshot", f"ExecStart=/bin/sh -c 'echo x >> {lab.root}/runs'"))
    runs = lab.root / "runs"
    assert lab.ctl("start", "a.path") == 0
    (lab.root / "watched").mkdir()
    (lab.root / "watched/file").write_text("1")
    wait_until(lambda: runs.read_text() == "x\n", "the first run")
    lab.wait("a.service", ActiveState="inactive")
    (lab.root / "watched/new").write_text("2")
    hold_true(lambda: runs.read_text() == "x\n", "another file is nothing", 0.2)
    os.rename(lab.root / "watched/new", lab.root / "watched/file")
    wait_until(lambda: runs.read_text() == "x\nx\n", "a rename is a change")


def test_timer(lab: Lab) -> None:
    lab.unit("a.timer", "[Timer]\nOnActiveSec=50ms\nOnUnitActiveSec=50ms\nRandomizedDelaySec=20ms\n")
    lab.unit("a.service", "[Unit]\nStartLimitIntervalSec=0\n" + service(
        "Type=oneshot", f"ExecStart=/bin/sh -c 'echo x >> {lab.root}/runs'"))
    assert lab.ctl("start", "a.timer") == 0
    wait_until(lambda: len((lab.root / "runs").read_text()) >= 6, "three runs")


def test_surroundings(lab: Lab) -> None:
    """Environment, user, limits, folders, capabilities."""
    (lab.root / "etc/a.env").write_text("# no\nFROM_FILE=1\n")
    lab.unit("a.service", service(
        "Type=oneshot", "RemainAfterExit=yes", "EnvironmentFile=/etc/a.env",
        "EnvironmentFile=-/etc/none", "Environment=DIRECT=2", "User=nobody", "LimitCORE=0",
        "UMask=0077", "OOMScoreAdjust=100", "RuntimeDirectory=a", "CapabilityBoundingSet=CAP_KILL",
        "NoNewPrivileges=yes", "ExecStart=/bin/sh -c 'env; id -un; umask; ulimit -c; "
        "cat /proc/self/oom_score_adj; grep -E \"CapBnd|NoNewPrivs\" /proc/self/status; pwd'"))
    assert lab.ctl("start", "a") == 0, lab.log("a.service")
    said = lab.log("a.service").split()
    for word in ("FROM_FILE=1", "DIRECT=2", "nobody", "0077", "100", "0000000000000020", "/"):
        assert word in said, said
    assert (lab.root / "run/a").is_dir()


def test_a_program_that_is_not_there(lab: Lab) -> None:
    lab.unit("a.service", service("Type=oneshot", "ExecStart=/no/such"))
    assert "status 203" in lab.ask("start", "a")["error"]


def test_files_are_read_anew_by_daemon_reload_only(lab: Lab) -> None:
    lab.unit("a.service", "[Unit]\nDescription=old\n" + service("ExecStart=/bin/true"))
    assert lab.show("a")["Description"] == "old"
    lab.unit("a.service", "[Unit]\nDescription=new\n" + service("ExecStart=/bin/true"))
    assert lab.show("a")["Description"] == "old"
    lab.ask("daemon-reload")
    assert lab.show("a")["Description"] == "new"


def test_the_words_of_systemctl(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.unit("a.service", service("ExecStart=/bin/sleep 1000") +
             "[Install]\nWantedBy=multi-user.target\n")
    assert lab.ctl("is-active", "a") == 3
    assert lab.ctl("status", "nothing") == 4
    assert lab.ctl("start", "nothing") == 5
    assert lab.ctl("enable", "--now", "a") == 0
    assert (lab.root / "etc/systemd/system/multi-user.target.wants/a.service").is_symlink()
    capsys.readouterr()
    assert lab.ctl("list-units", "--type=service", "--state=active", "--no-legend", "a*") == 0
    assert capsys.readouterr().out.startswith("a.service loaded active running")
    assert lab.ctl("show", "-p", "ActiveState", "--value", "a") == 0
    assert capsys.readouterr().out == "active\n"
    assert lab.ctl("--what") == 1
    assert lab.ctl("disable", "--now", "a") == 0
    assert not (lab.root / "etc/systemd/system/multi-user.target.wants/a.service").is_symlink()
    assert json.dumps(lab.ask("frobnicate")["error"]) == '"Unknown command verb frobnicate."'
