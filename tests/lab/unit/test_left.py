"""tests/setup/left lists the remains of a lab, and no process of others."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from parts.wait import wait_until

LEFT = Path(__file__).parents[2] / "setup/left"


def own_mounts(pid: int) -> bool:
    return os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")


class Left:
    def __init__(self, folder: Path) -> None:
        self.build, self.before = folder / "build", folder / "before"
        self._env = {**os.environ, "WNA_BUILD": str(self.build)}
        subprocess.run([LEFT, "save", self.before], check=True, env=self._env)

    def names(self, pid: int) -> bool:
        """Whether its output has the text; other tests may leave remains, too."""
        done = subprocess.run([LEFT, "check", self.before, "0"], capture_output=True, text=True,
                              env=self._env)
        named = f"\nprocess {pid} " in done.stdout
        assert done.returncode == 1 or not named
        return named


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    """A process of another user of the machine, older than the lab."""
    process = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.communicate()


def test_namespaces_are_named_with_those_in_them(shell: subprocess.Popen[str],
                                                 tmp_path: Path) -> None:
    left = Left(tmp_path)
    ours = subprocess.Popen(["unshare", "--mount", "sleep", "60"])
    assert shell.stdin and shell.stdout
    shell.stdin.write("unshare --mount sleep 60 & echo $!\n")
    shell.stdin.flush()
    theirs = int(shell.stdout.readline())
    try:
        for pid in (ours.pid, theirs):
            wait_until(lambda: own_mounts(pid), "it has a namespace of its own")
        assert left.names(ours.pid)
        assert not left.names(theirs)
    finally:
        os.kill(theirs, signal.SIGKILL)
        ours.kill()
        ours.wait()
    assert not left.names(ours.pid)


def test_a_process_of_the_build_folder_is_left_wherever_it_comes_from(
        shell: subprocess.Popen[str], tmp_path: Path) -> None:
    left = Left(tmp_path)
    assert shell.stdin and shell.stdout
    sleep = f"{sys.executable} -c 'import time; time.sleep(60)'"
    # The other process belongs to a lab of another build folder.
    shell.stdin.write(f"{sleep} {left.build}/x & echo $!\n"
                      f"WNA_LAB_BUILD=/elsewhere {sleep} {left.build}2/x & echo $!\n")
    shell.stdin.flush()
    tied, other = int(shell.stdout.readline()), int(shell.stdout.readline())
    try:
        wait_until(lambda: left.names(tied), "it is named")
        assert not left.names(other)
    finally:
        for pid in (tied, other):
            os.kill(pid, signal.SIGKILL)


def test_usage() -> None:
    done = subprocess.run([LEFT, "look"], capture_output=True, text=True)
    assert done.returncode == 2 and "save FILE or check FILE" in done.stderr
