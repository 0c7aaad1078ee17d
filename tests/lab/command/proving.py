"""tests/lab/run test: runs the tests with pytest on the running lab."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lab.model.updating import Edit
from . import interrupt
from .client import Lab

PROOF = Path(__file__).parents[1] / "proof"
SHORT = "--short"
REQUIREMENTS = ["boot", "baked", *(f"R{n}" for n in range(1, 8)), "leaving", "upgrade"]
EDITS = "WNA_LAB_EDITS"  # the edits of a mutation, for the tests


def files(words: list[str]) -> list[str]:
    """The test files of these requirements; without a name all, in order."""
    for word in words:
        if word not in REQUIREMENTS:
            raise SystemExit(f"lab: {word}: there are {' '.join(REQUIREMENTS)}")
    wanted = words or REQUIREMENTS
    return [str(next(PROOF.glob(f"test_{name.lower()}*.py"))) for name in REQUIREMENTS
            if name in wanted]


def edits() -> list[Edit]:
    """The template's edits during this run; [] outside of a mutation."""
    return list(json.loads(os.environ.get(EDITS, "[]")))


def mutated() -> bool:
    """The tests are expected to fail: short timeouts, and no repair."""
    return EDITS in os.environ


def pytest(lab: Lab, *arguments: str, quiet: bool = False, changed: list[Edit] | None = None
           ) -> subprocess.CompletedProcess[str]:
    """Runs pytest on the running lab, with its output shown."""
    environment = {**os.environ, "WNA_LAB_BUILD": str(lab.build)}
    if changed is not None:
        environment |= {EDITS: json.dumps(changed), "WNA_LAB_PATIENCE": "8"}
    return interrupt.run(
        [sys.executable, "-m", "pytest", "-c", str(PROOF / "pytest.ini"), "--rootdir", str(PROOF),
         "-p", "no:cacheprovider", *arguments],
        env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None, text=True, errors="replace")


def test(lab: Lab, words: list[str]) -> int:
    junit = os.environ.get("WNA_LAB_JUNIT")
    options = [f"--junitxml={junit}"] if junit else []
    if words[:1] == [SHORT]:
        options += ["-m", "not long"]
        words = words[1:]
    return pytest(lab, *options, *files(words)).returncode
