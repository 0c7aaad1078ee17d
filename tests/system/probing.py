"""Continuous probing of the health listener while things happen to the agent."""
from __future__ import annotations

import http.client
import threading
import time

from parts.agent import Agent


class Probing:
    """A connect every few milliseconds. None may be refused or wait in vain; a
    connection that a killed core held is reset by the kernel, which is counted
    apart."""

    def __init__(self, agent: Agent, path: str = "/livez") -> None:
        self._agent = agent
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = 0
        self.slowest_s = 0.0
        self.reset = 0
        self.problems: list[str] = []

    def __enter__(self) -> "Probing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            start = time.monotonic()
            try:
                answer = self._agent.get(self._path, timeout=20)
                self.answered += 1
                if answer.status != 200:
                    self.problems.append(f"{answer.status} {answer.body}")
            except (ConnectionResetError, http.client.RemoteDisconnected):
                self.reset += 1
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(repr(error))
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)
            time.sleep(0.003)  # the pace of the probing, not a wait for anything
