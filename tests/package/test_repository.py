"""packaging/repo, and what a client of it takes and refuses. The client is dnf, which fetches over
HTTP on loopback and installs into a folder; a small package provides what Amazon Linux would."""

import fcntl
import functools
import http.server
import os
import re
import shutil
import threading
from pathlib import Path

import pytest

from package.rpms import NAME, REPO, ROOT, RPM, Packages, Signer, make, run, sums

KEY_FILE = f"RPM-GPG-KEY-{NAME}"
CA = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def shim(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provides what the package needs and rpm itself does not."""
    needs = {line for folder in (packages.this, packages.next)
             for line in packages.query(packages.one(folder=folder), "--requires")
             if not line.startswith(("rpmlib(", f"config({NAME})"))}
    top = tmp_path_factory.mktemp("shim")
    spec = top / "shim.spec"
    spec.write_text("Name: shim\nVersion: 1\nRelease: 1\nSummary: Stand-in\nLicense: none\n"
                    "BuildArch: noarch\n" +
                    "".join(f"Provides: {need}\n" for need in sorted(needs)) +
                    "%description\nStand-in.\n%files\n")
    run("rpmbuild", "-bb", "--define", f"_topdir {top}", "--define", f"_dbpath {top}/db", str(spec))
    return next(top.rglob("shim-1-1.noarch.rpm"))


@pytest.fixture(scope="module")
def repository(packages: Packages, shim: Path, signer: Signer,
               tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With this version and the next, made in two steps; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "al2023"
    ca = folder.parent / "ca.pem"
    ca.write_text(CA)
    make(signer, folder, str(packages.one()), str(shim), "--rds-ca", str(ca))
    make(signer, folder, str(packages.one(folder=packages.next)))
    return folder


class Client:
    """dnf with the .repo file of the repository, or with `gpgkey`'s key in place of it."""

    def __init__(self, folder: Path, tmp: Path, trusted: Path) -> None:
        self.tmp, self.root = tmp, tmp / "root"
        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_port}"
        text = (folder / f"{NAME}.repo").read_text()
        text = re.sub(r"^gpgkey=.*", f"gpgkey=file://{trusted}", text, flags=re.M)
        text = re.sub(r"^baseurl=.*", f"baseurl={url}", text, flags=re.M)
        for name in ("repos", "log"):
            (tmp / name).mkdir(parents=True)
        (tmp / "repos" / f"{NAME}.repo").write_text(text)
        (tmp / "dnf.conf").touch()
        # Debian's rpm has its database in the home directory, below the root.
        self.env = {**os.environ, "HOME": str(tmp)}

    def __call__(self, *words: str, ok: bool = True):
        return run("dnf", "--config", str(self.tmp / "dnf.conf"), "--installroot", str(self.root),
                   "--releasever", "1", "--setopt", f"reposdir={self.tmp}/repos", "--setopt",
                   f"cachedir={self.tmp}/cache", "--setopt", f"logdir={self.tmp}/log", "--setopt",
                   "pluginpath=/dev/null", "--setopt", "tsflags=noscripts", "--setopt",
                   "install_weak_deps=False", "--setopt", "retries=1", "--setopt",
                   "metadata_expire=0", "--assumeyes", *words, ok=ok, env=self.env)

    def installed(self) -> str:
        done = run("rpm", "--root", str(self.root), "-q", "--qf", "%{VERSION}", NAME, ok=False,
                   env=self.env)
        return done.stdout if done.returncode == 0 else ""

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        # dnf leaves GnuPG's agents behind, one per keyring.
        for ring in (self.tmp / "cache").glob("*/pubring"):
            run("gpgconf", "--homedir", str(ring), "--kill", "all", ok=False)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words) -> None:
        pass


@pytest.fixture
def client(tmp_path, repository):
    made = []

    def start(folder: Path) -> Client:
        made.append(Client(folder, tmp_path / f"client{len(made)}", repository / KEY_FILE))
        return made[-1]
    yield start
    for one in made:
        one.close()


def versions(packages: Packages) -> list[str]:
    return [packages.query(packages.one(folder=folder), "--qf", "%{VERSION}")[0]
            for folder in (packages.this, packages.next)]


def test_what_is_in_it(packages: Packages, repository: Path):
    this, after = versions(packages)
    names = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    assert {f"{NAME}-{version}-1.deb12.x86_64.rpm" for version in (this, after)} < names
    assert {KEY_FILE, f"{NAME}.repo", "rds-ca.pem", "repodata/repomd.xml",
            "repodata/repomd.xml.asc"} < names
    assert (repository / "rds-ca.pem").read_text() == CA
    assert "PRIVATE" not in (repository / KEY_FILE).read_text()
    assert sorted(os.listdir(repository.parent)) == ["al2023", "ca.pem"]


