"""tests/lab/run mutate: applies one fault after another to the template of the running lab, as a
stack update does; the test that the fault names must then fail. After each fault the template is
restored. A fault that no test detects shows a gap in the tests."""
from __future__ import annotations

import os
import re
import tempfile
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from typing import Any

from lab.model.updating import Edit
from .client import Lab
from .proving import PROOF, pytest
from .table import table

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
R7_GROUPS = "test_r7_minimal.py::test_the_groups_alone_allow_that_and_nothing_else"
R7_ACLS = "test_r7_minimal.py::test_the_acls_alone_allow_what_they_must_and_nothing_else"
POLICY = "TargetTrackingConfiguration.CustomizedMetricSpecification"
CROSS_ZONE = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
PING = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIp": "0.0.0.0/0",
        "Description": "ping"}


def row(acl: str, cidr: dict[str, str], port: int, egress: bool = False) -> Edit:
    """Adds a row to an ACL."""
    return ["add", f"{acl}Added", "AWS::EC2::NetworkAclEntry", {
        "NetworkAclId": {"Ref": acl}, "RuleNumber": 7100, "Protocol": 6, "RuleAction": "allow",
        "CidrBlock": cidr, "PortRange": {"From": port, "To": port}, "Egress": egress}]


@dataclass
class Mutation:
    """`edits`: for updating.apply(). {standby} and {writer} are replaced by the zone letters of
    the database's servers."""
    name: str
    test: str
    edits: list[Edit]

    def in_zones(self, standby: str, writer: str) -> list[Edit]:
        def put(word: Any) -> Any:
            if isinstance(word, dict):
                return {key: put(value) for key, value in word.items()}
            if isinstance(word, str):
                return word.replace("{standby}", standby).replace("{writer}", writer)
            return word
        return [[put(word) for word in edit] for edit in self.edits]


MUTATIONS = [
    Mutation("ssh: bastion's group, out", R1, [["remove", "BastionGroupOutSsh"]]),
    Mutation("ssh: web's group, in", R1, [["remove", "WebGroupInSsh"]]),
    Mutation("ssh: public ACL, in", R1, [["remove", "PublicAclAIn100"]]),
    Mutation("ssh: public ACL, out", R1, [["remove", "PublicAclCOut200"]]),
    Mutation("ssh: web ACL, in", R1, [["remove", "WebAclAIn200"]]),
    Mutation("replies: public ACL, out", R2_PAGE, [["remove", "PublicAclAOut1100"]]),
    Mutation("http: web's group, in", R2_PAGE, [["remove", "WebGroupInHttp"]]),
    Mutation("http: balancer's group, out", R2_PAGE, [["remove", "AlbGroupOutHttp"]]),
    Mutation("http: public ACL, in", R2_PAGE, [["remove", "PublicAclAIn1100"]]),
    Mutation("http: replies, web ACL, out", R2_PORTS, [["remove", "WebAclAOut1100"]]),
    Mutation("health: balancer's group, out", R2_HEALTH, [["remove", "AlbGroupOutHealth"]]),
    Mutation("health: web ACL, in", R2_HEALTH, [["remove", "WebAclAIn5100"]]),
    Mutation("health: another port", R2_HEALTH,
             [["change", "TargetGroup", "HealthCheckPort", {"Ref": "HealthCheckPort"}, "8098"]]),
    Mutation("balancing within the zone", R2_ZONES,
             [["change", "TargetGroup", "TargetGroupAttributes.1", CROSS_ZONE,
               {**CROSS_ZONE, "Value": "false"}]]),
    Mutation("ping: web ACL, out", R3_PING, [["remove", "WebAclAOut6100"]]),
    Mutation("ping: public ACL, in", R3_PING, [["remove", "PublicAclCIn6200"]]),
    Mutation("ping: web's group, out", R3_PING,
             [["drop", "WebGroup", "SecurityGroupEgress.1", PING]]),
    Mutation("NAT: public ACL, out", R3_NAT, [["remove", "PublicAclAOut2100"]]),
    Mutation("S3: web ACL, replies in", R3_S3, [["remove", "WebAclCIn2200"]]),
    Mutation("metric: another period", R4,
             [["change", "CpuPolicy", f"{POLICY}.Period", {"Ref": "CpuPeriod"}, 60]]),
    Mutation("metric: another dimension", R4,
             [["change", "CpuPolicy", f"{POLICY}.Dimensions.0.Name", "AutoScalingGroupName",
               "GroupName"]]),
    Mutation("CloudWatch's endpoint", R4, [["remove", "MonitoringEndpoint"]]),
    Mutation("endpoints: their group, in", R7, [["remove", "EndpointGroupInEndpoint"]]),
    Mutation("mysql: database ACL, in", R5, [["remove", "DatabaseAcl{standby}In3100"]]),
    Mutation("mysql: database's group, in", R7, [["remove", "DatabaseGroupInMysql"]]),
    Mutation("mysql: database's ACL, out", R7, [["remove", "DatabaseAcl{writer}Out3100"]]),
    Mutation("mysql: standby's ACL, out", R5, [["remove", "DatabaseAcl{standby}Out3200"]]),
    Mutation("nfs: web's group, out", R7, [["remove", "WebGroupOutNfs"]]),
    Mutation("nfs: mount target's group, in", R7, [["remove", "MountTargetGroupInNfs"]]),
    Mutation("added: any port to the bastions", R7,
             [["change", "BastionGroup", "SecurityGroupIngress.0.ToPort", 22, 65535]]),
    Mutation("added: ssh to the balancer", R7,
             [["change", "AlbGroup", "SecurityGroupIngress.0.FromPort", 80, 22]]),
    # Each layer alone: the other layer would still deny.
    Mutation("added: a row of the web's ACL", R7_ACLS,
             [row("WebAclA", {"Ref": "PublicACidr"}, 8080)]),
    Mutation("added: rows from web to database", R7_ACLS,
             [row("WebAcl{writer}", {"Ref": "Database{writer}Cidr"}, 25, egress=True),
              row("DatabaseAcl{writer}", {"Ref": "Web{writer}Cidr"}, 25)]),
    Mutation("added: ports from balancer to web", R7_GROUPS,
             [["change", "AlbGroupOutHttp", "ToPort", 80, 111],
              ["change", "WebGroupInHttp", "ToPort", 80, 111]]),
]


