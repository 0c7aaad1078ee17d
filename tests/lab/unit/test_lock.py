"""The lab's lock, remains, and end, with simple processes in place of the daemon."""
from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.command import down
from lab.command import lock
from lab.command import remains
from lab.instance import cgroup
from parts.wait import Late, wait_until

TESTS = Path(__file__).parents[2]
# Adopts the lock like the daemon, and ends on request, or is deaf.
HOLDER = """
import signal, sys
from lab.command import lock
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock.adopt(int(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def no_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "sweep", lambda build: None)


def held_by_another(build: Path, how: str = "") -> subprocess.Popen[str]:
    held = lock.take(build)
    assert held is not None
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(held), how], pass_fds=(held,), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"})
    os.close(held)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_nobody_has_it(tmp_path: Path) -> None:
    assert lock.look(tmp_path) == (False, 0)
    held = lock.take(tmp_path)
    assert held is not None and lock.take(tmp_path) is None
    assert lock.look(tmp_path) == (True, 0)  # not signed yet
    lock.sign(held)
    assert lock.look(tmp_path) == (True, os.getpid())
    os.close(held)
    assert lock.look(tmp_path) == (False, 0)


def test_it_passes_to_the_daemon_without_a_gap_and_ends_with_it(tmp_path: Path) -> None:
    process = held_by_another(tmp_path)
    assert lock.take(tmp_path) is None
    assert lock.look(tmp_path) == (True, process.pid)
    process.kill()
    process.wait()
    assert lock.look(tmp_path) == (False, 0)


TAKER = """
import sys; from lab.command import lock; from pathlib import Path
for line in sys.stdin:
    held = lock.take(Path(line.strip()))
    print("held" if held else "refused", flush=True)
"""


def test_of_two_at_once_one_gets_it(tmp_path: Path) -> None:
    takers = [subprocess.Popen([sys.executable, "-c", TAKER], stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.PIPE, env={"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"})
              for _ in range(2)]
    for number in range(50):
        build = tmp_path / str(number)
        build.mkdir()
        for taker in takers:
            assert taker.stdin
            taker.stdin.write(f"{build}\n")
            taker.stdin.flush()
        said = [taker.stdout.readline() for taker in takers if taker.stdout]
        assert sorted(said) == ["held\n", "refused\n"]
    for taker in takers:
        taker.communicate()


def test_a_predecessors_number_is_nobodys(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    lock.place(tmp_path).write_text("1")  # a process without the lock
    assert held is not None and lock.look(tmp_path) == (True, 0)
    os.close(held)


def test_who_only_looks_takes_it_from_nobody(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    looking = os.open(lock.place(tmp_path), os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    tried: list[int] = []

    def spy(fd: int, how: int) -> bool:
        tried.append(how)
        if how == fcntl.LOCK_SH:  # the lock was refused once; the reader has released it
            fcntl.flock(looking, fcntl.LOCK_UN)
        return real(fd, how)
    real = lock._try
    monkeypatch.setattr(lock, "_try", spy)
    held = lock.take(tmp_path)
    assert held is not None
    assert tried == [fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_EX]
    os.close(held)
    os.close(looking)


@pytest.mark.parametrize("how", ["", "deaf"])
def test_down_returns_after_the_end(how: str, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down, "DOWN_S", 0.5)
    process = held_by_another(tmp_path, how)
    assert down.down(tmp_path)
    assert process.poll() == (-signal.SIGKILL if how else -signal.SIGTERM)
    assert not down.down(tmp_path)


def test_down_finds_who_holds_a_lock_that_was_deleted(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    process = held_by_another(build)
    shutil.rmtree(build)
    build.mkdir()
    assert down.down(build)
    assert process.poll() == -signal.SIGTERM


def test_what_writes_below_the_folder_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    (folder / "logs").mkdir(parents=True)
    with (folder / "logs/one.log").open("w") as log:
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
    with (folder / "logs/one.log").open() as log:  # a process that reads the log
        reader = subprocess.Popen(["sleep", "60"], stdin=log)
    try:
        wait_until(lambda: remains.processes(folder), "it has begun")
        assert remains.processes(folder) == [f"{writer.pid} cat"]
        with pytest.raises(Late, match=f"{writer.pid} cat"):
            remains.wait_gone(folder, 0.1)
        assert writer.stdin
        writer.stdin.close()
        remains.wait_gone(folder)
    finally:
        for process in (writer, reader):
            process.kill()
            process.wait()
