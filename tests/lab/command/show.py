"""The output of `up` and `status`."""
from __future__ import annotations

from typing import Any, Callable

from lab.model import own_parameters as own
from lab.template.interpreter import Stack
from lab.trouble import plain
from .client import Lab
from .table import table


def parameters(stack: Stack, given: dict[str, str]) -> str:
    """The lab's parameter values, each beside the template's default."""
    rows = [["parameter", "here", "default", "why"]]
    defaults = stack.tree.section("Parameters")
    for name, value in own.with_given(given).items():
        default = str(defaults[name].get("Default", "-"))
        if value != default and name not in own.PINNED:
            rows.append([name, value, default, own.why(name)])
    return table(rows)


def hosts(lab: Lab) -> str:
    rows = [["host", "kind", "zone", "address", "public", "pid"]]
    for name, info in sorted(lab.hosts().items()):
        rows.append([name, info["kind"], info["zone"], info["address"], info["public"] or "",
                     str(info["pid"])])
    return table(rows)


def group(lab: Lab) -> str:
    targets = lab.targets()
    rows = [["instance", "host", "zone", "address", "state", "target", "why"]]
    for instance in lab.instances():
        target = targets.get(instance["id"], {})
        rows.append([instance["id"], instance["host"], instance["zone"], instance["address"],
                     instance["state"], target.get("state", "-"),
                     target.get("description", "") or target.get("reason", "")])
    return table(rows)


def alarms(lab: Lab) -> str:
    found = lab.alarms()
    last: list[dict[str, Any]] = found["points"][-6:]
    text = " ".join(f"{p['average']:.0f}%" if p["samples"] else "-" for p in last)
    return (f"metric {found['namespace']}/{found['metric']} every {found['period']} s, target "
            f"{found['target']:g} %: {text}\n"
            f"  AlarmHigh {found['high']['state']}, AlarmLow {found['low']['state']}")


def activities(lab: Lab, count: int = 5) -> str:
    lines = []
    for activity in lab.activities()[:count]:
        lines.append(f"{activity['StartTime'][11:19]}  {activity['StatusCode']}: "
                     f"{activity['Description']}\n          {activity['Cause']}")
    return "\n".join(lines)


def database(lab: Lab, facts: dict[str, Any]) -> str:
    found = lab.database()
    return (f"database {facts['database_endpoint']}: writer {found['writer']}, standby "
            f"{found['standby']}, semi-synchronous {found['semi_sync']}")


def part(what: str, make: Callable[[], str]) -> str:
    """Information that is not available now (during a failover, a replacement) becomes one line;
    the rest is shown."""
    try:
        return make()
    except Exception as error:
        return f"{what}: not known just now: {plain(error)}"


def status(lab: Lab) -> str:
    facts = lab.facts()  # raises Refused if the lab is not up yet
    return "\n".join([
        f"http://{facts['alb_name']}/efs/   nodes {' '.join(facts['alb_addresses'])}",
        "", part("hosts", lambda: hosts(lab)),
        "", part("instances", lambda: group(lab)),
        "", part("alarms", lambda: alarms(lab)),
        "", part("database", lambda: database(lab, facts)),
        "", "Scaling activities, newest first", part("activities", lambda: activities(lab)),
        *(["", "Not well now", *facts["troubles"]] if facts["troubles"] else []),
        "", facts["stand_ins"]])