def test_its_repo_file_says_what_the_stack_does(repository: Path):
    """userdata/user-data.yaml has one of its own; what they check must not differ."""
    def settings(text: str) -> dict[str, str]:
        return dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)
    ours = settings((repository / f"{NAME}.repo").read_text())
    user_data = (ROOT / "userdata" / "user-data.yaml").read_text()
    theirs = settings(re.search(rf"\[{NAME}\]\n(?:\s+\w+=.*\n)+", user_data)[0])
    for key in ("gpgcheck", "repo_gpgcheck"):
        assert ours[key] == theirs[key] == "1"
    assert ours["baseurl"] == "https://example.com/al2023"
    assert theirs["baseurl"].replace("${RepositoryUrl}", ours["baseurl"]) == ours["baseurl"]
    # The stack's key is a parameter, under the same name.
    assert theirs["gpgkey"] == f"file:///etc/pki/rpm-gpg/{KEY_FILE}"
    assert ours["gpgkey"] == f"{ours['baseurl']}/{KEY_FILE}"


def test_a_client_installs_upgrades_and_downgrades(packages: Packages, repository, client):
    this, after = versions(packages)
    dnf = client(repository)
    dnf("install", f"{NAME}-{this}")
    assert dnf.installed() == this
    dnf("upgrade", NAME)
    assert dnf.installed() == after
    dnf("downgrade", NAME)
    assert dnf.installed() == this
    assert (dnf.root / "usr" / "bin" / "wnactl").stat().st_mode & 0o7777 == 0o755
    dnf("remove", NAME)
    assert dnf.installed() == ""


