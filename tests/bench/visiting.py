"""What visitors see of a database failover: a node without the agent, and nodes with it."""
from __future__ import annotations

from typing import Any

from parts import visitors
from parts.node import Node

from .ground import Ground, median

# [database] stale_connections; None: no agent runs.
POLICIES = {"without": None, "off": "off", "failover": "failover", "at_once": "at_once"}
# How the writer fails; how long, in s; requests of each kind a second.
FAULTS = [("kill", 12, 1), ("cut", 12, 1), ("freeze", 12, 1), ("demote", 12, 1), ("cut", 75, 8)]


def _prepare(ground: Ground) -> dict[str, Node]:
    nodes = {}
    for name, policy in POLICIES.items():
        node = nodes[name] = ground.world.add_node()
        visitors.prepare(node)
        if policy:
            node.only("database")
            for key in ("interval", "timeout", "dns_timeout", "dns_fast", "max_age"):
                node.agent.settings["database"].pop(key, None)
            node.agent.change("database", stale_connections=policy)
    return nodes


def _round(ground: Ground, nodes: dict[str, Node], how: str, outage_s: int, rate: int
           ) -> dict[str, dict[str, float]]:
    ground.world.database.reset()
    for name, node in nodes.items():
        visitors.begin(node)
        if POLICIES[name]:
            node.agent.start()
            node.agent.wait_job("database", "ok", 40)
    seen, back_s = visitors.failover(ground.world.database, list(nodes.values()), how, outage_s,
                                     per_second=rate)
    for name, node in nodes.items():
        if POLICIES[name]:
            node.agent.stop()
    return {name: one.summary(back_s) for name, one in zip(nodes, seen)}


def visiting(ground: Ground) -> dict[str, Any]:
    """All nodes meet the same failover at the same time."""
    nodes = _prepare(ground)
    found = {}
    for how, outage_s, rate in FAULTS:
        rounds = [_round(ground, nodes, how, outage_s, rate)
                  for _ in range(ground.pairs)]
        name = f"{how}, {outage_s} s, {rate}/s"
        ground.raw(f"visiting-{how}-{outage_s}", rounds)
        found[name] = {node: {key: [min(v), median(v), max(v)]
                              for key in rounds[0][node]
                              if (v := [one[node][key] for one in rounds])}
                       for node in nodes}
    for node in nodes.values():
        ground.world.remove(node)
    return {"faults": found, "bar": "not more than without the agent, 0 bad pages"}
