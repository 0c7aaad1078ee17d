"""The spec, read as Amazon Linux 2023's and EL 9's rpm would; nothing is compiled."""

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
    done = run("rpmspec", "--load", str(RPM / "macros.deb12"), "--define", f"_sourcedir {sources}",
               "--define", f"_dbpath {sources}/db", *DISTS[dist], *options, str(SPEC))
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("dist", DISTS)
def test_it_parses(sources, dist):
    heads = rpmspec(sources, dist, "-q", "--qf", "%{NAME} %{VERSION} %{RELEASE} %{LICENSE}\n")
    licence = "Apache-2.0 AND MIT" if dist == "amzn2023" else "Apache-2.0"
    names = (NAME, f"{NAME}-debuginfo", f"{NAME}-selinux")
    assert sorted(heads) == [f"{name} {VERSION} 1.{dist} {licence}" for name in names]
    text = "\n".join(rpmspec(sources, dist, "-P"))
    assert "%systemd" not in text and "%sysusers" not in text and "%tmpfiles" not in text


@pytest.mark.parametrize("dist", DISTS)
def test_cjson_is_bundled_where_there_is_none(sources, dist):
    bundled = dist == "amzn2023"
    provides = [line for line in rpmspec(sources, dist, "-q", "--provides") if "bundled" in line]
    needs = rpmspec(sources, dist, "-q", "--srpm", "--buildrequires")
    assert [line.split()[0] for line in provides] == (["bundled(cjson)"] if bundled else [])
    assert ("cjson-devel" in needs) is not bundled


def test_what_it_names_is_in_amazon_linux(sources):
    """Build requirements, requirements and weak ones, each in the list under its own heading."""
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
        assert names <= listed, f"{what}: not in al2023-packages.txt: {names - listed}"
    # curl conflicts with curl-minimal there, and libcurl with libcurl-minimal.
    assert not [line for line in named["require"] if "curl" in line]


def test_the_list_has_nothing_that_the_spec_does_not_name(sources):
    text = SPEC.read_text()
    for line in al2023():
        if line.what in ("build", "weak"):
            assert (line.capability if line.what == "weak" and line.capability != "-"
                    else line.package) in text, line


def test_version_and_changelog(sources):
    assert re.search(r"^Version: *(\S+)", SPEC.read_text(), re.M)[1] == VERSION
    assert rpmspec(sources, "el9", "-q", "--srpm", "--qf", "%{CHANGELOGNAME}").pop().endswith(
        f" - {VERSION}-1")


@pytest.mark.parametrize("version", [VERSION, "9.9.9"])
def test_the_build_refuses_two_versions(tmp_path, version):
    """Of a checkout with nothing in it but what `build` reads first."""
    (tmp_path / "packaging").mkdir()
    shutil.copytree(RPM, tmp_path / "packaging" / "rpm")
    shutil.copytree(ROOT / "packaging" / "sysusers.d", tmp_path / "packaging" / "sysusers.d")
    (tmp_path / "userdata" / "database").mkdir(parents=True)
    shutil.copy(ROOT / "userdata" / "database" / "sysusers.conf",
                tmp_path / "userdata" / "database")
    cmake = (ROOT / "CMakeLists.txt").read_text()
    (tmp_path / "CMakeLists.txt").write_text(
        cmake.replace(f"VERSION {VERSION} ", f"VERSION {version} "))
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        run("git", "-C", str(tmp_path), *command)
    out = tmp_path / "out"
    done = run(str(tmp_path / "packaging" / "rpm" / "build"), "--source-only", str(out), ok=False)
    if version == VERSION:
        assert done.returncode == 0, done.stderr
        assert list(out.glob("*.src.rpm"))
    else:
        assert done.returncode == 1
        assert done.stderr == (f"build: CMakeLists.txt has version {version}, "
                               f"{NAME}.spec {VERSION}\n")
        assert list(out.iterdir()) == []


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
