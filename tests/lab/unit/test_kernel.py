"""What the machine lacks is said in a line each, before anything is built."""
from __future__ import annotations

from pathlib import Path

import pytest

from lab import kernel
from lab.instance import cgroup_tree
from lab.kernel import Need

ALL = [*kernel.NAMESPACES, kernel.OVERLAY, kernel.FUSE, *kernel.NETWORK]
BUILD = Path("/nowhere/build")


def works(_: Need) -> str:
    return ""


@pytest.fixture(autouse=True)
def without_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "kernel_has_nfs", lambda: False)


@pytest.mark.parametrize("need", ALL, ids=lambda need: need.what)
def test_each_is_tried_and_named(need: Need) -> None:
    tried: list[Need] = []

    def attempt(tries: Need) -> str:
        tried.append(tries)
        return "no such thing" if tries is need else ""
    said = kernel.missing(BUILD, attempt, lambda _: "")
    assert need in tried
    assert said == [f"{need.what}, for {need.why} ({need.how}): no such thing"]


def test_nothing_is_missing() -> None:
    assert kernel.missing(BUILD, works, lambda _: "") == []


def test_without_namespaces_nothing_is_tried_elsewhere() -> None:
    tried: list[Need] = []

    def attempt(need: Need) -> str:
        tried.append(need)
        return "not permitted"
    assert len(kernel.missing(BUILD, attempt, lambda _: "no")) == len(kernel.NAMESPACES)
    assert tried == kernel.NAMESPACES


def test_a_network_that_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> None:
        raise OSError(30, "Read-only file system")
    monkeypatch.setattr(kernel, "Netns", refused)
    said, = kernel.missing(BUILD, works, lambda _: "")
    assert said.startswith("a network's own settings") and said.endswith("Read-only file system")


@pytest.mark.parametrize("name", ["ip", "nft", "nsenter", "unshare", "mount"])
def test_programs(name: str) -> None:
    said = kernel.missing(BUILD, works, lambda _: "", lambda program: None if program == name else "/there")
    assert len(said) == 1 and said[0].startswith(f"the program {name}, for ") and "package" in said[0]


def test_control_groups_are_named() -> None:
    said, = kernel.missing(BUILD, works, lambda _: "not mounted")
    assert said.startswith("control groups") and said.endswith(": not mounted")


def test_fuse_is_not_needed_with_nfs_and_control_groups_of_version_2(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "kernel_has_nfs", lambda: True)
    monkeypatch.setattr(cgroup_tree, "mounts", lambda: {"unified": Path("/there")})
    assert kernel.missing(BUILD, lambda need: "no" if need is kernel.FUSE else "", lambda _: "") == []


@pytest.mark.parametrize("there, said", [
    ({}, "neither"), ({"cpu"}, "cpuacct"), ({"unified"}, "no controller cpu")])
def test_control_groups_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                           there: set[str], said: str) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    monkeypatch.setattr(cgroup_tree, "mounts", lambda: dict.fromkeys(there, tmp_path))
    assert said in kernel.control_groups(BUILD)
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_a_control_group_is_made_and_goes_again(tmp_path: Path) -> None:
    """On the machine's own."""
    assert kernel.control_groups(tmp_path) == ""
    for place in set(cgroup_tree.mounts().values()):
        assert not (place / cgroup_tree.family(tmp_path)).exists()


def test_what_fails_gives_its_own_words() -> None:
    """And its positive twin is every need of this machine, by `up`."""
    mount = "mount -t tmpfs lab /mnt; mount -t {} lab /mnt"
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("tmpfs")))) == ""
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("nosuch")))).startswith("mount:")
    assert kernel.alone(Need("", "", "", ("/nosuch/program",))) != ""
    assert kernel.alone(Need("", "", "", ("false",))) == "exit 1"
