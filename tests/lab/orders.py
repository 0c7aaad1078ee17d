"""What commands and tests may ask of the running lab (client.Lab has the other half)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parts.wait import wait_until

from .internet import ELSEWHERE, REPOSITORY
from .services import letter

if TYPE_CHECKING:
    from .world import World

STAND_INS = """What is what
  network     real packets, routes, nftables; namespaces in place of AWS's mapping service
  resolver    real: BIND
  balancer    real: HAProxy in each node's network; who gets requests is played as the ALB does
  database    real: two MariaDB servers, semi-synchronous; RDS's failover is played
  files       {files}
  CloudWatch, Auto Scaling, Secrets Manager   moto, signatures and policies verified; the
              alarms, target tracking and life cycles are the lab's own, as AWS documents them
  metadata    a stand-in, by IMDSv2's rules, known by its link
  instances   real httpd, php-fpm, sshd and the installed agent; cloud-init, dnf and systemd are
              stand-ins that do what user-data.yaml asks of them"""


class Orders:
    def __init__(self, world: "World") -> None:
        self.world = world

    def do(self, order: dict[str, Any]) -> Any:
        arguments = {k: v for k, v in order.items() if k != "op"}
        method = getattr(self, "on_" + order["op"], None)
        if method is None:
            raise LookupError("no such order")
        return method(**arguments)

    # what there is

    def on_hosts(self) -> dict[str, Any]:
        world = self.world
        found: dict[str, Any] = {}

        def add(host: Any, kind: str, zone: str = "", public: str | None = None,
                cgroups: list[str] | None = None) -> None:
            found[host.name] = {"pid": host.pid, "address": host.address, "kind": kind,
                                "zone": zone, "public": public, "cgroups": cgroups or []}
        for host in (world.internet.admin, world.internet.client, world.internet.stranger):
            add(host, "internet")
        for bastion in world.bastions:
            add(bastion.host, "bastion", bastion.zone, bastion.eni.public)
        for machine in world.machines.all():
            add(machine.host, "web", machine.zone, None, machine.cgroups())
        for host in world.services.hosts:
            spot = world.services.spots.get(host.name)
            kind = host.name.split("-")[0]
            zone = world.model.subnets[spot.subnet].zone if spot else ""
            add(host, {"db": "database"}.get(kind, kind), zone, spot.public if spot else None)
            if spot:
                found[host.name]["address"] = spot.address
        add(world.resolver.host, "resolver")
        return found

    def on_facts(self) -> dict[str, Any]:
        world, model = self.world, self.world.model
        services = world.services
        zone_of = {name: subnet.zone for name, subnet in model.subnets.items()}
        return {
            "alb_name": model.alb.dns_name,
            "alb_addresses": [eni.public for name, eni in services.spots.items()
                              if name.startswith("alb-")],
            "min_size": model.group.min,
            "health_interval": model.target_group.interval,
            "health_timeout": model.target_group.timeout,
            "database_endpoint": model.database.endpoint,
            "efs_name": services.efs.name,
            "mount_targets": {zone_of[t.subnet]: t.address for t in model.mount_targets},
            "subnets": {name: {"cidr": s.cidr, "zone": s.zone}
                        for name, s in model.subnets.items()},
            "nat_public": {zone_of[eni.subnet]: eni.public for eni in world.fabric.nats.values()},
            "elsewhere_url": f"https://{ELSEWHERE}/",
            "repository_url": world.given["RepositoryUrl"] + "/",
            "repository_addresses": list(REPOSITORY),
            "stand_ins": STAND_INS.format(files=services.efs.label),
        }

    def on_spots(self) -> dict[str, Any]:
        """Every address of the system somebody could knock at."""
        world = self.world
        found: dict[str, Any] = {}

        def add(name: str, kind: str, address: str, *, zone: str = "", public: str | None = None,
                host: str = "", namespace: str = "") -> None:
            found[name] = {"kind": kind, "zone": zone, "address": address, "public": public,
                           "host": host, "namespace": namespace}
        for name, info in self.on_hosts().items():
            if info["kind"] in ("internet", "bastion", "web", "alb", "database"):
                add(name, info["kind"], info["address"], zone=info["zone"],
                    public=info["public"] or (info["address"] if info["kind"] == "internet" else None),
                    host=name)
        for name, spot in world.services.spots.items():
            if name not in found:
                kind = "mount-target" if name.startswith("efs-") else "endpoint"
                add(name, kind, spot.address, zone=world.model.subnets[spot.subnet].zone,
                    namespace=spot.holder.path)
        for name, eni in world.fabric.nats.items():
            zone = world.model.subnets[eni.subnet].zone
            add(f"nat-{letter(zone)}", "nat", eni.address, zone=zone, public=eni.public)
        for name, address, store in (("repository", REPOSITORY[0], world.internet.repo),
                                     ("elsewhere", ELSEWHERE, world.internet.elsewhere)):
            add(name, "internet", address, namespace=store.netns.path)
        return found

    def on_instances(self) -> list[dict[str, Any]]:
        return [{**instance, "host": self.world.machines.name(instance["id"])}
                for instance in self.world.controller.instances()]

    def on_targets(self) -> dict[str, Any]:
        return {found["Target"]["Id"]: {
            "state": found["TargetHealth"]["State"],
            "reason": found["TargetHealth"].get("Reason", ""),
            "description": found["TargetHealth"].get("Description", "")}
            for found in self.world.services.alb.describe()}

    def on_activities(self) -> list[dict[str, Any]]:
        return self.world.controller.activities()

    def on_alarms(self) -> dict[str, Any]:
        return self.world.controller.alarms()

    def on_database(self) -> dict[str, Any]:
        pair = self.world.services.pair
        why = pair.why_not_redundant()
        return {"writer": pair.writer.address, "standby": pair.standby.address,
                "semi_sync": "OFF: " + why if why else "ON",
                "extra_transactions": " ".join(pair.divergence()),
                "events": [str(event) for event in pair.events]}

    def on_rows(self) -> list[str]:
        """The names in the page's table, by the writer's own word."""
        pair = self.world.services.pair
        return self.on_sql(f"SELECT name FROM {pair.database}.practice;")

    # what may be done

    def on_failover(self, how: str = "reboot-with-failover", down_s: float = 0.0
                    ) -> dict[str, Any]:
        pair = self.world.services.pair
        old = pair.writer.address
        done = pair.failover(how, down_s)
        return {"from": old, "to": done.to_address, "seconds": done.writable_s,
                "redundant": done.redundant_s}

    def on_wait_standby(self) -> dict[str, Any]:
        wait_until(lambda: not self.world.services.pair.why_not_redundant(),
                   "the pair is redundant", 60)
        return self.on_database()

    def on_sql(self, text: str) -> list[str]:
        """As the writer's root, which nobody has at RDS."""
        found: str = self.world.services.pair.writer.script(text)
        return found.splitlines()

    def on_metadata(self, host: str, order: dict[str, Any]) -> Any:
        machine = next(m for m in self.world.machines.all() if m.host.name == host)
        return self.world.metadata.order(machine.eni, **order)

    def on_rotate(self) -> dict[str, Any]:
        """The managed secret's new version, and the master user's new password."""
        return self.world.services.rotate()

    def on_update(self, edits: list[list[Any]]) -> dict[str, Any]:
        self.world.update(edits)
        return {}

    def on_enforce(self, on: bool) -> dict[str, Any]:
        self.world.fabric.enforce(on)
        if on:
            self.world.fabric.forget()
        return {}

    def on_capacity(self, desired: int) -> dict[str, Any]:
        self.world.controller.set_desired(desired)
        return {}

    def on_repository(self, available: bool) -> dict[str, Any]:
        """Amazon S3 in the region answers 503 ("Slow Down"), or files."""
        self.world.internet.repo.unavailable = not available
        return {}

    def on_suspend(self, process: str) -> dict[str, Any]:
        self.world.controller.suspend(process)
        return {}

    def on_resume(self, process: str) -> dict[str, Any]:
        self.world.controller.resume(process)
        return {}

    def _host(self, name: str) -> Any:
        world = self.world
        hosts = [*world.services.hosts, *(b.host for b in world.bastions),
                 *(m.host for m in world.machines.all())]
        return next(host for host in hosts if host.name == name)

    def on_cut(self, host: str, rule: str = "") -> dict[str, Any]:
        self._host(host).cut(rule)
        return {}

    def on_mend(self, host: str) -> dict[str, Any]:
        self._host(host).mend()
        return {}

    def on_push(self, host: str, on: bool) -> dict[str, Any]:
        """Whether an instance's packets to the services' endpoints leave it."""
        if on:
            self._host(host).mend()
        else:
            self._host(host).cut("tcp dport 443")
        return {}
