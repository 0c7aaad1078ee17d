"""tests/rig/run: a shell in a machine."""
from __future__ import annotations

import os
import signal
import subprocess
import sys

from parts.agent import UMBRELLA, Agent

from .machine import BUILD, ROOT, Machine

HINTS = """\
rig: the agent is installed as packaged, and runs. Here: systemctl status web-node-agent, wnactl status,
rig: journalctl -f. The checkout is /src (read-only). The journal outside: {log}
rig: Into the machine from a second terminal: {enter}
"""


def run(machine: Machine, command: list[str]) -> int:
    agent = Agent(machine)
    agent.install()
    machine.systemctl("enable", UMBRELLA)
    machine.boot()
    enter = [*machine.enter(), f"TERM={os.environ.get('TERM', 'dumb')}"]
    if not command:
        log = machine.logs / f"{machine.name}.holder.log"
        print(HINTS.format(log=log, enter=f"nsenter -a -r -w -t {machine.pid} bash -l"))
    # Ctrl-C is the shell's. (A handler of ours is not inherited, an ignored signal would be.)
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.run([*enter, *(command or ["bash", "-l"])], check=False).returncode


def main() -> int:
    logs = BUILD / "logs/rig"
    logs.mkdir(parents=True, exist_ok=True)
    machine = Machine("web", logs, BUILD / "cache/rig-base", copies=[BUILD / "stage"],
                      binds=[(ROOT, "/src", "ro")])
    try:
        return run(machine, sys.argv[1:])
    finally:
        machine.close()


if __name__ == "__main__":
    sys.exit(main())
