"""A program under test or a server of the lab: started, watched, stopped."""
from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from .wait import wait_until


class Process:
    """One program entered into a host by nsenter; its output goes to a file."""

    def __init__(self, argv: list[str], log: Path, stdin: int | None = None,
                 pass_fds: tuple[int, ...] = ()) -> None:
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, pass_fds=pass_fds, cwd="/")

    @property
    def pid(self) -> int:
        """The program itself, as seen from outside: nsenter's only child."""
        def child() -> int:
            text = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
            return int(text.split()[0])
        return wait_until(child, f"{self.log.name}: program started", 5)

    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        """What it has written since it was started."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = 10.0) -> int:
        """The exit status: nsenter passes its child's on, signals as 128 + n."""
        status = self.popen.wait(timeout)
        return status if status >= 0 else 128 - status

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Asks, waits, then kills. Returns the exit status."""
        self.wake()
        if self.running():
            try:
                self.send(number)
            except (OSError, AssertionError):
                pass  # it ended by itself meanwhile
            try:
                return self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.wait()

    def kill(self) -> None:
        if not self.running():
            return
        try:
            self.send(signal.SIGKILL)
        except (OSError, AssertionError):
            self.popen.kill()
        self.reap(10)

    def wake(self) -> None:
        """nsenter stops itself with a stopped child and would not see it end."""
        if self.running():
            self.popen.send_signal(signal.SIGCONT)

    def reap(self, timeout: float) -> None:
        """Waits for the end of a program that has been killed."""
        self.wake()
        self.popen.wait(timeout)
