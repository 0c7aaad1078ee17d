"""The packages are built once for all workers of pytest, or by tests/check in $WNA_PACKAGES."""

import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from package.rpms import ROOT, Packages, Signer, run

# What they look at is made of Debian's libraries, rpm, rpmlint and policy, and Debian 12's are
# the ones that come near to Amazon Linux's.
DEBIAN_12 = {
    "test_no_symbol_newer_than_amazon_linux", "test_rpmlint_is_content",
    "test_each_filter_of_rpmlint_filters", "test_is_not_unconfined", "test_what_is_written",
    "test_it_parses",
}


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    if platform.freedesktop_os_release().get("VERSION_ID") == "12":
        return
    for item in items:
        if item.originalname in DEBIAN_12:
            item.add_marker(pytest.mark.skip(reason="needs Debian 12's libraries and tools"))


def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    folder = Path(os.environ.get("WNA_PACKAGES") or shared(tmp_path_factory) / "packages")
    # All workers of a run have the same, also if somebody changes the checkout meanwhile.
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    own = tmp_path_factory.mktemp("packages")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "run", "a+") as last_run:
        fcntl.flock(last_run, fcntl.LOCK_EX)
        last_run.seek(0)
        if not this_run or last_run.read() != this_run:
            run(str(ROOT / "tests" / "package" / "packages"), str(folder))
            last_run.truncate(0)
            last_run.write(this_run)
            last_run.flush()
        for name in ("rpms", "next-rpms"):
            shutil.copytree(folder / name, own / name)
    return Packages(own / "rpms", own / "next-rpms", own / "db")


@pytest.fixture(scope="session")
def unpacked(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the package."""
    folder = tmp_path_factory.mktemp("unpacked")
    run("bash", "-c", 'set -o pipefail; rpm2cpio "$0" | cpio -idm --quiet',
        str(packages.one()), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    # Not below pytest's folder: the agent's socket has room for 108 characters.
    home = tempfile.mkdtemp(prefix="wna-gpg.")
    env = {**os.environ, "GNUPGHOME": home}
    try:
        keys = []
        for name in ("repository", "somebody else"):
            run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", name, "rsa3072", "sign",
                "0", env=env)
        listed = run("gpg", "--batch", "--list-keys", "--with-colons", env=env).stdout
        for line in listed.splitlines():
            if line.startswith("fpr:"):
                keys.append(line.split(":")[9])
        yield Signer(home, *keys)
    finally:
        run("gpgconf", "--kill", "all", env=env, ok=False)
        shutil.rmtree(home, ignore_errors=True)
