"""The agent's figures, each beside its floor in the same run. See `run`.

    python -m bench.main BUILD OUT [--quick] [--pairs N] [--only NAME,...]

BUILD holds the venv, the staged agent (stage/) and the floors (floors/);
results.json, table.txt and the raw samples go to OUT."""
from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

from parts.world import World

from . import answering, cost, passing, start, visiting
from .ground import Ground
from .table import table


# `run` has their names too: it judges its arguments before anything is installed.
MEASURES: dict[str, Callable[[Ground], dict[str, Any]]] = {
    "size": cost.size,
    "answering": answering.throughput,
    "latency": answering.latency,
    "cost": cost.cost,  # gives two: memory and processor
    "passing": passing.passing,
    "start": start.start,
    "visiting": visiting.visiting,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one pair, short runs: for trying")
    parser.add_argument("--pairs", type=int, default=0, help="interleaved pairs (default 5)")
    parser.add_argument("--only", default="", help="names of measurements, separated by commas")
    options = parser.parse_args()
    chosen = [n for n in options.only.split(",") if n] or list(MEASURES)
    if unknown := set(chosen) - set(MEASURES):
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are: "
                     f"{', '.join(MEASURES)}")
    options.out.mkdir(parents=True, exist_ok=True)

    results: dict[str, Any] = {"machine": f"{platform.machine()}, Linux {platform.release()}"}
    with tempfile.TemporaryDirectory(prefix="wna-bench-") as folder:
        print("bench: bringing the lab up", flush=True)
        # Services run as users of their own and must be able to enter.
        Path(folder).chmod(0o755)
        world = World(options.build / "stage", options.build / "venv", options.build / "cache",
                      Path(folder))
        try:
            ground = Ground(world, options.build, options.out, options.quick)
            ground.pairs = options.pairs or ground.pairs
            for name in chosen:
                print(f"bench: {name}", flush=True)
                found = MEASURES[name](ground)
                results.update(found if name == "cost" else {name: found})
                # Written as it grows: a run that is broken off keeps what it has.
                (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        finally:
            world.close()
    text = table(results)
    (options.out / "table.txt").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
