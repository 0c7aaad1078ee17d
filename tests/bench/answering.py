"""How fast and how steadily /healthz answers, alone and while all else hangs."""
from __future__ import annotations

import re
import subprocess
import threading
from typing import Any

from parts.agent import PORT
from parts.process import Process

from .ground import FLOORS, Ground, median, percentile

FLOOR_PORT = 8098


def _wrk(ground: Ground, port: int, seconds: int) -> float:
    """Requests per second over kept-alive connections; the client has the other core."""
    done = ground.node.host.run(
        "taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{seconds}s",
        f"http://127.0.0.1:{port}/healthz", timeout=seconds + 20)
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    assert found and "Non-2xx" not in done.stdout, done.stdout
    return float(found.group(1))


def _floor(ground: Ground) -> Process:
    process = ground.floor("floor_epoll", str(FLOOR_PORT))
    ground.listening(FLOOR_PORT)
    return process


def throughput(ground: Ground) -> dict[str, Any]:
    """One core for the server, five interleaved pairs with the bare responder."""
    seconds = 2 if ground.quick else 6
    ground.start()
    floor = _floor(ground)
    ground.pinned(ground.agent.pid("core"), 0)
    ground.pinned(ground.floor_pid("floor_epoll"), 0)
    pairs = []
    for _ in range(ground.pairs):
        pairs.append({"agent": _wrk(ground, PORT, seconds),
                      "floor": _wrk(ground, FLOOR_PORT, seconds)})
    floor.kill()
    ground.stop()
    ground.raw("throughput", pairs)
    ratios = [pair["agent"] / pair["floor"] for pair in pairs]
    return {"agent_per_s": median([p["agent"] for p in pairs]),
            "floor_per_s": median([p["floor"] for p in pairs]),
            "ratio": median(ratios), "ratios": ratios, "bar": "ratio at least 0.8"}


def _pace(ground: Ground, port: int, seconds: int) -> list[float]:
    done = ground.node.host.run(f"{FLOORS}/pace", "127.0.0.1", str(port), "/healthz", "1000",
                                str(seconds), timeout=seconds + 30)
    return [float(line) for line in done.stdout.split()]


class _Gaps:
    """The longest time between two CPU samples, as the age of the fact grows."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.ages, self.end = ground, [], threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self.end.wait(0.05):
            self.ages.append(self.ground.status()["facts"]["cpu"]["age_ms"])

    def __enter__(self) -> "_Gaps":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.thread.join()


def _hang(ground: Ground) -> None:
    """The mount silent, DNS dropped, MySQL stopped in its handshake, CloudWatch
    accepting and never answering."""
    world = ground.world
    world.use_scripted().default("silence")
    world.shared.silence(ground.node.host)
    for server in world.database.servers:
        server.host.run("pkill", "-STOP", "-x", "mariadbd")
    ground.agent.wait_page("/readyz", 503, 60)
    world.dns.silence()


def _mend(ground: Ground) -> None:
    world = ground.world
    world.dns.speak()
    world.shared.speak(ground.node.host)
    for server in world.database.servers:
        server.host.run("pkill", "-CONT", "-x", "mariadbd")
    world.use_moto()
    for job in ("mount", "database", "metrics"):
        ground.agent.wait_job(job, "ok", 120)


def latency(ground: Ground) -> dict[str, Any]:
    """1,000 requests a second: the floor, the healthy agent, then both while everything
    hangs; interleaved. The age of the CPU sample is read in all of them: reading it costs
    the machine more than a hang does."""
    seconds = 3 if ground.quick else 15
    ground.start()
    floor = _floor(ground)
    rounds: list[dict[str, list[float]]] = []
    gaps: list[float] = []
    for _ in range(ground.pairs):
        with _Gaps(ground):
            one = {"floor": _pace(ground, FLOOR_PORT, seconds),
                   "healthy": _pace(ground, PORT, seconds)}
        _hang(ground)
        with _Gaps(ground) as watch:
            one["hung"] = _pace(ground, PORT, seconds)
            one["floor_hung"] = _pace(ground, FLOOR_PORT, seconds)
        gaps.append(max(watch.ages))
        assert ground.agent.code("/healthz") == 200
        _mend(ground)
        rounds.append(one)
    floor.kill()
    ground.stop()
    ground.raw("latency_us", rounds)
    ground.raw("cpu_sample_age_ms", gaps)
    tail = {kind: [percentile(r[kind], 0.999) for r in rounds]
            for kind in ("floor", "healthy", "hung", "floor_hung")}
    ratios = [h / g for h, g in zip(tail["hung"], tail["healthy"])]
    return {
        "p50_us": {kind: median([median(r[kind]) for r in rounds]) for kind in tail},
        "p999_us": {kind: median(values) for kind, values in tail.items()},
        "p999_ratio": median(ratios), "p999_ratios": ratios,
        "slowest_hung_us": max(max(r["hung"]) for r in rounds),
        "slowest_floor_us": max(max(r["floor"]) for r in rounds),
        "longest_sample_gap_ms": max(gaps),
        "bar": "healthy p99.9 under 1 ms; hung/healthy at most 1.3; no answer over 50 ms; "
               "gap at most 1.5 s",
    }


def available() -> bool:
    return subprocess.run(["which", "wrk"], stdout=subprocess.DEVNULL).returncode == 0
