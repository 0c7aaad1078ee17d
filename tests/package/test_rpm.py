"""The packages as built here: what is in them, what they need, and that they are the same twice."""

import os
import re
import shutil
from pathlib import Path

import pytest

from package.rpms import NAME, ROOT, RPM, SPEC, Packages, al2023, run, sums

KB = 1000
MAN = re.compile(r"^/usr/share/man/man\d/(.+)\.\d\.gz$")
# What a package lays out beside what `cmake --install` does, and where it puts what that has.
ADDED = {
    f"/usr/share/doc/{NAME}/README.md", f"/usr/share/doc/{NAME}/CHANGES.md",
    f"/usr/share/licenses/{NAME}/LICENSE",
}
DROPPED = {f"/usr/share/doc/{NAME}/LICENSE"}


def files(packages: Packages) -> dict[str, tuple[str, str, str, str]]:
    """Path: mode, user, group, flags (c config, n noreplace, d doc, l licence, g ghost)."""
    lines = packages.query(packages.one(), "--qf", "[%{FILENAMES}|%{FILEMODES:perms}|"
                           "%{FILEUSERNAME}|%{FILEGROUPNAME}|%{FILEFLAGS:fflags}\n]")
    return {path: tuple(rest) for path, *rest in (line.split("|") for line in lines)}


def newer_than_glibc_2_34(elf: Path) -> set[str]:
    versions = re.findall(r"GLIBC_(2(?:\.\d+)+)", run("readelf", "-V", "-W", str(elf)).stdout)
    return {version for version in versions
            if tuple(map(int, version.split("."))) > (2, 34)}


def test_it_has_what_is_installed_and_nothing_else(packages: Packages):
    stage = Path(os.environ.get("WNA_STAGE") or ROOT / "build" / "check" / "stage")
    assert stage.is_dir(), f"{stage}: needs what stage_release of tests/setup/lib.sh lays out"
    installed = {"/" + str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()}
    installed = {path + ".gz" if path.startswith("/usr/share/man/") else path for path in installed}
    packed = {path for path, (mode, *_) in files(packages).items() if mode.startswith("-")}
    assert packed == (installed - DROPPED) | ADDED


