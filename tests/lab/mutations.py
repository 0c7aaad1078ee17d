"""tests/lab/run mutate: breaks the template, one thing at a time, on the running lab, as a
stack update would; the test that is named for it must then fail. Between two the template is
as it was. What a test does not notice, it does not prove."""
from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import Any

from .client import Lab
from .proving import HERE, pytest
from .table import table

Edit = tuple[Any, ...]

R1 = "test_r1_ssh.py::test_through_each_bastion_to_each_instance"
R2_HEALTH = "test_r2_balance.py::test_health_checks_reach_the_agent"
R2_PAGE = "test_r2_balance.py::test_the_page_alternates_between_all_instances"
R2_ZONES = "test_r2_balance.py::test_each_node_serves_both_zones"
R2_PORTS = "test_r2_balance.py::test_every_port_of_a_node_is_answered"
R3_PING = "test_r3_internet.py::test_ping"
R3_NAT = "test_r3_internet.py::test_https_comes_from_nat"
R3_S3 = "test_r3_internet.py::test_the_regions_s3_comes_without_nat"
R4 = "test_r4_scaling.py::test_the_policy_reads_the_agents_metric"
R5 = "test_r5_failover.py::test_failover_under_reads_and_writes"
R7 = "test_r7_minimal.py::test_what_is_needed_works_and_nothing_else"
POLICY = "TargetTrackingConfiguration.CustomizedMetricSpecification"


@dataclass
class Mutation:
    """`edits`: ("remove", resource), ("set", resource, property path, value) or ("unset",
    resource, property path), as template.Tree has them."""
    name: str
    test: str
    edits: list[Edit]


MUTATIONS = [
    Mutation("ssh: bastion's group, out", R1, [("remove", "BastionGroupOutSsh")]),
    Mutation("ssh: web's group, in", R1, [("remove", "WebGroupInSsh")]),
    Mutation("ssh: public ACL, in", R1, [("remove", "PublicAclAIn100")]),
    Mutation("ssh: public ACL, out", R1, [("remove", "PublicAclCOut200")]),
    Mutation("ssh: web ACL, in", R1, [("remove", "WebAclAIn200")]),
    Mutation("replies: public ACL, out", R1, [("remove", "PublicAclAOut100")]),
    Mutation("http: web's group, in", R2_PAGE, [("remove", "WebGroupInHttp")]),
    Mutation("http: balancer's group, out", R2_PAGE, [("remove", "AlbGroupOutHttp")]),
    Mutation("http: public ACL, in", R2_PAGE, [("remove", "PublicAclAIn1100")]),
    Mutation("http: replies, web ACL, out", R2_PORTS, [("remove", "WebAclAOut1100")]),
    Mutation("health: balancer's group, out", R2_HEALTH, [("remove", "AlbGroupOutHealth")]),
    Mutation("health: web ACL, in", R2_HEALTH, [("remove", "WebAclAIn5100")]),
    Mutation("health: another port", R2_HEALTH, [("set", "TargetGroup", "HealthCheckPort", "8098")]),
    Mutation("balancing within the zone", R2_ZONES,
             [("set", "TargetGroup", "TargetGroupAttributes.1.Value", "false")]),
    Mutation("ping: web ACL, out", R3_PING, [("remove", "WebAclAOut6100")]),
    Mutation("ping: public ACL, in", R3_PING, [("remove", "PublicAclCIn6200")]),
    Mutation("ping: web's group, out", R3_PING, [("unset", "WebGroup", "SecurityGroupEgress.2")]),
    Mutation("NAT: public ACL, out", R3_NAT, [("remove", "PublicAclAOut2100")]),
    Mutation("S3: web ACL, replies in", R3_S3, [("remove", "WebAclCIn2200")]),
    Mutation("metric: another period", R4, [("set", "CpuPolicy", f"{POLICY}.Period", 60)]),
    Mutation("metric: another dimension", R4,
             [("set", "CpuPolicy", f"{POLICY}.Dimensions.0.Name", "GroupName")]),
    Mutation("CloudWatch's endpoint", R4, [("remove", "MonitoringEndpoint")]),
    Mutation("endpoints: their group, in", R7, [("remove", "EndpointGroupInEndpoint")]),
    Mutation("mysql: database ACL, in", R5, [("remove", "DatabaseAcl{standby}In3100")]),
    Mutation("mysql: database's group, in", R7, [("remove", "DatabaseGroupInMysql")]),
    Mutation("nfs: web's group, out", R7, [("remove", "WebGroupOutNfs")]),
    Mutation("added: any port to the bastions", R7,
             [("set", "BastionGroup", "SecurityGroupIngress.0.ToPort", 65535)]),
    Mutation("added: ssh to the balancer", R7,
             [("set", "AlbGroup", "SecurityGroupIngress.0.FromPort", 22)]),
]


