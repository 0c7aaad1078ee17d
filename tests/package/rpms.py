"""What the tests here share: the checkout, its packages, rpm kept off this machine, and
packaging/repo with its keys."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RPM = ROOT / "packaging" / "rpm"
SPEC = RPM / "web-node-agent.spec"
REPO = ROOT / "packaging" / "repo"
NAME = "web-node-agent"


@dataclass(frozen=True)
class Packages:
    """`this` and `next`: what packaging/rpm/build left in a folder. `db`: a database of rpm's."""

    this: Path
    next: Path
    db: Path

    def one(self, what: str = "", folder: Path | None = None) -> Path:
        """The package, or its -debuginfo or -selinux; "src": the source package."""
        folder = folder or self.this
        pattern = f"{NAME}-[0-9]*.src.rpm" if what == "src" else f"{NAME}{what}-[0-9]*.[xn]*.rpm"
        found = list(folder.glob(pattern))
        assert len(found) == 1, f"{folder}: {pattern}: {found}"
        return found[0]

    def query(self, package: Path, *options: str) -> list[str]:
        return run("rpm", "--dbpath", str(self.db), "-qp", "--nosignature", *options,
                   str(package)).stdout.splitlines()


def run(*command: str, ok: bool = True, **options) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=110,
                          stdin=subprocess.DEVNULL, **options)
    if ok:
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(folder: Path) -> dict[str, str]:
    """Of every file below it."""
    return {str(path.relative_to(folder)): sha256(path)
            for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass(frozen=True)
class Listed:
    """A line of al2023-packages.txt."""

    what: str
    package: str
    capability: str


def al2023() -> list[Listed]:
    lines = (RPM / "al2023-packages.txt").read_text().splitlines()
    return [Listed(*line.split()) for line in lines if line and not line.startswith("#")]


@dataclass(frozen=True)
class Signer:
    """Two keys in a keyring: the repository's, and somebody else's."""

    home: str
    key: str
    other: str

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "GNUPGHOME": self.home}

    def sign(self, repository: Path, key: str) -> None:
        run("gpg", "--batch", "--yes", "--local-user", key, "--detach-sign", "--armor",
            str(repository / "repodata" / "repomd.xml"), env=self.env)

    def index(self, repository: Path, key: str) -> None:
        """The metadata anew, as whoever has this key could."""
        run("createrepo_c", "--quiet", "--general-compress-type", "gz", "--no-database",
            str(repository))
        self.sign(repository, key)


def make(signer: Signer, folder: Path, *rest: str, url: str = "https://example.com/al2023",
         key: str = "", ok: bool = True, path: str = os.environ["PATH"]):
    return run(str(REPO), "--key", key or signer.key, "--url", url, str(folder), *rest,
               env={**signer.env, "PATH": path}, ok=ok)
