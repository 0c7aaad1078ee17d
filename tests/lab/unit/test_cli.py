"""tests/lab/run with bad input: one clear line, and nothing is built."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.unit.stack_tree import PATH

RUN = Path(__file__).parents[1] / "run"


def run(*words: str, build: Path, template: Path | None = None,
        before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    (build / "venv/bin").mkdir(parents=True, exist_ok=True)
    python = build / "venv/bin/python"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
    return subprocess.run(
        [*before, str(RUN), *words], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, env={
            **os.environ, "WNA_BUILD": str(build), "WNA_LAB_READY": "1",
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
    assert not (tmp_path / "build/lab/daemon").exists()


@pytest.mark.parametrize("words, said", [
    (("up", "MinSize=many"), "MinSize"),
    (("up", "NoSuch=1"), "NoSuch"),
    (("up", "MinSize"), "NAME=VALUE"),
    (("status",), "not up"), (("test", "R9"), "not up"), (("shell",), "not up"),
])
def test_bad_words(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(*words, build=tmp_path)
    assert done.returncode != 0 and done.stderr.startswith("lab: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


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
