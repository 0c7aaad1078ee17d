"""The results as a table for people."""
from __future__ import annotations

from typing import Any


def _each(x: dict[str, Any], when: str) -> list[tuple[str, str, str, bool]]:
    rows = []
    for role, kb in x["agent_kb"].items():
        floor = x["floor_kb"][role]
        rows.append((f"  {role}{when}: PSS (anonymous), agent / floor",
                     f"{kb['pss']} ({kb['pss_anon']}) / {floor['pss']} ({floor['pss_anon']}) kB",
                     "<= 1.25", kb["pss"] <= 1.25 * floor["pss"]))
    return rows


def _no_worse(node: dict[str, Any], other: dict[str, Any]) -> bool:
    """By the medians."""
    return node["bad_pages"][1] == 0 and all(node[key][1] <= other[key][1]
                                             for key in ("bad_writes", "hung"))


def _rows(r: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    rows = []
    if x := r.get("answering"):
        rows.append(("/healthz keep-alive, one core: agent / bare epoll",
                     f"{x['agent_per_s']:,.0f} / {x['floor_per_s']:,.0f} per s = {x['ratio']:.2f}",
                     ">= 0.80", x["ratio"] >= 0.8))
    if x := r.get("latency"):
        p = x["p999_us"]
        rows += [
            ("p99.9 at 1,000/s: agent (bare epoll)",
             f"{p['healthy'] / 1000:.2f} ms ({p['floor'] / 1000:.2f} ms)", "< 1 ms",
             p["healthy"] < 1000),
            ("p99.9 while mount, DNS, MySQL, CloudWatch hang / healthy",
             f"{x['p999_ratio']:.2f} (bare epoll {p['floor_hung'] / p['floor']:.2f})", "<= 1.3",
             x["p999_ratio"] <= 1.3),
            ("slowest answer while they hang (bare epoll, same run)",
             f"{x['slowest_hung_us'] / 1000:.1f} ms ({x['slowest_floor_us'] / 1000:.1f} ms)",
             "<= 50 ms", x["slowest_hung_us"] <= 50000),
            ("longest gap between CPU samples meanwhile",
             f"{x['longest_sample_gap_ms'] / 1000:.2f} s", "<= 1.5 s",
             x["longest_sample_gap_ms"] <= 1500)]
    if x := r.get("memory"):
        rows += [
            ("memory, PSS: agent / floors",
             f"{x['agent_pss_mb']:.1f} / {x['floor_pss_mb']:.1f} MB = {x['ratio']:.2f}",
             "<= 1.25", x["ratio"] <= 1.25),
            ("memory, PSS and anonymous, goal",
             f"{x['agent_pss_mb']:.1f} and {x['agent_anon_mb']:.1f} MB", "12 and 5 MB",
             x["agent_pss_mb"] <= 12 and x["agent_anon_mb"] <= 5)]
        rows += _each(x, "")
    if x := r.get("passing"):
        rows += _each(x, " at work")
    if x := r.get("processor"):
        ratio = x["s_per_min"] / x["floor_s_per_min"]
        rows.append(("processor time: agent / floors",
                     f"{x['s_per_min']:.3f} / {x['floor_s_per_min']:.3f} s/min = {ratio:.2f}",
                     "<= 1.6", ratio <= 1.6))
    if x := r.get("start"):
        rows += [("exec to first /healthz answer: agent (bare epoll)",
                  f"{x['answer_ms']:.1f} ms ({x['floor_answer_ms']:.1f} ms)", "<= 20 ms",
                  x["answer_ms"] <= 20),
                 ("exec to first 200 (mounted, checked)", f"{x['healthy_ms']:.0f} ms", "", True),
                 ("exec to first metric accepted", f"{x['metric_ms']:.0f} ms", "<= 3000 ms",
                  x["metric_ms"] <= 3000)]
    if x := r.get("visiting"):
        for fault, nodes in x["faults"].items():
            rows.append((f"failover, {fault}: bad writes, bad pages, hung; good again after", "", "",
                         True))
            for name, node in nodes.items():
                rows.append((f"  {'' if name == 'without' else 'stale_connections = '}{name}",
                             ", ".join("/".join(f"{v:g}" for v in node[key])
                                       for key in ("bad_writes", "bad_pages", "hung"))
                             + "; " + "/".join(f"{v:.1f}" for v in node["good_after_s"]) + " s",
                             "<= without", _no_worse(node, nodes["without"])))
    if x := r.get("size"):
        rows.append(("installed size, stripped", f"{x['total_kb']:.0f} kB", "<= 1024 kB",
                     x["total_kb"] <= 1024))
    return rows


def table(results: dict[str, Any]) -> str:
    rows = _rows(results)
    widths = [max(len(row[i]) for row in rows) for i in range(3)] if rows else [0, 0, 0]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {'' if ok else 'missed'}"
             for a, b, c, ok in rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"