def test_owners_modes_and_flags(packages: Packages):
    found = files(packages)
    assert {(user, group) for _, user, group, _ in found.values()} == {("root", "root")}
    modes = {mode for mode, *_ in found.values()}
    assert modes == {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"}
    flagged = {flag: {path for path, (*_, flags) in found.items() if flag in flags}
               for flag in "cngl"}
    assert flagged["c"] == flagged["n"] == {f"/etc/{NAME}/agent.conf"}
    assert flagged["g"] == {f"/run/{NAME}", f"/var/lib/{NAME}"}
    assert flagged["l"] == {f"/usr/share/licenses/{NAME}/LICENSE"}
    docs = {path for path, (mode, *_, flags) in found.items()
            if "d" in flags and mode.startswith("-") and not MAN.match(path)}
    assert docs == {path for path, (mode, *_) in found.items()
                    if path.startswith(f"/usr/share/doc/{NAME}/") and mode.startswith("-")}


def test_each_folder_of_ours_is_owned(packages: Packages):
    """Or it would stay behind."""
    found = files(packages)
    for path in found:
        parent = os.path.dirname(path)
        while NAME in parent:
            assert parent in found, parent
            parent = os.path.dirname(parent)
    assert "/usr/lib/systemd/system/nftables.service.d" in found


def test_each_program_has_its_manual(packages: Packages):
    found = files(packages)
    manuals = {match[1] for match in map(MAN.match, found) if match}
    programs = {os.path.basename(path) for path in found if re.match(r"/usr/s?bin/", path)}
    assert programs == {"wnactl"}
    assert programs <= manuals


def test_no_symbol_newer_than_amazon_linux(unpacked: Path):
    """AL2023 and EL 9 have glibc 2.34."""
    elves = [path for path in unpacked.rglob("*")
             if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(elves) == 9
    newer = {elf.name: newer_than_glibc_2_34(elf) for elf in elves}
    assert newer == {elf.name: set() for elf in elves}
    # The twin: Debian 12's own library has newer ones, and they are seen.
    libc = re.search(r"libc\.so\.6 => (\S+)", run("ldd", str(elves[0])).stdout)[1]
    assert newer_than_glibc_2_34(Path(libc))


def test_it_needs_libraries_by_soname_alone(packages: Packages):
    needs = {line for line in packages.query(packages.one(), "--requires")
             if not line.startswith(("rpmlib(", "rtld(", f"config({NAME})"))}
    sonames = {line for line in needs if re.match(r"lib\S+\.so\.\S+\(", line)}
    assert needs - sonames == {"/bin/sh", "/usr/bin/python3", "shadow-utils"}

    # A library of cJSON's is Debian's; for Amazon Linux it is linked in. Sonames end differently.
    def stem(soname: str) -> str:
        return soname.split(".so.")[0]
    linked = {stem(line) for line in sonames} - {"libcjson"}
    known = {stem(line.capability) for line in al2023()
             if line.what in ("base", "pulled") and line.capability.startswith("lib")}
    assert linked == known
    pulled = sorted({line.package for line in al2023() if line.what == "pulled"})
    print("pulled beyond a base image of Amazon Linux 2023, at most:", *pulled)
    readme = (RPM / "README.md").read_text()
    said = re.search(r"are pulled beyond a base image: (.*?)\. ", readme, re.S)
    assert re.findall(r"`([^`]+)`", said[1]) == pulled


def test_sizes(packages: Packages):
    package = packages.one()
    size, installed = package.stat().st_size, int(packages.query(package, "--qf", "%{SIZE}")[0])
    print(f"package {size / KB:.0f} KB, installed {installed / KB:.0f} KB")
    assert size <= 500 * KB
    assert installed <= 1500 * KB


# The scriptlets of a transaction, in its order: what they call of systemctl, and whether they wait.
RUN = {
    "install": [("POSTIN", "1")], "upgrade": [("POSTIN", "2"), ("PREUN", "1"), ("POSTUN", "1")],
    "removal": [("PREUN", "0"), ("POSTUN", "0")],
}
UPGRADE = """\
daemon-reload
try-restart web-node-agent.service web-node-agent-core.service
--no-block try-restart web-node-agent-database.path web-node-agent-database.timer
--no-block try-reload-or-restart web-node-agent-guard.service
"""


def transaction(packages: Packages, folder: Path, what: str, fails: bool = False) -> list[str]:
    """What the scriptlets call, on a machine with systemd."""
    called = folder / "called"
    stub = f'#!/bin/sh\necho "${{0##*/}} $*" >> {called}\n' + ("exit 1\n" if fails else "")
    for name in ("systemctl", "systemd-tmpfiles", "wna-mount", "wna-database"):
        (folder / name).write_text(stub)
        (folder / name).chmod(0o755)
    for name in ("run", "var/lib"):
        (folder / name / "web-node-agent").mkdir(parents=True)
    for tag, count in RUN[what]:
        text = "\n".join(packages.query(packages.one(), "--qf", f"%{{{tag}}}"))
        text = text.replace("/run/systemd/system", str(folder)).replace("database/wna-", "wna-")
        text = text.replace("/usr/libexec/web-node-agent", str(folder))
        text = re.sub(r"(?<= )(/run|/var/lib)(?=/web-node-agent\b)", rf"{folder}\1", text)
        run("dash", "-e", "-c", text, tag, count, env={"PATH": f"{folder}:/usr/bin:/bin"})
    return called.read_text().splitlines()


def test_an_install_starts_nothing(packages: Packages, tmp_path):
    calls = transaction(packages, tmp_path, "install")
    assert calls[0].startswith("systemd-tmpfiles --create ")
    assert [call.partition(" web-node")[0] for call in calls[1:]] == [
        "systemctl daemon-reload", "systemctl --no-reload preset"]


def test_an_upgrade_restarts_the_agent_and_no_socket(packages: Packages, tmp_path):
    """Once its files are there; a socket that is restarted would refuse connections meanwhile."""
    calls = [call.removeprefix("systemctl ") for call in transaction(packages, tmp_path, "upgrade")]
    # What comes before is of macros.deb12, and so is what comes after.
    begin = calls.index("daemon-reload", 2)
    assert "".join(f"{call}\n" for call in calls[begin:begin + 4]) == UPGRADE
    assert set(calls[1:begin] + calls[begin + 4:]) == {"daemon-reload"}
    assert (tmp_path / "var/lib/web-node-agent").exists()


def test_a_removal_takes_everything_back(packages: Packages, tmp_path):
    calls = transaction(packages, tmp_path, "removal")
    # The web server requires the guard, and is not to stop with it.
    assert calls[0] == "systemctl disable web-node-agent-guard.service"
    assert calls[1].startswith("systemctl --no-reload disable --now web-node-agent.service ")
    assert calls[2:] == ["wna-mount --release", "wna-database --remove", "systemctl daemon-reload"]
    for name in ("run", "var/lib"):
        assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize("what", RUN)
def test_scriptlets_never_fail(packages: Packages, tmp_path, what):
    """And the list of immutable directories stays if they could not all be released."""
    transaction(packages, tmp_path, what, fails=True)
    assert (tmp_path / "var/lib/web-node-agent").exists()


def test_scriptlets_wait_for_nothing_for_ever(packages: Packages):
    """What waits for a job of systemd's waits for ever if that hangs. A removal waits for what it
    removes to end, which takes 35 seconds at most (TimeoutStopSec=)."""
    for tag in ("PREIN", "POSTIN", "PREUN", "POSTUN"):
        text = "\n".join(packages.query(packages.one(), "--qf", f"%{{{tag}}}"))
        assert text and text != "(none)"
        for before, call in re.findall(r"(timeout \S+ )?(?<![-\w./])systemctl ([^;|\n]*)", text):
            bounded = before or "--no-block" in call
            bounded = bounded or call.split()[0] in ("daemon-reload", "disable")
            bounded = bounded or call.startswith("--no-reload preset ")
            assert bounded or tag == "PREUN" and call.startswith("--no-reload disable --now "), call
        assert not re.search(r"\b(sleep|wait|curl|dnf|yum)\b", re.sub("#.*", "", text))


def test_every_unit_is_known_to_the_scriptlets(packages: Packages):
    """All but the sockets, which stop with the agent."""
    units = {os.path.basename(path) for path in files(packages)
             if re.match(r"/usr/lib/systemd/system/[^/]+\.(service|path|timer)$", path)}
    named = set(" ".join(packages.query(packages.one(), "--qf", "%{PREUN}")).split())
    assert units and units <= named


def test_no_path_of_the_build_is_in_it(unpacked: Path, packages: Packages):
    for path in unpacked.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for trace in (str(ROOT), "/rpmbuild/", str(packages.this)):
                assert trace.encode() not in data, path
    assert packages.query(packages.one(), "--qf", "%{BUILDHOST}") == ["reproducible"]


def test_debuginfo_is_of_these_programs(packages: Packages, unpacked: Path):
    debug = packages.query(packages.one("-debuginfo"), "-l")
    wnactl = unpacked / "usr" / "bin" / "wnactl"
    assert any(re.match(r"/usr/lib/debug/usr/bin/wnactl-.*\.debug$", path) for path in debug)
    sections = run("readelf", "-SW", str(wnactl)).stdout
    assert ".gnu_debuglink" in sections and ".debug_info" not in sections


def test_twice_the_same(packages: Packages, tmp_path):
    """Built again: from the archive of the sources, elsewhere, later, with another umask, time
    zone and language."""
    archive = next(packages.this.glob("*.tar.gz"))
    run("tar", "-xzf", str(archive), "-C", str(tmp_path))
    tree = next(tmp_path.iterdir())
    when = str(int((tree / "CMakeLists.txt").stat().st_mtime))
    who = {name: "nobody" for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME")} | \
        {name: "nobody@localhost" for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")}
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "all"]):
        run("git", "-C", str(tree), *command,
            env={**os.environ, **who, "GIT_COMMITTER_DATE": f"@{when}"})
    again = tmp_path / "somewhere-else"
    run("bash", "-c", 'umask 077; exec "$0" "$1"', str(tree / "packaging" / "rpm" / "build"),
        str(again), cwd="/", env={**os.environ, "TZ": "Asia/Seoul", "LC_ALL": "C", "CFLAGS": "-O0"})
    assert len(sums(again)) >= 4
    assert sums(again) == sums(packages.this)


