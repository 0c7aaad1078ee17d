"""The spec, read as Amazon Linux 2023's and EL 9's rpm would; nothing is compiled."""

import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from package.rpms import NAME, ROOT, RPM, SPEC, Packages, al2023, run, sha256

DISTS = {
    "amzn2023": ["--define", "dist .amzn2023", "--define", "amzn 2023"],
    "el9": ["--define", "dist .el9", "--define", "rhel 9"],
}
# The package whose pkg-config module, or whose program, has a minimum in CMakeLists.txt.
DEVEL = {
    "cmake": "cmake",
    "libcares": "c-ares-devel",
    "libcrypto": "openssl-devel",
    "libcurl": "libcurl-devel",
    "libevent_core": "libevent-devel",
    "libevent_extra": "libevent-devel",
    "libseccomp": "libseccomp-devel",
    "mount": "libmount-devel",
}
VERSION = re.search(r"^project\(.* VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rpm reads the lists of users while it reads the spec."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copy(ROOT / "packaging" / "sysusers.d" / f"{NAME}.conf", folder / f"{NAME}.sysusers")
    shutil.copy(ROOT / "userdata" / "database" / "sysusers.conf",
                folder / f"{NAME}-database.sysusers")
    return folder


def rpmspec(sources: Path, dist: str, *options: str) -> list[str]:
    done = run("rpmspec", "--load", str(RPM / "macros.deb12"), "--load", str(RPM / "macros.parse"),
               "--define", f"_sourcedir {sources}", "--define", f"_dbpath {sources}/db",
               *DISTS[dist], *options, str(SPEC))
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("dist", DISTS)
def test_it_parses(sources, dist):
    heads = rpmspec(sources, dist, "-q", "--qf", "%{NAME} %{VERSION} %{RELEASE} %{LICENSE}\n")
    licence = "Apache-2.0 AND MIT" if dist == "amzn2023" else "Apache-2.0"
    names = (NAME, f"{NAME}-debuginfo", f"{NAME}-selinux")
    assert sorted(heads) == [f"{name} {VERSION} 1.{dist} {licence}" for name in names]
    text = "\n".join(rpmspec(sources, dist, "-P"))
    assert not re.search("%[{?]*(systemd|sysusers|tmpfiles|selinux)_", text)


@pytest.mark.parametrize("dist", DISTS)
def test_cjson_is_bundled_where_there_is_none(sources, dist):
    bundled = dist == "amzn2023"
    provides = [line for line in rpmspec(sources, dist, "-q", "--provides") if "bundled" in line]
    needs = rpmspec(sources, dist, "-q", "--srpm", "--buildrequires")
    assert [line.split()[0] for line in provides] == (["bundled(cjson)"] if bundled else [])
    assert ("cjson-devel" in needs) is not bundled


def test_what_it_names_is_in_amazon_linux(sources):
    """Build requirements, requirements and weak ones, each in the list under its own heading, and
    nothing else there."""
    named = {
        "build": rpmspec(sources, "amzn2023", "-q", "--srpm", "--buildrequires"),
        "require": [line for line in rpmspec(sources, "amzn2023", "-q", "--requires")
                    if not line.startswith("/bin/sh")],
        "weak": rpmspec(sources, "amzn2023", "-q", "--qf",
                        "[%{RECOMMENDNAME}\n][%{SUGGESTNAME}\n]"),
    }
    for what, lines in named.items():
        names = {line.split()[0] for line in lines}
        listed = {line.package if line.capability == "-" else line.capability
                  for line in al2023() if line.what == what}
        assert names, f"the spec names nothing to {what}"
        assert names == listed, f"{what}: named only {names - listed}, listed only {listed - names}"
    # curl conflicts with curl-minimal there, and libcurl with libcurl-minimal.
    assert not [line for line in named["require"] if "curl" in line]


@pytest.mark.parametrize("dist", DISTS)
def test_what_the_macros_of_those_systems_add_is_seen(sources, dist):
    """Debian has neither of the two; without them the test above would compare too little."""
    needs = rpmspec(sources, dist, "-q", "--qf", "[%{=NAME}: %{REQUIRENAME}\n]")
    assert f"{NAME}: systemd" in needs
    for name in ("selinux-policy", "selinux-policy-base", "policycoreutils-python-utils"):
        assert f"{NAME}-selinux: {name}" in needs
    assert "pkgconfig(systemd)" in rpmspec(sources, dist, "-q", "--srpm", "--buildrequires")


@pytest.mark.parametrize("dist", DISTS)
def test_minimum_versions_are_cmake_s(sources, dist):
    """A build root that dnf finds good enough is good enough for CMake, and the other way round."""
    text = (ROOT / "CMakeLists.txt").read_text()
    minima = set(re.findall(r"^pkg_check_modules\(.* ([\w-]+)>=([\d.]+)\)", text, re.M))
    minima |= {("cmake", version) for version
               in re.findall(r"^cmake_minimum_required\(VERSION ([\d.]+)\)", text, re.M)}
    assert len(minima) == len(re.findall(r">=|^cmake_minimum_required", text, re.M))
    wanted = {f"{DEVEL[module]} >= {version}" for module, version in minima}
    needs = [line for line in rpmspec(sources, dist, "-q", "--srpm", "--buildrequires")
             if re.search("[<>=]", line)]
    # An epoch is the packager's (openssl's is 1), not CMake's.
    assert {re.sub(r" \d+:", " ", line) for line in needs} == wanted


def test_version_and_changelog(sources):
    assert re.search(r"^Version: *(\S+)", SPEC.read_text(), re.M)[1] == VERSION
    assert rpmspec(sources, "el9", "-q", "--srpm", "--qf", "%{CHANGELOGNAME}").pop().endswith(
        f" - {VERSION}-1")


def checkout(tree: Path) -> Path:
    """With nothing in it but what `build` reads; to be changed, then `commit`ted."""
    shutil.copytree(RPM, tree / "packaging" / "rpm")
    shutil.copytree(ROOT / "packaging" / "sysusers.d", tree / "packaging" / "sysusers.d")
    (tree / "userdata" / "database").mkdir(parents=True)
    shutil.copy(ROOT / "userdata" / "database" / "sysusers.conf", tree / "userdata" / "database")
    shutil.copy(ROOT / "CMakeLists.txt", tree)
    return tree


def commit(tree: Path) -> str:
    """And the path of its `build`."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        run("git", "-C", str(tree), *command)
    return str(tree / "packaging" / "rpm" / "build")


@pytest.mark.parametrize("version", [VERSION, "9.9.9"])
def test_the_build_refuses_two_versions(tmp_path, version):
    tree = checkout(tmp_path / "tree")
    cmake = (tree / "CMakeLists.txt").read_text()
    (tree / "CMakeLists.txt").write_text(
        cmake.replace(f"VERSION {VERSION} ", f"VERSION {version} "))
    out = tmp_path / "out"
    done = run(commit(tree), "--source-only", str(out), ok=False)
    if version == VERSION:
        assert done.returncode == 0, done.stderr
        assert list(out.glob("*.src.rpm"))
    else:
        assert done.returncode == 1
        assert done.stderr == (f"build: CMakeLists.txt has version {version}, "
                               f"{NAME}.spec {VERSION}\n")
        assert list(out.iterdir()) == []


def test_elsewhere_the_source_package_is_the_system_s_own(tmp_path):
    """Of Amazon Linux there is only its name here: so the package has no dist, and no macro of
    macros.deb12 in it."""
    build = commit(checkout(tmp_path / "tree"))
    release = tmp_path / "os-release"
    release.write_text('NAME="Amazon Linux"\nID="amzn"\nID_LIKE="fedora"\n')
    amazon = {**os.environ, "WNA_OS_RELEASE": str(release)}
    out = tmp_path / "out"
    done = run(build, str(out), ok=False, env=amazon)
    assert done.returncode == 1
    assert done.stderr.startswith("build: binaries for this system are built by mock or rpmbuild ")
    assert not out.exists()
    run(build, "--source-only", str(out), env=amazon)
    assert [path.name for path in out.glob("*.rpm")] == [f"{NAME}-{VERSION}-1.src.rpm"]
    # The twin, and what tells the two apart: systemd's scriptlets as macros.deb12 has them.
    run(build, "--source-only", str(out))
    both = {path.name: run("rpm", "--dbpath", str(tmp_path / "db"), "-qp", "--qf", "%{SPEC}",
                           str(path)).stdout for path in out.glob("*.rpm")}
    assert {name: "systemctl --no-reload preset" in text for name, text in both.items()} == \
        {f"{NAME}-{VERSION}-1.src.rpm": False, f"{NAME}-{VERSION}-1.deb12.src.rpm": True}


def test_it_builds_below_mnt_too(tmp_path):
    """Which `build` covers with a folder of its own: checkout, temporary and current folder there."""
    commit(checkout(tmp_path / "mnt" / "tree"))
    (tmp_path / "mnt" / "tmp").mkdir()
    run("unshare", "--mount", "--propagation", "private", "bash", "-ec",
        'mount --bind "$0" /mnt; cd /mnt/tree; TMPDIR=/mnt/tmp exec packaging/rpm/build '
        '--source-only /mnt/out', str(tmp_path / "mnt"))
    assert list((tmp_path / "mnt" / "out").glob("*.src.rpm"))


@pytest.mark.parametrize("genuine", [True, False])
def test_the_build_looks_at_the_archive_of_cjson(tmp_path, genuine):
    """With an archive of ours in the place of upstream's, and its checksum in the spec or not."""
    archive = tmp_path / "archive"
    archive.write_text("none\n")
    tree = checkout(tmp_path / "tree")
    spec = tree / "packaging" / "rpm" / SPEC.name
    wanted = re.search(r"^%global cjson_sha256 (\S+)", spec.read_text(), re.M)[1]
    if genuine:
        spec.write_text(spec.read_text().replace(wanted, sha256(archive)))
    out = tmp_path / "out"
    done = run(commit(tree), "--source-only", str(out), ok=False,
               env={**os.environ, "WNA_CJSON_TARBALL": str(archive)})
    assert (done.returncode == 0) is genuine, done.stderr
    if genuine:
        packed = run("rpm", "--dbpath", str(tmp_path / "db"), "-qpl", str(next(out.glob("*.src.rpm"))))
        assert re.search(r"^cJSON-[\d.]+\.tar\.gz$", packed.stdout, re.M)
    else:
        assert done.stderr == (f"build: WNA_CJSON_TARBALL: {archive}: has not the checksum of "
                               f"{SPEC.name}, {wanted}\n")
        assert not out.exists()


@pytest.mark.parametrize("genuine", [True, False])
def test_cjson_is_held_to_its_checksum(packages: Packages, sources, tmp_path, genuine):
    """With an archive of ours in the place of upstream's, and its checksum in the spec or not."""
    version = re.search(r"^%global cjson_version (\S+)", SPEC.read_text(), re.M)[1]
    tree = tmp_path / f"cJSON-{version}"
    tree.mkdir()
    (tree / "LICENSE").write_text("none\n")
    top = tmp_path / "SOURCES"
    shutil.copytree(sources, top, ignore=shutil.ignore_patterns("db"))
    archive = top / f"cJSON-{version}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, tree.name)
    shutil.copy(packages.this / f"{NAME}-{VERSION}.tar.gz", top)
    spec = tmp_path / SPEC.name
    text = SPEC.read_text()
    # The archive of the packages may be of other files than these by now.
    text = re.sub(r"^cmp .*\n", "", text, flags=re.M)
    if genuine:
        text = re.sub(r"^(%global cjson_sha256) .*", rf"\1 {sha256(archive)}", text, flags=re.M)
    spec.write_text(text)
    done = run("rpmbuild", "-bp", "--nodeps", "--load", str(RPM / "macros.deb12"), "--define",
               f"_topdir {tmp_path}", "--define", f"_dbpath {tmp_path}/db", "--with",
               "bundled_cjson", str(spec), ok=False)
    assert (done.returncode == 0) is genuine, done.stderr
    assert f"{archive}: {'OK' if genuine else 'FAILED'}" in done.stdout
