"""The end of a lab completes even if a part fails: control groups (lab/instance/cgroup.py), an
instance (lab/instance.py), orders (lab/orders.py)."""
from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, cast

import pytest

from lab.instance import cgroup
from lab.instance.instance import WebInstance
from lab.orders import Orders
from parts.wait import Late


class Group:
    """Replaces a control group's processes: shows `pids` this number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, looks: int) -> None:
        self.looks, self.killed = looks, False
        self.seen_empty = False
        folder.mkdir()
        (folder / "all").mkdir()
        monkeypatch.setattr(cgroup, "members", self._members)
        monkeypatch.setattr("lab.instance.cgroup.os.kill", self._kill)
        monkeypatch.setattr(cgroup, "END_S", 0.2)

    def _members(self, folder: Path) -> list[int]:
        assert folder.is_dir(), "removed before it was empty"
        self.looks -= 1
        return [4711] if self.looks > 0 and not self.killed else []

    def _kill(self, pid: int, number: int) -> None:
        assert pid == 4711
        self.killed = True


def test_a_group_is_removed_when_its_last_process_has_ended(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = Group(monkeypatch, tmp_path / "g", looks=3)
    cgroup.remove(tmp_path / "g")
    assert not (tmp_path / "g").exists() and not group.killed and group.looks <= 0


def test_a_process_that_stays_is_killed_and_the_group_goes(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = Group(monkeypatch, tmp_path / "g", looks=1 << 30)
    cgroup.remove(tmp_path / "g")
    assert group.killed and not (tmp_path / "g").exists()


def test_before_an_up_nobody_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = Group(monkeypatch, tmp_path / "g", looks=1 << 30)
    with pytest.raises(Late, match="has no process any more"):
        cgroup.remove(tmp_path / "g", kill=False)
    assert not group.killed and (tmp_path / "g").exists()


def test_one_hierarchy_that_stays_keeps_none_of_the_others(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    removed: list[Path] = []

    def remove(folder: Path, kill: bool) -> None:
        removed.append(folder)
        if folder.name != "b":
            raise OSError("busy")
    monkeypatch.setattr(cgroup, "remove", remove)
    with pytest.raises(OSError, match="busy"):
        cgroup.remove_all([tmp_path / name for name in "abc"])
    assert sorted(folder.name for folder in removed) == ["a", "b", "c"]


@pytest.mark.parametrize("broken", ["", "withdraw", "host", "detach", "remove"])
def test_every_step_of_an_instances_end_is_made(broken: str) -> None:
    made: list[str] = []

    def step(name: str) -> Callable[..., None]:
        def do(*_: Any) -> None:
            made.append(name)
            if name == broken:
                raise RuntimeError(f"{name} is broken")
        return do
    machine: Any = WebInstance.__new__(WebInstance)
    machine.around = SimpleNamespace(
        metadata=SimpleNamespace(withdraw=step("withdraw")),
        fabric=SimpleNamespace(detach=step("detach")))
    machine.host, machine.eni = SimpleNamespace(close=step("host")), "eni"
    machine.group = SimpleNamespace(remove=step("remove"))
    machine.closed, machine._boot = False, None
    machine._ending, machine._closing = threading.Event(), threading.Lock()
    if broken:
        with pytest.raises(RuntimeError, match=f"{broken} is broken"):
            machine.close()
    else:
        machine.close()
    assert made == ["withdraw", "host", "detach", "remove"]
    machine.close()
    assert len(made) == 4


class Lab:
    """A world with only the state that orders change."""

    def __init__(self) -> None:
        self.suspended: set[str] = set()
        self.cut: dict[str, str] = {}
        self.enforced, self.capacity = True, 2
        self.broken = ""
        host = SimpleNamespace(name="web-1", cut=self._cut, mend=lambda: self.cut.clear())
        self.world: Any = SimpleNamespace(
            controller=SimpleNamespace(suspend=self.suspended.add, resume=self._resume,
                                       set_desired=self._set),
            fabric=SimpleNamespace(enforce=self._enforce, forget=lambda: None),
            internet=SimpleNamespace(repo=SimpleNamespace(unavailable=False)),
            model=SimpleNamespace(group=SimpleNamespace(desired=2)),
            services=SimpleNamespace(hosts=[host]), bastions=[],
            machines=SimpleNamespace(all=lambda: []))
        self.orders = Orders(cast(Any, self.world))
        self.orders.on_hosts = lambda: {"web-1": {}}  # type: ignore[method-assign]

    def _resume(self, name: str) -> None:
        if self.broken == name:
            raise RuntimeError("cannot")
        self.suspended.discard(name)

    def _set(self, capacity: int) -> None:
        self.capacity = capacity

    def _cut(self, rule: str) -> None:
        self.cut["web-1"] = rule
        if self.broken == "cut":
            raise RuntimeError("half done")

    def _enforce(self, on: bool) -> None:
        self.enforced = on

    def do(self, op: str, **more: Any) -> Any:
        return self.orders.do({"op": op, **more})

    def quiet(self) -> bool:
        return (not self.suspended and not self.cut and self.enforced and self.capacity == 2
                and not self.world.internet.repo.unavailable)


def test_restore_takes_back_all_that_orders_changed() -> None:
    lab = Lab()
    assert lab.do("restore") == []
    lab.do("suspend", process="ReplaceUnhealthy")
    lab.do("cut", host="web-1", rule="tcp dport 443")
    lab.do("enforce", on=False)
    lab.do("capacity", desired=3)
    lab.do("repository", available=False)
    assert lab.do("restore") == ["repository", "capacity", "rules off", "packets of web-1",
                                 "process ReplaceUnhealthy"]
    assert lab.quiet() and lab.do("restore") == []


def test_what_was_taken_back_by_its_opposite_is_not_restored() -> None:
    lab = Lab()
    for op, on, off in (("enforce", {"on": False}, {"on": True}),
                        ("push", {"host": "web-1", "on": False}, {"host": "web-1", "on": True}),
                        ("repository", {"available": False}, {"available": True}),
                        ("capacity", {"desired": 3}, {"desired": 2})):
        lab.do(op, **on)
        assert not lab.quiet()
        lab.do(op, **off)
    lab.do("suspend", process="Launch")
    lab.do("resume", process="Launch")
    assert lab.quiet() and lab.do("restore") == []


def test_what_failed_half_way_is_restored() -> None:
    lab = Lab()
    lab.broken = "cut"
    with pytest.raises(RuntimeError, match="half done"):
        lab.do("cut", host="web-1")
    assert lab.do("restore") == ["packets of web-1"] and lab.quiet()


def test_what_cannot_be_restored_is_said_and_the_rest_is() -> None:
    lab = Lab()
    for process in ("Launch", "Terminate"):
        lab.do("suspend", process=process)
    lab.do("enforce", on=False)
    lab.broken = "Launch"
    with pytest.raises(RuntimeError, match="^not restored: process Launch: RuntimeError: cannot$"):
        lab.do("restore")
    assert lab.suspended == {"Launch"} and lab.enforced
    lab.broken = ""
    assert lab.do("restore") == ["process Launch"] and lab.quiet()


def test_an_unknown_host_is_one_line_with_those_there_are() -> None:
    with pytest.raises(LookupError, match="^no host web-9; there are web-1$"):
        Lab().do("cut", host="web-9")
    with pytest.raises(LookupError, match="^no such order"):
        Lab().do("nonsense")
