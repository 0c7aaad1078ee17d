"""tests/lab/run test: the seven tests by pytest on the lab that is up."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .client import Lab

HERE = Path(__file__).parent
REQUIREMENTS = ["boot", *(f"R{n}" for n in range(1, 8))]


def files(words: list[str]) -> list[str]:
    """The test files of the requirements named; all, in order, if none is."""
    for word in words:
        if word not in REQUIREMENTS:
            raise SystemExit(f"lab: {word}: there are {' '.join(REQUIREMENTS)}")
    wanted = words or REQUIREMENTS
    return [str(next(HERE.glob(f"test_{name.lower()}*.py"))) for name in REQUIREMENTS
            if name in wanted]


def pytest(lab: Lab, *arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """A run of pytest over the running lab. Not quiet: it is shown as it goes."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), "--rootdir", str(HERE),
         "-p", "no:cacheprovider", *arguments],
        env={**os.environ, "WNA_LAB_BUILD": str(lab.build)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None, text=True)


def test(lab: Lab, words: list[str]) -> int:
    junit = os.environ.get("WNA_LAB_JUNIT")
    return pytest(lab, *([f"--junitxml={junit}"] if junit else []), *files(words)).returncode
