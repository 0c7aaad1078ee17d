"""The GTID arithmetic for transactions that only the standby has, and failovers with errors."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.aws.rds import FailoverFailed, NotRedundant, Pair
from lab.aws.rds_server import positions, quote, strangers
from parts.pki import Certificate


def test_positions() -> None:
    assert positions("0-1-17,0-2-20") == {(0, 1): 17, (0, 2): 20}
    assert positions("0-1-17,\n1-2-3\n") == {(0, 1): 17, (1, 2): 3}
    assert positions("") == {}


@pytest.mark.parametrize("standby, writer", [
    ("", "0-1-5"),
    ("0-1-5", "0-1-5"),
    ("0-1-5", "0-1-5,0-2-9"),
    ("0-1-5,0-2-7", "0-2-9,0-1-5"),
])
def test_a_standby_that_is_behind_has_nothing_of_its_own(standby: str, writer: str) -> None:
    assert strangers(standby, writer) == []


@pytest.mark.parametrize("standby, writer, own", [
    ("0-1-6", "0-1-5", "0-1-6"),              # written, but not acknowledged
    # The writer's last number is higher, but it does not have this transaction.
    ("0-1-6", "0-1-5,0-2-20", "0-1-6"),
    ("0-1-5,0-2-6", "0-1-5", "0-2-6"),        # written on the standby
    ("1-1-1", "0-1-5", "1-1-1"),
])
def test_what_the_writer_does_not_have_is_found(standby: str, writer: str, own: str) -> None:
    assert strangers(standby, writer) == [own]


def test_quote() -> None:
    assert quote("a'b\\c") == "'a\\'b\\\\c'"


class Fake:
    """Replaces a server of the pair during a failover. `breaks`: step → number of failures."""

    def __init__(self, number: int, breaks: dict[str, int]) -> None:
        self.number, self.address, self.breaks = number, f"10.16.{4 + number}.10", breaks
        self.host = SimpleNamespace(name=f"db-{number}")
        self.runs = self.hidden = self.read_only = True
        self.process: Any = SimpleNamespace(kill=self._kill, running=lambda: self.runs)
        self.follows = ""
        self.semi_sync = False

    def _step(self, name: str) -> None:
        if self.breaks.get(name, 0):
            self.breaks[name] -= 1
            raise RuntimeError(f"db-{self.number}: {name} is broken")

    def _kill(self) -> None:
        self.runs = False

    def boot(self) -> None:
        self._step("boot")
        self.runs, self.read_only, self.semi_sync = True, True, False

    def fill(self) -> None:
        self._step("fill")

    def wait_ready(self) -> None:
        assert self.runs

    def hide(self) -> None:
        self.hidden = True

    def show(self) -> None:
        self._step("show")
        self.hidden = False

    def apply_all(self) -> None:
        self._step("apply_all")

    def promote(self) -> None:
        self._step("promote")
        self.read_only, self.follows = False, ""

    def dump(self) -> tuple[str, str]:
        self._step("dump")
        return "", "0-1-1"

    def follow(self, writer: Fake, password: str, position: str = "") -> None:
        self.follows = writer.address

    def script(self, text: str, timeout: float = 30.0, form: str = "-NB") -> str:
        if "read_only = 0" in text:
            self.read_only = False
        if "semi_sync_master_enabled" in text:
            self.semi_sync = text.rstrip("; ")[-1] == "1"
        return "0"

    def variable(self, name: str) -> str:
        return "0-1-1"

    def statuses(self, pattern: str) -> dict[str, str]:
        return {"Rpl_semi_sync_master_status": "ON" if self.semi_sync else "OFF",
                "Rpl_semi_sync_master_clients": "1"}

    def replication(self) -> dict[str, str]:
        return {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes"}


def pair(first: dict[str, int] | None = None, second: dict[str, int] | None = None,
         repoint: int = 0) -> tuple[Pair, list[str]]:
    """A redundant pair whose first server is the writer; with the list of the endpoint's
    addresses."""
    leads: list[str] = []
    names = Fake(9, {"nsupdate": 0})

    def lead(address: str) -> None:
        names._step("nsupdate")
        leads.append(address)
    made: Any = (Fake(1, first or {}), Fake(2, second or {}))
    found = Pair(made, lead, ca=b"", certificate=Certificate(b"", b""), password="p", user="admin",
                 database="practice")
    found.wait_ready()
    names.breaks["nsupdate"] = repoint
    return found, leads


def redundant(found: Pair, writer: int, leads: list[str]) -> None:
    one, other = cast(Any, found.writer), cast(Any, found.standby)
    assert one.number == writer and leads[-1] == one.address
    assert one.runs and not one.hidden and not one.read_only
    assert other.runs and other.hidden and other.follows == one.address
    assert found.why_not_redundant() == ""


def test_a_failover_changes_the_writer() -> None:
    found, leads = pair()
    done = found.failover()
    assert (done.from_address, done.to_address, done.repaired) == ("10.16.5.10", "10.16.6.10", "")
    redundant(found, 2, leads)


@pytest.mark.parametrize("step", ["apply_all", "promote"])
def test_a_standby_that_cannot_be_promoted_leaves_the_writer_of_before(step: str) -> None:
    found, leads = pair(second={step: 1})
    with pytest.raises(FailoverFailed, match=f"{step} is broken.*10.16.5.10 writes again, and "
                                             "its standby was made anew"):
        found.failover()
    redundant(found, 1, leads)


def test_without_a_new_standby_the_writer_of_before_writes_alone() -> None:
    found, leads = pair(second={"promote": 1, "fill": 1})
    with pytest.raises(FailoverFailed, match="10.16.5.10 writes again, without a standby"):
        found.failover()
    assert found.writer.address == leads[-1] == "10.16.5.10" and found.why_not_redundant()
    found.rebuild()
    redundant(found, 1, leads)


def test_no_writer_at_all_is_said() -> None:
    found, _ = pair(first={"boot": 1}, second={"promote": 1})
    with pytest.raises(FailoverFailed, match="there is no writer at all: .*boot is broken"):
        found.failover()


def test_what_fails_behind_the_promotion_is_tried_again_and_told() -> None:
    found, leads = pair(repoint=1)
    assert found.failover().repaired == "RuntimeError: db-9: nsupdate is broken"
    redundant(found, 2, leads)
    found, leads = pair(first={"fill": 1})
    assert "fill is broken" in found.failover().repaired
    redundant(found, 2, leads)


def test_what_fails_twice_behind_the_promotion_does_not_go_back() -> None:
    """Clients may have written to the new writer: going back would lose these writes."""
    found, leads = pair(first={"fill": 2})
    with pytest.raises(FailoverFailed, match="10.16.6.10 is the writer.*fill is broken"):
        found.failover()
    assert found.writer.address == leads[-1] == "10.16.6.10" and not cast(Any, found.writer).hidden
    found.rebuild()
    redundant(found, 2, leads)


def test_a_pair_without_a_standby_is_not_failed_over() -> None:
    found, leads = pair()
    cast(Any, found.writer).semi_sync = False
    with pytest.raises(NotRedundant, match="no failover: Rpl_semi_sync_master_status is OFF"):
        found.failover()
    assert leads == ["10.16.5.10"] and cast(Any, found.writer).runs
