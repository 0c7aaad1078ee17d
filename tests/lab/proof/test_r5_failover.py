"""R5: the database's writer fails, the standby takes over, and the web tier continues without an
administrator."""
from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from lab.command.client import Lab
from lab.command.table import Notes
from .visitors import Visit, Visitors, bad, good, told
from parts.wait import wait_until

# Time without a writer: longer than the agent's max_age of the database's facts, and than two
# health checks. (RDS: 60 to 120 s.)
DOWN_S = 25.0
REPLIES = 20  # this many good answers in a row end an outage


def outage(visits: list[Visit]) -> float:
    """From the start of the first failed request to the start of the first request after which all
    succeed; 0 without a failure."""
    failed = sorted(v["at"] for v in bad(visits))  # visits are sorted by their end
    if not failed:
        return 0.0
    return float(next((v["at"] for v in sorted(visits, key=lambda v: v["at"])
                       if v["at"] > failed[-1]), time.time()) - failed[0])


def resolved(lab: Lab, host: str) -> list[str]:
    """Like the document: nslookup on a web instance."""
    return lab.host(host).sh(f"dig +short +tries=1 +time=2 {lab.facts()['database_endpoint']}").split()


def rows(lab: Lab) -> set[str]:
    """The names in the writer's table."""
    return set(lab.ask("rows"))


def test_the_page_shows_the_documents_row(settled: Lab) -> None:
    page_shows(settled)


def page_shows(settled: Lab) -> None:
    """Waits until the page of every instance shows its identity and the row: after a failover PHP
    first loses its sessions with the former writer."""
    for instance in settled.in_service():
        host = settled.host(instance["host"])

        def shown() -> bool:
            body = host.run("curl", "-sS", "-m", "10", "http://127.0.0.1/efs/index.php").stdout
            if all(word in body for word in ("KIM", "SEOUL", instance["id"], instance["zone"])):
                return True
            raise LookupError(body)
        wait_until(shown, f"{instance['host']}: the page shows instance and row", 15)


def test_failover_under_reads_and_writes(settled: Lab, notes: Notes) -> None:
    before = settled.database()
    assert before["semi_sync"] == "ON"
    instances = sorted(i["id"] for i in settled.in_service())
    history = len(settled.activities())
    web = settled.in_service()[0]["host"]
    assert resolved(settled, web) == [before["writer"]]
    url = f"http://{settled.facts()['alb_name']}/efs/index.php"
    facts, word = settled.facts(), f"r5-{int(time.time())}"
    with ExitStack() as all_of_them:
        readers = all_of_them.enter_context(Visitors(settled.host("client"), url))
        writers = all_of_them.enter_context(
            Visitors(settled.host("client"), url, 2, 0.05, word))
        checks = [all_of_them.enter_context(Visitors(
            settled.host("alb-a"), f"http://{i['address']}:{facts['health_port']}{facts['health_path']}",
            1, 0.5))
            for i in settled.in_service()]
        for people in (readers, writers):
            people.wait(lambda v: sum(map(good, v)) >= REPLIES, "good answers before")
        began = time.time()
        what: dict[str, Any] = settled.ask("failover", timeout=120, down_s=DOWN_S)
        for people in (readers, writers):
            people.wait(lambda v: len(v) >= REPLIES and all(map(good, v[-REPLIES:])) and
                        v[-REPLIES]["at"] > began + what["seconds"], "it goes on", 60)
        reads, writes = readers.visits(began - 1), writers.visits(began - 1)
        acknowledged = {v["row"] for v in writers.visits() if good(v)}
    for check in checks:
        assert len(check.visits(began)) > DOWN_S and not bad(check.visits(began)), \
            f"the database turned /healthz: {told(check.visits(began))}"
    after = settled.database()
    assert after["writer"] == before["standby"] == what["to"]
    assert resolved(settled, web) == [after["writer"]]
    assert settled.zone_of(after["writer"]) != settled.zone_of(before["writer"])
    present = rows(settled)
    settled.ask("sql", text=f"DELETE FROM {facts['database_table']} WHERE name LIKE '{word}-%';")
    page_shows(settled)
    assert bad(writes), "the failover was seen by nobody: what was proved?"
    lost = acknowledged - present
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged writes are gone: {lost}"
    # No instance was replaced, and the group was not scaled, because of the database.
    assert sorted(i["id"] for i in settled.in_service()) == instances
    assert len(settled.activities()) == history, settled.activities()[0]
    assert {t["state"] for t in settled.targets().values()} == {"healthy"}
    notes.add(f"R5  failover {before['writer']} -> {after['writer']}: writes failed for "
              f"{outage(writes):.1f} s ({len(bad(writes))} of {len(writes)}: {told(writes)}), "
              f"reads for {outage(reads):.1f} s ({len(bad(reads))} of {len(reads)}); "
              f"{len(acknowledged)} writes acknowledged, {len(acknowledged - present)} lost")


def test_the_agents_noticed(settled: Lab) -> None:
    """The address that the agent gives to the web tier is the writer's."""
    said = f'"writer":"{settled.database()["writer"]}"'
    for instance in settled.in_service():
        host = settled.host(instance["host"])
        wait_until(lambda: said in host.read("/run/web-node-agent/rds.json").replace(" ", ""),
                   f"{instance['host']}: the agent knows the writer", 20)


def test_the_old_master_returns_as_standby(settled: Lab) -> None:
    """The old writer becomes a standby in the other zone, up to date, without a transaction of its
    own."""
    now = settled.ask("wait_standby", timeout=90)
    assert now["semi_sync"] == "ON" and now["extra_transactions"] == ""
    assert settled.zone_of(now["standby"]) != settled.zone_of(now["writer"])
