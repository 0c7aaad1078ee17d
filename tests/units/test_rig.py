"""The rig itself: what it promises to suites that stand on it."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from parts.agent import Agent
from conftest import TESTS, place
from parts.host import Switch, strays
from parts.http import request
from parts.wait import wait_until
from rig.machine import Machine

OWNER = """
import pathlib, signal, sys
from rig.machine import Machine
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where a shell's background job
machine = Machine("left", pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
machine.boot()
print(machine.group, machine.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    """A machine ends with the program that made it, whatever ends that: its control group, its
    processes, and with them their namespaces and mounts."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path, place("WNA_CACHE", "cache") / "rig-base"],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    assert owner.stdin and owner.stdout
    with owner.stdin, owner.stdout:
        group, pid = owner.stdout.readline().split()
        spaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("pid", "net")]
        assert "payload" in os.listdir(group) and len(strays(spaces)) > 2
        owner.send_signal(number)
        owner.wait(20)
        wait_until(lambda: not Path(group).exists(), "its control group has gone", 20)
    assert not strays(spaces)
    for space in spaces:
        os.close(space)


def test_machines_on_a_switch(new_machine: Callable[..., Machine], stage: Path, tmp_path: Path) -> None:
    """As hosts are: connected before or after the boot, and still after another."""
    switch = Switch(tmp_path)
    try:
        one, two = new_machine(stage), new_machine(stage)
        switch.attach(one, "10.16.3.10")
        one.boot()
        two.boot()
        switch.attach(two, "10.16.3.11")
        agent = Agent(one)
        agent.install()
        agent.start()
        assert request(two, one.address, 8099, "/livez").status == 200
        two.reboot()
        assert request(two, one.address, 8099, "/livez").status == 200
        assert two.run("hostname").stdout != one.run("hostname").stdout
        assert set(one.ps()).isdisjoint(two.ps())
    finally:
        switch.close()