def key(mutation: Mutation) -> str:
    """A name for the command line: "ssh-bastions-group-out"."""
    return re.sub(r"[^a-z0-9]+", "-", mutation.name.lower().replace("'", "")).strip("-")


def chosen(words: list[str]) -> list[Mutation]:
    known = {key(mutation): mutation for mutation in MUTATIONS}
    for word in words:
        if word not in known:
            raise SystemExit(f"lab: no mutation {word}; there are:\n  " + "\n  ".join(known))
    return [known[word] for word in words] or MUTATIONS


def edits(lab: Lab, mutation: Mutation) -> list[Edit]:
    """The edits with the current zones of the database's servers."""
    now = lab.database()
    standby, writer = (lab.zone_of(now[who])[-1].upper() for who in ("standby", "writer"))
    return mutation.in_zones(standby, writer)


class NotTried(RuntimeError):
    """The test had no verdict of its own."""


def red(lab: Lab, test: str, changed: list[Edit]) -> tuple[bool, str]:
    """Whether the test itself failed, and its message. A failed fixture or an unreadable test is
    not a verdict."""
    with tempfile.TemporaryDirectory() as folder:
        results = os.path.join(folder, "results.xml")
        done = pytest(lab, "-x", "-q", "--no-header", f"--junitxml={results}", str(PROOF / test),
                      quiet=True, changed=changed)
        if done.returncode not in (0, 1) or not os.path.exists(results):
            raise NotTried(f"{test}: pytest ended with {done.returncode}:\n{done.stdout}")
        cases = list(xml.parse(results).getroot().iter("testcase"))
    return verdict(test, cases, done.stdout)


def verdict(test: str, cases: list[xml.Element], output: str) -> tuple[bool, str]:
    """JUnit: "failure" is of the test itself, "error" of its fixtures."""
    wanted = test.partition("::")[2]
    own = [case for case in cases if case.get("name", "").split("[")[0] == wanted]
    if not own or any(case.find(kind) is not None for case in cases
                      for kind in ("error", "skipped")):
        raise NotTried(f"{test}: has no verdict:\n{output}")
    failed = any(case.find("failure") is not None for case in own)
    said = re.findall(r"^E\s+(.+)$", output, re.M)
    return failed, said[0][:90] if failed and said else ""


def failing(lab: Lab, tests: list[str]) -> str:
    """The first test that fails on the unchanged lab; "" if none does."""
    done = pytest(lab, "-x", "-q", "--no-header", *(str(PROOF / test) for test in tests),
                  quiet=True, changed=[])
    if done.returncode == 0:
        return ""
    print(done.stdout)
    said = re.findall(r"^(?:FAILED|ERROR) (.+)$", done.stdout, re.M)
    return said[0] if said else f"pytest's exit status {done.returncode}"


def tried(lab: Lab, mutation: Mutation) -> tuple[str, str]:
    """The mutation's verdict and the test's message; restores the template."""
    changed = edits(lab, mutation)
    try:
        lab.ask("update", edits=changed)
        failed, said = red(lab, mutation.test, changed)
        return ("red" if failed else "NOT NOTICED"), said
    except (NotTried, RuntimeError) as error:
        print(f"lab: {mutation.name}: {error}", flush=True)
        return "NOT TRIED", str(error).split("\n")[0]
    finally:
        lab.ask("update", edits=[])
        lab.ask("wait_standby", timeout=90)
        lab.wait_healthy(len(lab.in_service()), 60)


def run(lab: Lab, words: list[str]) -> int:
    wanted = chosen(words)
    rows, seen = [["mutation", "test", "", "s", "message"]], 0
    lab.ask("suspend", process="ReplaceUnhealthy")
    lab.ask("suspend", process="AlarmNotification")
    try:
        fails = failing(lab, list(dict.fromkeys(mutation.test for mutation in wanted)))
        if fails:
            print(f"lab: this test fails on the unchanged lab: {fails}; mutate has no result")
            return 1
        lab.ask("wait_standby", timeout=90)  # the state before each mutation
        for mutation in wanted:
            began = time.monotonic()
            found, said = tried(lab, mutation)
            seen += found == "red"
            rows.append([mutation.name, mutation.test[5:].split(".")[0], found,
                         f"{time.monotonic() - began:.0f}", said])
            print(f"lab: {found:11} {mutation.name}", flush=True)
    finally:
        lab.ask("restore")
        print("\n" + table(rows))
        print(f"{seen} passed, {len(wanted) - seen} failed or not tried")
    return 0 if seen == len(wanted) else 1