def test_the_next_version_is_the_next(packages: Packages, tmp_path):
    this, after = (packages.query(packages.one(folder=folder), "--qf", "%{VERSION}")[0]
                   for folder in (packages.this, packages.next))
    head, last = this.rsplit(".", 1)
    assert after == f"{head}.{int(last) + 1}"
    contracts = set()
    for folder, version in ((packages.this, this), (packages.next, after)):
        run("bash", "-c", 'rpm2cpio "$0" | cpio -idm --quiet ./usr/bin/wnactl',
            str(packages.one(folder=folder)), cwd=tmp_path)
        wnactl = (tmp_path / "usr" / "bin" / "wnactl").read_bytes()
        assert version.encode() in wnactl
        contracts |= set(re.findall(b"web-node-agent contract [0-9a-f]{32}", wnactl))
        shutil.rmtree(tmp_path / "usr")
    # Its processes do not work with those of this version, as after a change of include/.
    assert len(contracts) == 2


def rpmlint(config: Path, packages: Packages) -> list[str]:
    done = run("rpmlint", "-c", str(config), str(SPEC),
               *map(str, sorted(packages.this.glob("*.rpm"))), ok=False,
               env={**os.environ, "HOME": str(packages.db.parent)})
    return re.findall(r"^\S+: [EW]: .*", done.stdout, re.M)


def test_rpmlint_is_content(packages: Packages):
    assert rpmlint(RPM / "rpmlint.toml", packages) == []


def test_each_filter_of_rpmlint_filters(packages: Packages, tmp_path):
    text = (RPM / "rpmlint.toml").read_text()
    head, listed = text.split("Filters = [\n")
    filters = re.findall(r"^\t'(.*)',$", listed, re.M)
    assert len(filters) == len([line for line in listed.splitlines() if line.startswith("\t'")])
    bare = tmp_path / "bare.toml"
    bare.write_text(head)
    complaints = rpmlint(bare, packages)
    for pattern in filters:
        assert any(re.search(pattern, line) for line in complaints), f"{pattern}: filters nothing"
