"""Missing requirements of the machine are reported with one line each, before anything is
built."""
from __future__ import annotations

from pathlib import Path

import pytest

from lab import kernel
from lab.instance import cgroup
from lab.kernel import Need

ALL = [*kernel.NAMESPACES, kernel.OVERLAY, kernel.FUSE, *kernel.NETWORK]
BUILD = Path("/nowhere/build")


def works(_: Need) -> str:
    return ""


def there(_: str) -> str:
    """Each program, whatever this machine has."""
    return "/there"


@pytest.mark.parametrize("need", ALL, ids=lambda need: need.what)
def test_each_is_tried_and_named(need: Need) -> None:
    tried: list[Need] = []

    def attempt(tries: Need) -> str:
        tried.append(tries)
        return "no such thing" if tries is need else ""
    said = kernel.missing(BUILD, attempt, lambda _: "", there)
    assert need in tried
    assert said == [f"{need.what}, for {need.why} ({need.how}): no such thing"]


def test_nothing_is_missing() -> None:
    assert kernel.missing(BUILD, works, lambda _: "", there) == []


def test_without_namespaces_nothing_is_tried_elsewhere() -> None:
    tried: list[Need] = []

    def attempt(need: Need) -> str:
        tried.append(need)
        return "not permitted"
    assert len(kernel.missing(BUILD, attempt, lambda _: "no", there)) == len(kernel.NAMESPACES)
    assert tried == kernel.NAMESPACES


def test_a_network_that_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> None:
        raise OSError(30, "Read-only file system")
    monkeypatch.setattr(kernel, "Netns", refused)
    said, = kernel.missing(BUILD, works, lambda _: "", there)
    assert said.startswith("a network's own settings") and said.endswith("Read-only file system")


@pytest.mark.parametrize("name", ["ip", "nft", "nsenter", "unshare", "mount", "systemd-nspawn"])
def test_programs(name: str) -> None:
    said = kernel.missing(BUILD, works, lambda _: "", lambda program: None if program == name else there(program))
    assert len(said) == 1 and said[0].startswith(f"the program {name}, for ") and "package" in said[0]


def test_control_groups_are_named() -> None:
    said, = kernel.missing(BUILD, works, lambda _: "not mounted", there)
    assert said.startswith("control groups") and said.endswith(": not mounted")


@pytest.mark.parametrize("there, said", [
    ((), "not mounted in version 1: cpu, cpuacct, cpuset"), (("cpu", "cpuset"), "version 1: cpuacct")])
def test_control_groups_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                           there: tuple[str, ...], said: str) -> None:
    monkeypatch.setattr(cgroup, "mounts", lambda: dict.fromkeys(there, tmp_path))
    assert kernel.control_groups(BUILD).endswith(said)
    assert not list(tmp_path.iterdir())


def test_without_version_2_no_systemd_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise RuntimeError("this machine has no control groups of version 2")
    monkeypatch.setattr(kernel, "unified", missing)
    assert kernel.control_groups(BUILD) == "this machine has no control groups of version 2"


def test_a_control_group_is_made_and_goes_again(tmp_path: Path) -> None:
    """In the machine's real control groups."""
    assert kernel.control_groups(tmp_path) == ""
    for place in set(cgroup.mounts().values()):
        assert not (place / cgroup.family(tmp_path)).exists()


def test_what_fails_gives_its_own_words() -> None:
    """The counterpart, requirements that are met, is tested by each `up`."""
    mount = "mount -t tmpfs lab /mnt; mount -t {} lab /mnt"
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("tmpfs")))) == ""
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("nosuch")))).startswith("mount:")
    assert kernel.alone(Need("", "", "", ("/nosuch/program",))) != ""
    assert kernel.alone(Need("", "", "", ("false",))) == "exit 1"
