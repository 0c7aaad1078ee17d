"""The agent as a service of a machine's systemd."""
from __future__ import annotations

import subprocess
from typing import Mapping

from parts.agent import Agent

from .machine import Machine

UNIT = "web-node-agent.service"


class InstalledAgent(Agent):
    """Its files are among the machine's copies; not enabled. All that asks the agent is
    the same as beside a wnad that the test itself runs."""

    host: Machine

    def __init__(self, host: Machine) -> None:
        self.host = host
        self.process = None
        self.settings = {}
        self._mark = ""

    def install(self) -> None:
        """What a package does after its files are there."""
        self.host.run("systemd-sysusers")

    # life

    def start(self, wait: bool = True, environment: Mapping[str, str] | None = None) -> None:
        """Without `wait` only the job is queued. log() begins here."""
        self._mark = self.host.cursor()
        if environment:
            self.host.systemctl("set-environment", *(f"{k}={v}" for k, v in environment.items()))
        self.host.systemctl("start", *([] if wait else ["--no-block"]), UNIT)

    def restart(self) -> None:
        self.host.systemctl("restart", UNIT)

    def stop(self, timeout: float = 60.0) -> int:
        self.host.systemctl("stop", UNIT, timeout=timeout)
        return int(self.host.show(UNIT, "ExecMainStatus"))

    def reload(self) -> subprocess.CompletedProcess[str]:
        return self.host.run("systemctl", "reload", UNIT, check=False)

    def drop_in(self, text: str) -> None:
        """What an operator writes with `systemctl edit`."""
        self.host.write(f"/etc/systemd/system/{UNIT}.d/test.conf", text)
        self.host.systemctl("daemon-reload")

    def running(self) -> bool:
        return self.host.show(UNIT, "ActiveState") in ("active", "reloading", "deactivating")

    def ready(self) -> bool:
        return self.host.show(UNIT, "ActiveState") == "active"

    def restarts(self) -> int:
        """How often systemd has started it anew by itself."""
        return int(self.host.show(UNIT, "NRestarts"))

    def state(self) -> str:
        """What `systemctl status` shows behind "Status:"."""
        return self.host.show(UNIT, "StatusText")

    def log(self) -> str:
        after = [f"--after-cursor={self._mark}"] if self._mark else []
        return "".join(f"{entry['MESSAGE']}\n" for entry in self.host.journal("-u", UNIT, *after))

    def members(self) -> list[int]:
        """All processes in its control group."""
        return self.host.unit_pids(UNIT)

    def close(self) -> None:
        pass