def key(mutation: Mutation) -> str:
    """A word for the command line: "ssh-bastions-group-out"."""
    return re.sub(r"[^a-z0-9]+", "-", mutation.name.lower().replace("'", "")).strip("-")


def chosen(words: list[str]) -> list[Mutation]:
    known = {key(mutation): mutation for mutation in MUTATIONS}
    for word in words:
        if word not in known:
            raise SystemExit(f"lab: no mutation {word}; there are:\n  " + "\n  ".join(known))
    return [known[word] for word in words] or MUTATIONS


def edits(lab: Lab, mutation: Mutation) -> list[list[Any]]:
    """With the zone put in that the database's standby is in now."""
    standby = lab.database()["standby"]
    zone = next(s["zone"] for s in lab.facts()["subnets"].values()
                if s["cidr"].rsplit(".", 1)[0] == standby.rsplit(".", 1)[0])[-1].upper()
    return [[word.replace("{standby}", zone) if isinstance(word, str) else word for word in edit]
            for edit in mutation.edits]


def red(lab: Lab, test: str) -> tuple[bool, str]:
    """Whether the test fails, and what it says."""
    os.environ["WNA_LAB_PATIENCE"] = "8"
    try:
        done = pytest(lab, "-x", "-q", "--no-header", str(HERE / test), quiet=True)
    finally:
        del os.environ["WNA_LAB_PATIENCE"]
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{test}: pytest ended with {done.returncode}:\n{done.stdout}")
    said = re.findall(r"^E\s+(.+)$", done.stdout, re.M)
    return done.returncode == 1, said[0][:90] if said else ""


def run(lab: Lab, words: list[str]) -> int:
    wanted = chosen(words)
    rows, missed = [["what was changed", "test", "", "s", "what it said"]], 0
    lab.ask("suspend", process="ReplaceUnhealthy")
    lab.ask("suspend", process="AlarmNotification")
    try:
        for test in dict.fromkeys(mutation.test for mutation in wanted):
            if red(lab, test)[0]:
                print(f"lab: {test} fails before anything was changed; mutate says nothing")
                return 1
        for mutation in wanted:
            began = time.monotonic()
            lab.ask("update", edits=edits(lab, mutation))
            try:
                noticed, said = red(lab, mutation.test)
            finally:
                lab.ask("update", edits=[])
                lab.ask("wait_standby", timeout=90)
            missed += not noticed
            rows.append([mutation.name, mutation.test[5:].split(".")[0],
                         "red" if noticed else "NOT NOTICED", f"{time.monotonic() - began:.0f}", said])
            print(f"lab: {rows[-1][2]:11} {mutation.name}", flush=True)
            lab.wait_healthy(len(lab.in_service()), 60)
    finally:
        lab.ask("update", edits=[])
        lab.ask("resume", process="ReplaceUnhealthy")
        lab.ask("resume", process="AlarmNotification")
    print("\n" + table(rows))
    print(f"{len(wanted) - missed} passed, {missed} failed")
    return 1 if missed else 0
