"""Whether the stack works: targets, database, page; and what it costs."""
from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .aws import POLL_S, Deployment, Stop, say, warn
from .group import Group
from .stack import Stack

HEALTHY_S = float(os.environ.get("WNA_DEPLOY_HEALTHY_S", "900"))
PAGE_S = 60
ADDRESS = re.compile(r"Private IP Address.*?(\d+\.\d+\.\d+\.\d+)", re.S)


class Result:
    def __init__(self, deployment: Deployment, stack: Stack, values: dict[str, str]) -> None:
        self.d = deployment
        self.aws = deployment.aws
        self.stack = stack
        self.values = values

    # Targets

    def targets(self) -> dict[str, str]:
        """Instance id: state, with the reason of a bad one."""
        arn = self.stack.resource("TargetGroup")
        if not arn:
            return {}
        found = self.aws.read("elbv2", "describe-target-health", "--target-group-arn", arn)
        return {one["Target"]["Id"]: " ".join(filter(None, (
            one["TargetHealth"]["State"], one["TargetHealth"].get("Description", ""))))
            for one in found["TargetHealthDescriptions"]}

    def wait_healthy(self) -> list[str]:
        """The instances' ids."""
        need, end, told = int(self.values["MinSize"]), time.monotonic() + HEALTHY_S, ""
        while True:
            targets = self.targets()
            healthy = sorted(name for name, state in targets.items() if state == "healthy")
            line = f"targets: {len(healthy)} of {need} healthy"
            if line != told:
                say(f"{line}, {self.d.took()}")
                told = line
            if len(healthy) >= need:
                return healthy
            if time.monotonic() > end:
                raise Stop(self._unhealthy(targets))
            time.sleep(POLL_S)

    def _unhealthy(self, targets: dict[str, str]) -> str:
        lines = [f"after {HEALTHY_S / 60:.0f} minutes not all servers are healthy:"]
        lines += [f"  {name}: {state}" for name, state in targets.items()]
        group = Group(self.d, self.stack)
        failed = [one for one in group.activities() if one["StatusCode"] in ("Failed", "Cancelled")]
        lines += [f"  the group: {' '.join(one.get('StatusMessage', one['Description']).split())}"
                  for one in failed[:2]]
        lines += group.words([name for name, state in targets.items() if state != "healthy"][:1])
        lines.append(f"Then: {self.d.again('up')}")
        return "\n".join(lines)

    # Database

    def database(self) -> str:
        name = self.stack.resource("Database")
        if not name:
            return "not made yet"
        found = self.aws.read("rds", "describe-db-instances", "--db-instance-identifier", name)
        one = found["DBInstances"][0]
        if one.get("MultiAZ"):
            return f"Multi-AZ, {one.get('AvailabilityZone', '?')} and {one.get('SecondaryAvailabilityZone', '?')}"
        if self.values.get("MultiAZ", "true") == "true":
            warn(f"the database is in one zone only ({one['AvailabilityZone']}): RDS had no capacity for "
                 f"a standby. Try: aws rds modify-db-instance --region {self.d.region} "
                 f"--db-instance-identifier {name} --multi-az --apply-immediately")
        return f"one zone, {one.get('AvailabilityZone', '?')}"

    # Page

    def page(self, url: str, instances: list[str]) -> str:
        """Fetches the page until each instance has answered."""
        found = self.aws.read("ec2", "describe-instances", "--instance-ids", *instances)
        missing = {one["PrivateIpAddress"] for reservation in found["Reservations"]
                   for one in reservation["Instances"]}
        count, end, why = len(missing), time.monotonic() + PAGE_S, ""
        while missing and time.monotonic() < end:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    shown = ADDRESS.search(answer.read().decode(errors="replace"))
                    missing -= {shown[1]} if shown else set()
            except (OSError, urllib.error.URLError) as error:
                why = f": {error}"
                time.sleep(1)
        if missing:
            raise Stop(f"{url}: no answer of {', '.join(sorted(missing))}{why}. Is ClientCidr "
                       f"({self.values.get('ClientCidr', '0.0.0.0/0')}) your network?")
        return f"answered by {count} servers"

    # All of it

    def tell(self, found: dict[str, Any], instances: list[str]) -> None:
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        url = outputs["Url"]
        if self.values.get("CertificateArn"):
            page = f"{url}: the certificate is for an alias of {outputs.get('AlbName', '')}, make it"
        else:
            page = f"{url}, {self.page(url, instances)}"
        rows = [("page", page), ("database", self.database()),
                ("ssh", outputs.get("SshThroughBastionA", "")), ("key", str(self.d.private_key)),
                ("took", self.d.took())]
        for name, text in rows:
            say(f"{name:9} {text}")
        for line in costs(self.values, self.d.region):
            say(line)
        say(f"Remove it: {self.d.again('down')}")


def costs(values: dict[str, str], region: str) -> list[str]:
    """What runs by the hour, at MinSize; traffic, storage and requests are charged by use."""
    table = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))
    of = region if region in table["hour"] else "us-east-1"
    hour, other = table["hour"][of], "" if of == region else f"; those of {region} are not known here"
    nat, multi = int(values.get("NatGateways", "2")), values.get("MultiAZ", "true") == "true"
    services = 3 if values.get("LifecycleHooks") == "true" else 2
    items = [(nat, "NAT gateway"), (1, "load balancer"),
             (int(values.get("EndpointZones", "2")) * services, "interface endpoint"),
             (nat + 4, "public IPv4 address"), (2, values["BastionInstanceType"]),
             (int(values["MinSize"]), values["InstanceType"]),
             (2 if multi else 1, values["DatabaseInstanceClass"])]
    known = [(n, what) for n, what in items if what in hour]
    day = sum(n * hour[what] for n, what in known) * 24
    lines = [f"costs     about {day:.2f} USD a day by the hour: "
             + ", ".join(f"{n} x {what}" for n, what in known),
             f"          {table['note']} of {of} ({table['date']}){other}; traffic, disks, backups come in addition"]
    unknown = [what for _, what in items if what not in hour]
    return lines + ([f"          not in it, price not known: {', '.join(unknown)}"] if unknown else [])
