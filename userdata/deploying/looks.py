"""Looks before anything is made: each problem is one line with its remedy."""
from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple

from .aws import AwsError, Deployment

QUOTA = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances, in vCPUs
STANDARD = re.compile(r"^[acdhimrtz]\d?[a-z0-9-]*\.")
FREE_TYPES = {"InstanceType": "t3.small", "BastionInstanceType": "t3.micro"}
SLOTS = ("S3CidrA", "S3CidrB", "S3CidrC", "S3CidrD")


class Problem(NamedTuple):
    text: str
    remedy: str
    settings: dict[str, str] = {}

    def line(self) -> str:
        options = " ".join(f"--set {name}={value}" for name, value in self.settings.items())
        return f"{self.text}. {self.remedy}{' ' if self.remedy and options else ''}{options}"


class Looks:
    """`values`: the parameters that the stack would have."""

    def __init__(self, deployment: Deployment, values: dict[str, str]) -> None:
        self.aws = deployment.aws
        self.stack = deployment.stack
        self.values = values
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def all(self) -> None:
        for look in (self.plan, self.quota, self.zones, self.engine, self.s3):
            try:
                look()
            except AwsError as error:
                # No right, or a command line that is older than the call: the stack may work.
                self.notes.append(f"not checked: {(look.__doc__ or '').rstrip('.')}: {error}")

    def _settle(self, name: str, value: str) -> dict[str, str]:
        return {name: value} if name in self.values else {}

    def plan(self) -> None:
        """the account's plan."""
        state = self.aws.read("freetier", "get-account-plan-state")
        if state.get("accountPlanType") != "FREE":
            return
        upgrade = "Upgrade the account to the paid plan"
        if state.get("accountPlanStatus") == "EXPIRED":
            self.problems.append(Problem("the account's free plan has expired", upgrade))
        for name, fits in FREE_TYPES.items():
            wanted = self.values[name]
            types = self.aws.read("ec2", "describe-instance-types", "--instance-types", wanted)
            if not all(one.get("FreeTierEligible") for one in types["InstanceTypes"]):
                self.problems.append(Problem(f"the free plan refuses {name} {wanted}", "Add:",
                                             {name: fits}))
        if self.values["DatabaseInstanceClass"] not in ("db.t3.micro", "db.t4g.micro"):
            self.problems.append(Problem(
                f"the free plan refuses DatabaseInstanceClass {self.values['DatabaseInstanceClass']}",
                "Add:", {"DatabaseInstanceClass": "db.t4g.micro"}))
        for name, fits, what in (("BackupRetentionDays", "1", "more than 1 day of backups"),
                                 ("MultiAZ", "false", "a Multi-AZ database")):
            settings = self._settle(name, fits)
            kept = self.values.get(name)
            if kept is None or (kept not in ("0", "1") if name == "BackupRetentionDays" else kept == "true"):
                self.problems.append(Problem(f"the free plan refuses {what}",
                                             "Add:" if settings else upgrade, settings))

    def quota(self) -> None:
        """the vCPU quota."""
        wanted = {self.values["InstanceType"], self.values["BastionInstanceType"]}
        types = self.aws.read("ec2", "describe-instance-types", "--instance-types", *sorted(wanted))
        vcpus = {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in types["InstanceTypes"]}

        def count(name: str) -> int:
            return vcpus.get(name, 0) if STANDARD.match(name) else 0

        bastions = 2 * count(self.values["BastionInstanceType"])
        server = count(self.values["InstanceType"])
        need = bastions + int(self.values["MaxSize"]) * server
        used = 0
        running = self.aws.read("ec2", "describe-instances", "--filters",
                                "Name=instance-state-name,Values=pending,running")
        for reservation in running["Reservations"]:
            for one in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
                own = tags.get("aws:cloudformation:stack-name") == self.stack
                if own or one.get("InstanceLifecycle") or not STANDARD.match(one["InstanceType"]):
                    continue
                cpu = one.get("CpuOptions", {})
                used += cpu.get("CoreCount", 1) * cpu.get("ThreadsPerCore", 2)
        answer = self.aws.read("service-quotas", "get-service-quota", "--service-code", "ec2",
                               "--quota-code", QUOTA)
        quota = int(answer["Quota"]["Value"])
        if need + used <= quota:
            return
        least = int(self.values["MinSize"]) + 1
        smaller = (quota - used - bastions) // server if server else 0
        settings = {"MaxSize": str(smaller)} if smaller >= least else {}
        self.problems.append(Problem(
            f"the quota of running instances is {quota} vCPUs; the stack needs {need} at MaxSize "
            f"{self.values['MaxSize']}, and other instances use {used}",
            f"Request more: aws service-quotas request-service-quota-increase --region {self.aws.region} "
            f"--service-code ec2 --quota-code {QUOTA} --desired-value {need + used}"
            + ("; or add:" if settings else ""), settings))

    def zones(self) -> None:
        """the zones that offer the instance types."""
        types = sorted({self.values["InstanceType"], self.values["BastionInstanceType"]})
        offers = self.aws.read("ec2", "describe-instance-type-offerings", "--location-type",
                               "availability-zone", "--filters",
                               "Name=instance-type,Values=" + ",".join(types))
        zones: dict[str, set[str]] = {}
        for one in offers["InstanceTypeOfferings"]:
            zones.setdefault(one["Location"], set()).add(one["InstanceType"])
        good = sorted(zone for zone, there in zones.items() if there == set(types))
        bad = [name for name in ("ZoneA", "ZoneC") if self.values[name] not in good]
        if not bad:
            return
        free = [zone for zone in good if zone not in (self.values["ZoneA"], self.values["ZoneC"])]
        fits = len(free) >= len(bad)
        wrong = ", ".join(f"{name} {self.values[name]}" for name in bad)
        self.problems.append(Problem(
            f"{' and '.join(types)} not offered in {wrong}",
            "Add:" if fits else f"Zones that offer them: {', '.join(good) or 'none'}; choose other types",
            dict(zip(bad, free)) if fits else {}))

    def engine(self) -> None:
        """the database's version and class."""
        version, wanted = self.values["DatabaseEngineVersion"], self.values["DatabaseInstanceClass"]
        offers = self.aws.read("rds", "describe-orderable-db-instance-options", "--engine", "mysql",
                               "--engine-version", version, "--db-instance-class", wanted)
        options = offers["OrderableDBInstanceOptions"]
        multi = self.values.get("MultiAZ", "true") == "true"
        if any(one.get("MultiAZCapable") or not multi for one in options):
            return
        if options:
            self.problems.append(Problem(f"{wanted} cannot be Multi-AZ here",
                                         "Choose another class: --set DatabaseInstanceClass=..."))
            return
        versions = self.aws.read("rds", "describe-db-engine-versions", "--engine", "mysql")
        series = version.rpartition(".")[0] + "."
        offered = [one["EngineVersion"] for one in versions["DBEngineVersions"]
                   if one["EngineVersion"].startswith(series)]
        if version in offered or not offered:
            self.problems.append(Problem(f"RDS does not offer MySQL {version} on {wanted} here",
                                         "Choose another class: --set DatabaseInstanceClass=..."))
            return
        newest = max(offered, key=lambda text: [int(part) for part in re.findall(r"\d+", text)])
        self.problems.append(Problem(f"RDS does not offer MySQL {version}", "Add:",
                                     {"DatabaseEngineVersion": newest}))

    def s3(self) -> None:
        """S3's address ranges."""
        name = f"com.amazonaws.{self.aws.region}.s3"
        lists = self.aws.read("ec2", "describe-managed-prefix-lists", "--filters",
                              f"Name=prefix-list-name,Values={name}")["PrefixLists"]
        if not lists:
            self.problems.append(Problem(f"no prefix list {name}", "Is the region right?"))
            return
        settings: dict[str, str] = {}
        known = lists[0]["PrefixListId"]
        if known != self.values["S3PrefixList"]:
            settings["S3PrefixList"] = known
        entries = self.aws.read("ec2", "get-managed-prefix-list-entries", "--prefix-list-id", known)
        there = [one["Cidr"] for one in entries["Entries"] if ":" not in one["Cidr"]]
        have = [ipaddress.ip_network(self.values[slot]) for slot in ("S3Cidr", *SLOTS)]
        missing = [cidr for cidr in there if not _covered(cidr, have)]
        if missing:
            own = [cidr for cidr in there if not _covered(cidr, have[:1])]
            if len(own) > len(SLOTS):
                self.problems.append(Problem(
                    f"S3 has {len(own)} address ranges beside S3Cidr, the template has rows for "
                    f"{len(SLOTS)}", "Add rows from 2600 on to the web ACLs: userdata/README.md, Parameters"))
                return
            full = own + own[-1:] * (len(SLOTS) - len(own))
            settings.update({slot: cidr for slot, cidr in zip(SLOTS, full)
                             if self.values[slot] != cidr})
        if settings:
            what = f"does not have S3's {', '.join(missing)}" if missing else \
                f"has S3PrefixList {self.values['S3PrefixList']}, not the region's"
            self.problems.append(Problem(f"the template {what}", "Add:", settings))


def _covered(cidr: str, by: list[Any]) -> bool:
    network = ipaddress.ip_network(cidr)
    return any(network.subnet_of(one) for one in by)
