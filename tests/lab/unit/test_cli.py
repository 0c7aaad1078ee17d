"""tests/lab/run with bad input: one clear line, and nothing is built."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.command import lock
from lab.unit.stack_tree import PATH

RUN = Path(__file__).parents[1] / "run"


def run(*words: str, build: Path, template: Path | None = None, ready: str = "1",
        python: bool = True) -> subprocess.CompletedProcess[str]:
    """`ready`: nothing needs to be built. `python`: whether the build folder has a Python."""
    (build / "venv/bin").mkdir(parents=True, exist_ok=True)
    there = build / "venv/bin/python"
    if python and not there.exists():
        there.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        there.chmod(0o755)
    return subprocess.run(
        [str(RUN), *words], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, env={
            **os.environ, "WNA_BUILD": str(build), "WNA_LAB_READY": ready,
            "WNA_LAB_TEMPLATE": str(template or PATH)})


CHANGES = {
    "Type: AWS::EC2::InternetGateway": ("Type: AWS::EC2::TransitGateway", "AWS::EC2::TransitGateway"),
    "CidrBlock: !Ref VpcCidr, ": ("CidrBlock: !ImportValue VpcCidr, ", "ImportValue"),
    "Properties: {Domain: vpc}": ("Properties: {Domain: vpc, Colour: red}", "Colour"),
    "SubnetId: !Ref PublicA, Alloc": ("SubnetId: !Ref PublicB, Alloc", "PublicB"),
}


@pytest.mark.parametrize("old", CHANGES)
def test_what_it_does_not_know_stops_it_with_the_line(old: str, tmp_path: Path) -> None:
    new, word = CHANGES[old]
    text = PATH.read_text()
    assert old in text
    line = text[:text.index(old)].count("\n") + 1
    (tmp_path / "broken.yaml").write_text(text.replace(old, new, 1))
    done = run("up", build=tmp_path / "build", template=tmp_path / "broken.yaml")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"lab: broken.yaml:{line}: ") and word in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "build/lab").exists()


@pytest.mark.parametrize("words, said", [
    (("up", "MinSize=many"), "MinSize"),
    (("up", "NoSuch=1"), "NoSuch"),
    (("status",), "not up"), (("test", "R9"), "not up"), (("shell",), "not up"),
    (("shell", "web-1", "true"), "not up"), (("failover",), "not up"), (("load", "8"), "not up"),
    (("mutate",), "not up"),
])
def test_bad_words(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(*words, build=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("lab: ") and said in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


@pytest.mark.parametrize("words", [
    ("up", "MinSize"), ("up", "=3"), ("up", "--help"), ("status", "--wach"), ("down", "now"),
    ("failover", "now"), ("load",), ("load", "0"), ("load", "many"), ("load", "8", "-1"),
    ("load", "8", "5", "1"), ("load", "100000"), ("load", "²"),
])
def test_unknown_words_are_a_matter_of_usage(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*words, build=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"lab: {words[0]}: "), done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_up_says_that_it_is_up_before_it_builds_anything(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    assert held is not None
    done = run("up", build=tmp_path, ready="")
    os.close(held)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("lab: it is up already") and done.stderr.count("\n") == 1


def test_up_refuses_parameters_before_it_builds_anything(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    shutil.copy(RUN.parents[1] / "setup/requirements.lock", tmp_path / "venv/lock")
    done = run("up", "NoSuch=1", build=tmp_path, ready="")
    assert done.returncode == 1 and done.stdout == ""
    assert "NoSuch" in done.stderr and done.stderr.count("\n") == 1


def test_down_needs_nothing_that_is_built(tmp_path: Path) -> None:
    done = run("down", build=tmp_path, python=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "lab: it was not up\n", "")


def test_nothing_is_built(tmp_path: Path) -> None:
    done = run("status", build=tmp_path, python=False)
    assert done.returncode == 1 and "begin with: tests/lab/run up" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_nobody_foresaw_is_one_line_and_a_file(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    assert held is not None
    (tmp_path / "lab").write_text("no folder")
    done = run("status", build=tmp_path)
    os.close(held)
    assert done.returncode == 1 and done.stderr.startswith("lab: status: ")
    assert done.stderr.count("\n") == 1 and "logs/lab-command.log" in done.stderr
    assert "Traceback" in (tmp_path / "logs/lab-command.log").read_text()


def test_no_such_command(tmp_path: Path) -> None:
    done = run("upp", build=tmp_path)
    assert done.returncode == 2 and "tests/lab/run up" in done.stderr


def test_not_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "bash", "-s", "--", "up"],
        input=RUN.read_text().replace("${BASH_SOURCE[0]}", str(RUN)), capture_output=True,
        text=True, timeout=30, env={**os.environ, "WNA_BUILD": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr == "lab: needs root (namespaces, packages)\n"


def test_a_build_path_too_long_for_a_socket(tmp_path: Path) -> None:
    done = run("up", build=tmp_path / ("x" * 110))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "too long a path" in done.stderr and "WNA_BUILD" in done.stderr
