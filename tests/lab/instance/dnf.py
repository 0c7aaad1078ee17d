"""A stand-in for dnf in an instance: `dnf [OPTIONS] install PACKAGE...`.

The agent comes from the yum repository that user-data names: the installed files as a tarball,
BASEURL/web-node-agent.tar.gz, fetched over HTTPS by packets of the instance's own and unpacked,
its users made as by sysusers.d. (The RPM itself, its signature and its metadata are the matter
of another test; gpgkey and gpgcheck are read and not used.) Amazon Linux's packages are on the
machine already, as Debian's (instance/dnf_twins.py); any other name is an error.

It fails as dnf does, with exit status 1, when the repository is out of reach or the rpm
database is locked.
"""
from __future__ import annotations

import configparser
import fcntl
import glob
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from parts.host import add_users

from .dnf_twins import TWINS

AGENT = "web-node-agent"
LOCK = "/var/lib/rpm/.rpm.lock"
DONE = "/var/lib/rpm/lab"  # a file for each package that is installed
SYSUSERS = "/usr/lib/sysusers.d"


class Failed(Exception):
    """What dnf says after "Error: "."""


class Here:
    """The instance from inside, as add_users wants it."""

    @staticmethod
    def read(path: str) -> str:
        return Path(path).read_text()

    @staticmethod
    def write(path: str, text: str) -> None:
        """As a whole: others look users up meanwhile."""
        new = Path(path + ".new")
        new.write_text(text)
        new.chmod(0o644)
        new.rename(path)


def repositories() -> Iterator[tuple[str, configparser.SectionProxy]]:
    for path in sorted(glob.glob("/etc/yum.repos.d/*.repo")):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(path)
        for name in parser.sections():
            if parser[name].getboolean("enabled", fallback=True):
                yield name, parser[name]


def fetch(name: str, repository: configparser.SectionProxy) -> str:
    """The path of the agent's tarball. Retries and time-outs are the repository's own."""
    url = f"{repository['baseurl'].rstrip('/')}/{AGENT}.tar.gz"
    place = f"/var/tmp/{AGENT}.tar.gz"
    done = subprocess.run(
        ["curl", "-sS", "-f", "--connect-timeout", repository.get("timeout", "30"),
         "--retry", str(int(repository.get("retries", "10")) - 1), "--retry-connrefused",
         "--retry-delay", "1", "-o", place, url],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"Failed to download metadata for repo '{name}': Cannot download "
                     f"{url}: {' '.join(done.stderr.split())[-200:]}")
    return place


def install_agent() -> None:
    found = next(repositories(), None)
    if found is None:
        raise Failed(f"Unable to find a match: {AGENT}")
    place = fetch(*found)
    # Folders that are there keep their owners; links on the way are the image's own.
    subprocess.run(["tar", "-xzf", place, "-C", "/", "--no-same-owner", "--no-overwrite-dir",
                    "--keep-directory-symlink"], check=True)
    os.unlink(place)
    for path in sorted(glob.glob(f"{SYSUSERS}/{AGENT}*.conf")):
        add_users(Here(), Path(path))  # type: ignore[arg-type]


def install_twin(name: str) -> None:
    twin = TWINS[name]
    for path, text in twin.files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not Path(path).exists():
            Path(path).write_text(twin.content(text))


def check(packages: list[str]) -> None:
    unknown = [name for name in packages if name != AGENT and name not in TWINS]
    if unknown:
        raise Failed(f"Unable to find a match: {' '.join(unknown)}")
    missing = [TWINS[name] for name in packages if name in TWINS and not TWINS[name].found()]
    if missing:
        raise Failed("the lab's machine lacks what stands for it: apt-get install "
                     + " ".join(twin.debian for twin in missing))


def install(packages: list[str], quiet: bool) -> None:
    check(packages)
    Path(LOCK).parent.mkdir(parents=True, exist_ok=True)
    Path(DONE).mkdir(exist_ok=True)
    with open(LOCK, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(f"can't create transaction lock on {LOCK} "
                         "(Resource temporarily unavailable)") from None
        for name in packages:
            if (Path(DONE) / name).exists():
                continue
            if name == AGENT:
                install_agent()
            else:
                install_twin(name)
            (Path(DONE) / name).touch()
    if not quiet:
        print("Installed:\n  " + "\n  ".join(packages) + "\n\nComplete!")


def main(argv: list[str]) -> int:
    options = [word for word in argv if word.startswith("-")]
    words = [word for word in argv if not word.startswith("-")]
    known = ("-y", "--assumeyes", "-q", "--quiet")
    odd = [o for o in options if o not in known and not o.startswith("--setopt=")]
    if words[:1] != ["install"] or len(words) < 2 or odd:
        print(f"dnf (the lab's stand-in): only install, -y, -q, --setopt: {' '.join(argv)}",
              file=sys.stderr)
        return 1
    try:
        install(words[1:], "-q" in options or "--quiet" in options)
        return 0
    except Failed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
