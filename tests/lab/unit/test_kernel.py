"""What the machine lacks is said in a line each, before anything is built."""
from __future__ import annotations

from pathlib import Path

import pytest

from lab import kernel
from lab.instance import cgroup_tree
from lab.kernel import Need

ALL = [*kernel.NAMESPACES, kernel.OVERLAY, kernel.FUSE, *kernel.NETWORK]


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
    said = kernel.missing(attempt, lambda: "")
    assert need in tried
    assert said == [f"{need.what}, for {need.why} ({need.how}): no such thing"]


def test_nothing_is_missing() -> None:
    assert kernel.missing(works, lambda: "") == []


def test_without_namespaces_nothing_is_tried_elsewhere() -> None:
    tried: list[Need] = []

    def attempt(need: Need) -> str:
        tried.append(need)
        return "not permitted"
    assert len(kernel.missing(attempt, lambda: "no")) == len(kernel.NAMESPACES)
    assert tried == kernel.NAMESPACES


def test_a_network_that_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> None:
        raise OSError(30, "Read-only file system")
    monkeypatch.setattr(kernel, "Netns", refused)
    said, = kernel.missing(works, lambda: "")
    assert said.startswith("a network's own settings") and said.endswith("Read-only file system")


@pytest.mark.parametrize("name", ["ip", "nft", "nsenter", "unshare", "mount"])
def test_programs(name: str) -> None:
    said = kernel.missing(works, lambda: "", lambda program: None if program == name else "/there")
    assert len(said) == 1 and said[0].startswith(f"the program {name}, for ") and "package" in said[0]


def test_control_groups_are_named() -> None:
    said, = kernel.missing(works, lambda: "not mounted")
    assert said.startswith("control groups") and said.endswith(": not mounted")


def test_fuse_is_not_needed_with_nfs_and_control_groups_of_version_2(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "kernel_has_nfs", lambda: True)
    monkeypatch.setattr(cgroup_tree, "mounts", lambda: {"unified": Path("/there")})
    assert kernel.missing(lambda need: "no" if need is kernel.FUSE else "", lambda: "") == []


def test_control_groups_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    assert "no controller cpu" in kernel.control_groups({"unified": tmp_path})
    (tmp_path / "cgroup.controllers").write_text("memory cpu pids\n")
    assert kernel.control_groups({"unified": tmp_path}) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_control_groups_that_are_not_there(tmp_path: Path) -> None:
    assert "neither" in kernel.control_groups({})
    assert "cpuacct" in kernel.control_groups({"cpu": tmp_path})
    (tmp_path / "file").touch()
    found = kernel.control_groups({"cpu": tmp_path / "file", "cpuacct": tmp_path})
    assert found.endswith("file: Not a directory")


def test_what_fails_gives_its_own_words() -> None:
    """And its positive twin is every need of this machine, by `up`."""
    mount = "mount -t tmpfs lab /mnt; mount -t {} lab /mnt"
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("tmpfs")))) == ""
    assert kernel.alone(Need("", "", "", kernel._mounted(mount.format("nosuch")))).startswith("mount:")
    assert kernel.alone(Need("", "", "", ("/nosuch/program",))) != ""
    assert kernel.alone(Need("", "", "", ("false",))) == "exit 1"