def flip(path: Path) -> None:
    """One bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def nothing(repository: Path, packages: Packages, signer: Signer) -> None:
    """The twin of all the others."""


def signed_anew(repository: Path, packages: Packages, signer: Signer) -> None:
    """The twin of those who make the metadata anew."""
    signer.index(repository, signer.key)


def package_changed(repository: Path, packages: Packages, signer: Signer) -> None:
    for path in repository.glob(f"{NAME}-*.rpm"):
        flip(path)


def package_changed_and_indexed(repository: Path, packages: Packages, signer: Signer) -> None:
    package_changed(repository, packages, signer)
    signer.index(repository, signer.key)


def metadata_changed(repository: Path, packages: Packages, signer: Signer) -> None:
    path = repository / "repodata" / "repomd.xml"
    path.write_text(path.read_text().replace("</revision>", "1</revision>"))


def list_changed(repository: Path, packages: Packages, signer: Signer) -> None:
    flip(next((repository / "repodata").glob("*primary.xml.gz")))


def metadata_unsigned(repository: Path, packages: Packages, signer: Signer) -> None:
    (repository / "repodata" / "repomd.xml.asc").unlink()


def metadata_of_another_key(repository: Path, packages: Packages, signer: Signer) -> None:
    signer.sign(repository, signer.other)


def packages_of_another_key(repository: Path, packages: Packages, signer: Signer) -> None:
    for path in repository.glob(f"{NAME}-*.rpm"):
        run("rpmsign", "--define", f"_gpg_name {signer.other}", "--define",
            f"__gpg {shutil.which('gpg')}", "--resign", str(path),
            env=signer.env)
    signer.index(repository, signer.key)


def packages_unsigned(repository: Path, packages: Packages, signer: Signer) -> None:
    for folder in (packages.this, packages.next):
        shutil.copy(packages.one(folder=folder), repository)
    signer.index(repository, signer.key)


@pytest.mark.parametrize("change, takes, why", [
    (nothing, True, ""),
    (signed_anew, True, ""),
    (package_changed, False, "checksum"),
    (package_changed_and_indexed, False, "GPG check FAILED|digest|checksum|Error opening"),
    (metadata_changed, False, "repomd.xml GPG signature verification error"),
    (list_changed, False, "checksum|primary"),
    (metadata_unsigned, False, "repomd.xml.asc|GPG"),
    (metadata_of_another_key, False, "repomd.xml GPG signature verification error"),
    (packages_of_another_key, False, "GPG check FAILED|not correct|not installed"),
    (packages_unsigned, False, "is not signed"),
])
def test_a_client_takes(packages: Packages, repository, signer, client, tmp_path, change, takes,
                        why):
    changed = tmp_path / "changed"
    shutil.copytree(repository, changed)
    change(changed, packages, signer)
    dnf = client(changed)
    done = dnf("install", NAME, ok=False)
    print(done.stdout + done.stderr)
    assert (done.returncode == 0) is takes, done.stdout + done.stderr
    assert dnf.installed() == (versions(packages)[1] if takes else "")
    assert re.search(why, done.stdout + done.stderr), done.stdout + done.stderr


def impostor(package: Path, folder: Path) -> Path:
    """Another package by the same name, version and release, in a file called otherwise."""
    name, version, release = package.name.removesuffix(".x86_64.rpm").rsplit("-", 2)
    spec = folder / "impostor.spec"
    spec.write_text(f"Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: x\nLicense: x\n"
                    "%description\nx\n%files\n")
    run("rpmbuild", "-bb", "--quiet", "--dbpath", str(folder / "db"), "--target", "x86_64",
        "--define", f"_topdir {folder}/impostor", str(spec))
    made = next((folder / "impostor").rglob("*.x86_64.rpm"))
    return made.rename(folder / "other.rpm")


def test_it_is_whole_or_as_it_was(packages: Packages, repository, signer, tmp_path):
    """A version that is there with other contents is refused, and so is what is no package."""
    folder = tmp_path / "al2023"
    shutil.copytree(repository, folder)
    before = sums(folder)
    (tmp_path / "made").mkdir()
    other = impostor(packages.one(), tmp_path / "made")
    done = make(signer, folder, str(other), ok=False)
    assert done.returncode == 1
    assert done.stderr == (f"repo: {packages.one().name}: is there already with other contents; "
                           "raise its version\n")
    broken = tmp_path / "broken.rpm"
    broken.write_bytes(b"no package")
    assert make(signer, folder, str(broken), ok=False).returncode == 1
    assert sums(folder) == before
    # The twin: the same package again changes nothing that a client has.
    make(signer, folder, str(packages.one()))
    assert {name: sum for name, sum in sums(folder).items() if not name.startswith("repodata/")} == \
        {name: sum for name, sum in before.items() if not name.startswith("repodata/")}
    assert sorted(os.listdir(tmp_path)) == ["al2023", "broken.rpm", "made"]


def indexer(folder: Path, does: str) -> str:
    """A PATH with a createrepo_c in it that does something around the real one."""
    stub = folder / "bin" / "createrepo_c"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/bash -e\nreal() {{ {shutil.which('createrepo_c')} \"$@\"; }}\n"
                    f"new=${{*: -1}}\n{does}\n")
    stub.chmod(0o755)
    return f"{stub.parent}:{os.environ['PATH']}"


def test_source_packages_are_left_out(packages: Packages, signer, tmp_path):
    """By the command that packaging/rpm/README.md has, over the folder that `build` fills."""
    folder = tmp_path / "al2023"
    source = packages.one("src")
    done = make(signer, folder, *map(str, packages.this.glob(f"{NAME}-*.rpm")))
    assert done.stdout.startswith(f"repo: {source.name}: a source package, left out\n")
    assert sorted(path.name for path in folder.glob("*.rpm")) == \
        sorted(path.name for path in packages.this.glob("*.rpm") if path != source)
    assert f"{folder}: {len(list(folder.glob('*.rpm')))} packages, signed" in done.stdout
    before = sums(folder)
    for target in (folder, tmp_path / "another"):
        done = make(signer, target, str(source), ok=False)
        assert done.returncode == 1
        assert done.stderr == "repo: no package that a client could install is named\n"
    assert sums(folder) == before
    assert os.listdir(tmp_path) == ["al2023"]


@pytest.mark.parametrize("does, says", [
    ('real "$@"', ""),
    # The package is published, the metadata have the source package in its place.
    ('mv "$new/$PACKAGE" "$new/../it"; cp "$SOURCE" "$new/$PACKAGE"; real "$@"\n'
     'mv "$new/../it" "$new/$PACKAGE"', "repo: a client does not find {}\n"),
    ('real --excludes "$PACKAGE" "$@"', "repo: a client does not find {}\n"),
])
def test_a_client_is_to_find_each_package_as_what_it_is(packages: Packages, signer, tmp_path, does,
                                                        says):
    package = packages.one()
    path = indexer(tmp_path, f"PACKAGE={package.name} SOURCE={packages.one('src')}\n{does}")
    done = make(signer, tmp_path / "al2023", str(package), ok=False, path=path)
    assert (done.returncode, done.stderr) == (1 if says else 0, says.format(package.name))
    assert (tmp_path / "al2023").exists() is not says


def test_another_key_is_refused(packages: Packages, repository, signer, tmp_path):
    """Or every client would have to take packages of two keys. Elsewhere it is taken."""
    folder = tmp_path / "al2023"
    shutil.copytree(repository, folder)
    before = sums(folder)
    done = make(signer, folder, str(packages.one("-debuginfo")), key=signer.other, ok=False)
    assert done.returncode == 1
    assert done.stderr == (f"repo: {folder}: is signed with another key, {signer.key}; "
                           "see packaging/rpm/README.md\n")
    assert sums(folder) == before
    make(signer, tmp_path / "new", str(packages.one("-debuginfo")), key=signer.other)


def test_two_at_once(packages: Packages, signer, tmp_path):
    """The second is refused, wherever the first is; when that has ended nobody holds the lock, no
    agent of GnuPG's either, and nothing is left beside the folder that could be uploaded."""
    folder = tmp_path / "made" / "al2023"
    lock, index = tmp_path / "second", tmp_path / "log"
    again = (f'{REPO} --key {signer.key} --url https://x "$FOLDER" "$RPM" > {index} 2>&1 && exit 1\n'
             f'echo $? > {lock}; real "$@"')
    path = indexer(tmp_path, f"FOLDER={folder} RPM={packages.one()}\n{again}")
    for _ in range(2):
        # A folder that is new, and one that is replaced.
        run("gpgconf", "--kill", "all", env=signer.env)
        make(signer, folder, str(packages.one()), path=path)
        assert lock.read_text() == "1\n"
        assert index.read_text() == f"repo: another one is at work in {folder.parent}\n"
        lock.unlink()
        assert os.listdir(folder.parent) == ["al2023"]
        parent = os.open(folder.parent, os.O_RDONLY)
        fcntl.flock(parent, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(parent)


@pytest.mark.parametrize("url, kept", [
    ("https://x/al2023", "https://x/al2023"), ("https://x/al2023///", "https://x/al2023"),
    ("http://x/", "http://x")])
def test_slashes_at_the_end_of_the_url(packages: Packages, signer, tmp_path, url, kept):
    make(signer, tmp_path / "al2023", str(packages.one("-selinux")), url=url)
    text = (tmp_path / "al2023" / f"{NAME}.repo").read_text()
    assert f"\nbaseurl={kept}\ngpgkey={kept}/{KEY_FILE}\n" in text


def test_names_that_begin_with_a_dash(packages: Packages, signer, tmp_path):
    """And have letters that are a pattern to rpm."""
    shutil.copy(packages.one("-selinux"), tmp_path / "-[a].rpm")
    (tmp_path / "-ca").write_text(CA)
    run(str(REPO), "--key", signer.key, "--url", "https://x", "--rds-ca", "-ca", "--", "-folder",
        "-[a].rpm", env=signer.env, cwd=tmp_path)
    made = tmp_path / "-folder"
    assert [path.name for path in made.glob("*.rpm")] == [packages.one("-selinux").name]
    assert (made / "rds-ca.pem").read_text() == CA


@pytest.mark.parametrize("words, says", [
    ([], "repo: --key is missing"),
    (["--key"], "repo: --key: a value was expected"),
    (["--key", "KEY", "F", "P"], "repo: --url: https://..., http://... or file:///... was"),
    (["--key", "KEY", "--url", "ftp://x", "F", "P"], "repo: --url: https://"),
    (["--key", "KEY", "--url", "https://", "F", "P"], "repo: --url: https://"),
    (["--key", "KEY", "--url", "file:///", "F", "P"], "repo: --url: https://"),
    (["--key", "KEY", "--url", "https://x"], "repo: no folder is named"),
    (["--key", "KEY", "--url", "https://x", "--"], "repo: no folder is named"),
    (["--key", "KEY", "--url", "https://x", "F"], "repo: no package is named"),
    (["--key", "KEY", "--url", "https://x", "F", "P"], "repo: P: cannot be read"),
    (["--key", "KEY", "--url", "https://x", "F", "."], "repo: .: is no file"),
    (["--key", "KEY", "--url", "https://x", "--rds-ca", ".", "F", "here"], "repo: .: is no file"),
    (["--key", "KEY", "--url", "https://x", "--rds-ca", "here", "F", "here"],
     "repo: here: no certificate in it"),
    (["--key", "nobody", "--url", "https://x", "F", "here"], 'repo: no secret key "nobody"'),
    (["--frob"], "repo: --frob: no such option"),
])
def test_what_it_is_told_wrong(signer, tmp_path, words, says):
    (tmp_path / "here").touch()
    done = run(str(REPO), *[signer.key if word == "KEY" else word for word in words],
               env=signer.env, cwd=tmp_path, ok=False)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(says), done.stderr
    assert not re.search("^(?!repo: ).*(grep|cp|rpm): ", done.stderr, re.M), done.stderr
    assert os.listdir(tmp_path) == ["here"]


def test_help():
    assert run(str(REPO), "--help").stdout.startswith("packaging/repo --key")
    assert run(str(RPM / "build"), "--help").stdout.startswith("packaging/rpm/build")
