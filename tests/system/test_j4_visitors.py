"""J4, what it is for: visitors of a node with the agent, beside those of a node without it, while
the database fails over. tests/bench/run has all faults, and each five times."""
from __future__ import annotations

from typing import Callable

import pytest

from parts import visitors
from parts.mariadb import Database
from parts.node import Node

WRITABLE = 1  # enum rds_state


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["cut", "demote"])
def test_better_than_without(database: Database, new_node: Callable[[], Node], how: str) -> None:
    node, without = new_node(), new_node()
    visitors.prepare(node)
    visitors.prepare(without)
    node.only("database")
    for key in ("interval", "timeout", "dns_timeout", "dns_fast", "max_age"):
        node.agent.settings["database"].pop(key)
    node.agent.change("database", stale_connections="at_once")
    node.agent.start()
    node.agent.wait_fact("rds", WRITABLE)
    (seen, beside), back_s = visitors.failover(database, [node, without], how)
    print(seen.summary(back_s), beside.summary(back_s))
    assert seen.bad("/page.php") == seen.hung() == 0
    assert seen.bad("/write.php") <= beside.bad("/write.php")
    assert seen.bad("/write.php") + seen.hung() < beside.bad("/write.php") + beside.hung()
    assert seen.first_good_write_s(back_s) <= 6, "the name's TTL, and a second"
