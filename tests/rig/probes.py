"""What a load balancer sees while things happen to the agent."""
from __future__ import annotations

import asyncio
import math
import threading
import time

from parts.host import Host
from parts.wait import wait_until

RATE = 100  # a second
TIMEOUT_S = 20.0


class Probes:
    """A page is asked for at a constant rate, each time on a connection of its own and whether or
    not the earlier ones have been answered. `refused`: nobody listened. `cut`: the connection was
    made and ended without an answer, as when its process was killed. `wrong`: an answer with another
    status than `status`, none within TIMEOUT_S, and errors of any other kind."""

    def __init__(self, host: Host, path: str = "/healthz", port: int = 8099) -> None:
        self.host = host
        self.port = port
        self.request = f"GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode()
        self.status = 200
        self.asked = self.answered = self.refused = self.cut = 0
        self.lasted_s = self.longest_s = self.late_s = 0.0
        self.wrong: list[str] = []
        self._mended = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._enter, daemon=True)

    def __enter__(self) -> "Probes":
        self._thread.start()
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_S + 10)

    def __str__(self) -> str:
        return (f"{self.asked} asked in {self.lasted_s:.1f} s, {self.answered} answered, "
                f"{self.refused} refused, {self.cut} cut, {len(self.wrong)} wrong {self.wrong[:3]}, "
                f"longest {self.longest_s * 1000:.0f} ms; sent at most {self.late_s * 1000:.0f} ms late")

    def go_on(self, more: int = RATE // 2) -> None:
        """Until so many more have been answered."""
        enough = self.answered + more
        wait_until(lambda: self.answered >= enough, f"{more} more answers ({self})", 30)

    def mended(self) -> None:
        """Nothing could answer until now: what waits is measured from here on."""
        self._mended = time.monotonic()

    def judge(self, cut: int = 0, longest_s: float = 1.0) -> None:
        """After the last answer: no request was sent late, refused, or answered wrongly or late, and at
        most `cut` were cut."""
        # A request that is sent later than this says nothing about the moment it stands for.
        assert self.late_s < 1, self
        assert self.asked == self.answered + self.refused + self.cut + len(self.wrong), self
        assert not self.refused and not self.wrong and self.cut <= cut, self
        assert self.longest_s < longest_s, self

    def _enter(self) -> None:
        with self.host.net():
            asyncio.run(self._run())

    async def _run(self) -> None:
        asked = []
        begun = next_at = time.monotonic()
        until = math.inf
        while next_at < until:
            self.late_s = max(self.late_s, time.monotonic() - next_at)
            asked.append(asyncio.create_task(self._ask()))
            next_at += 1 / RATE
            await asyncio.sleep(next_at - time.monotonic())
            # On a loaded machine this loop is late now and then: what is due is asked before it ends.
            if until == math.inf and self._stop.is_set():
                until = time.monotonic()
        self.lasted_s = time.monotonic() - begun
        await asyncio.gather(*asked)

    async def _ask(self) -> None:
        self.asked += 1
        start = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(self.request)
                answer = await reader.read()
                writer.close()
        except ConnectionRefusedError:
            self.refused += 1
            return
        except ConnectionError:
            answer = b""
        except OSError as error:  # TimeoutError is one
            self.wrong.append(repr(error))
            return
        if not answer:
            self.cut += 1
        elif not answer.startswith(f"HTTP/1.1 {self.status} ".encode()):
            self.wrong.append(answer.decode(errors="replace"))
        else:
            self.answered += 1
        self.longest_s = max(self.longest_s, time.monotonic() - max(start, self._mended))
