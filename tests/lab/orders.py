"""The orders that commands and tests can give to the running lab (the client side is
client.Lab)."""
from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from parts.wait import wait_until

from .instance.image import BASE
from .network.internet import ELSEWHERE, REPOSITORY
from .network.netns import path_of
from .services import letter
from .trouble import one_line

if TYPE_CHECKING:
    from .world import World

# The table that userdata/database/schema.php makes in the stack's database.
TABLE = "practice"
SERVICES = "tcp dport 443"  # packets from an instance to the services' endpoints

STAND_INS = """What is what
  network     real packets, routes, nftables; namespaces in place of AWS's mapping service
  resolver    real: BIND
  balancer    real: HAProxy in each node's network; who gets requests is played as the ALB does
  database    real: two MariaDB servers, semi-synchronous; RDS's failover is played
  files       {files}
  CloudWatch, Auto Scaling, Secrets Manager   moto, signatures and policies verified; the
              alarms, target tracking and lifecycles are the lab's own, as AWS documents them
  metadata    a stand-in, by IMDSv2's rules, known by its link
  instances   real systemd, cloud-init, dnf, httpd, php-fpm, sshd and the installed agent, in
              containers of Debian's
  /proc/stat  real: lxcfs, against the group's quota"""


class Orders:
    """A temporary change is recorded, and undone by its opposite or by "restore", which the caller
    must run at the end, also after an error."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._lock = threading.Lock()
        self._undo: dict[str, Callable[[], object]] = {}  # thing → its undo function

    def do(self, order: dict[str, Any]) -> Any:
        arguments = {k: v for k, v in order.items() if k != "op"}
        method = getattr(self, "on_" + order["op"], None)
        if method is None:
            raise LookupError("no such order")
        return method(**arguments)

    def _changes(self, what: str, undo: Callable[[], object]) -> None:
        """Records the change before it is made: a partial change can be undone, too."""
        with self._lock:
            self._undo.setdefault(what, undo)

    def _as_before(self, what: str) -> None:
        with self._lock:
            self._undo.pop(what, None)

    def on_restore(self) -> list[str]:
        """Undoes all recorded changes and returns their names. All are tried; failures are
        reported at the end."""
        with self._lock:
            undo, self._undo = dict(reversed(self._undo.items())), {}
        failed = []
        for what, back in undo.items():
            try:
                back()
            except Exception as error:
                failed.append(f"{what}: {one_line(error)}")
                self._changes(what, back)
        if failed:
            raise RuntimeError("not restored: " + "; ".join(failed))
        return list(undo)

    # queries

    def on_hosts(self) -> dict[str, Any]:
        world = self.world
        found: dict[str, Any] = {}

        def add(host: Any, kind: str, zone: str = "", public: str | None = None) -> None:
            found[host.name] = {"pid": host.pid, "enter": host.enter(), "address": host.address,
                                "kind": kind, "zone": zone, "public": public}
        for host in (world.internet.admin, world.internet.client, world.internet.stranger):
            add(host, "internet")
        for bastion in world.bastions:
            add(bastion.host, "bastion", bastion.zone, bastion.eni.public)
        for machine in world.machines.all():
            if machine.host.runs():
                add(machine.host, "web", machine.zone)
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
            "group": model.group.id,
            "launch_template": model.launch.id,
            "role": model.roles[model.launch.role].statements,
            "min_size": model.group.min,
            "health_port": model.target_group.health_port,
            "health_path": model.target_group.health_path,
            "health_interval": model.target_group.interval,
            "health_timeout": model.target_group.timeout,
            "database_endpoint": model.database.endpoint,
            "database_table": f"{model.database.database_name}.{TABLE}",
            "efs_name": services.efs.name,
            "mount_targets": {zone_of[t.subnet]: t.address for t in model.mount_targets},
            "subnets": {name: {"cidr": s.cidr, "zone": s.zone}
                        for name, s in model.subnets.items()},
            "nat_public": {zone_of[eni.subnet]: eni.public for eni in world.fabric.nats.values()},
            "elsewhere_url": f"https://{ELSEWHERE}/",
            "repository_url": world.given["RepositoryUrl"] + "/",
            "repository_addresses": list(REPOSITORY),
            "signals": {"wanted": model.signals, "got": world.internet.repo.put},
            "stand_ins": STAND_INS.format(files=services.efs.label),
            "troubles": world.troubles.all(),
        }

    def on_spots(self) -> dict[str, Any]:
        """Every address of the system that can be probed."""
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
                    namespace=path_of(spot.holder))
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
        """As DescribeTargetHealth; "nodes": each node's opinion ("state") and routing ("routed"),
        by the name of its host."""
        alb = self.world.services.alb
        return {found["Target"]["Id"]: {
            "state": found["TargetHealth"]["State"],
            "reason": found["TargetHealth"].get("Reason", ""),
            "description": found["TargetHealth"].get("Description", ""),
            "nodes": alb.by_node(found["Target"]["Id"])}
            for found in alb.describe()}

    def on_activities(self) -> list[dict[str, Any]]:
        return self.world.controller.activities()

    def on_alarms(self) -> dict[str, Any]:
        return self.world.controller.alarms()

    def on_database(self) -> dict[str, Any]:
        pair, own = self.world.services.pair, []
        try:
            why = pair.why_not_redundant()
            own = pair.divergence()
        except (RuntimeError, OSError, subprocess.SubprocessError):
            why = "a server does not answer"  # during a failover
        return {"writer": pair.writer.address, "standby": pair.standby.address,
                "semi_sync": "OFF: " + why if why else "ON",
                "extra_transactions": " ".join(own),
                "events": [str(event) for event in pair.events]}

    def on_rows(self) -> list[str]:
        """The names in the page's table, read from the writer."""
        pair = self.world.services.pair
        return self.on_sql(f"SELECT name FROM {pair.database}.{TABLE};")

    # changes

    def on_aws(self, service: str, call: str, arguments: dict[str, Any]) -> Any:
        """A call of AWS's API, by the admin; times in the answer are texts."""
        aws = self.world.services.aws
        with aws.host.net():
            found = getattr(aws.client(service), call)(**arguments)
        return json.loads(json.dumps(found, default=str))

    def on_failover(self, down_s: float = 0.0) -> dict[str, Any]:
        """`repaired`: a failure during the failover that was repaired. A failed failover is an
        error that names the writer."""
        done = self.world.services.pair.failover(down_s)
        return {"from": done.from_address, "to": done.to_address, "seconds": done.writable_s,
                "redundant": done.redundant_s, "repaired": done.repaired}

    def on_wait_standby(self) -> dict[str, Any]:
        wait_until(lambda: not self.world.services.pair.why_not_redundant(),
                   "the pair is redundant", 60)
        return self.on_database()

    def on_sql(self, text: str) -> list[str]:
        """As root of the writer; RDS gives this account to nobody."""
        found: str = self.world.services.pair.writer.script(text)
        return found.splitlines()

    def on_metadata(self, host: str, order: dict[str, Any]) -> Any:
        """Faults or another hop limit: imds_server.State.do()."""
        machine = one("instance", host, {m.host.name: m for m in self.world.machines.all()})
        metadata, eni = self.world.metadata, machine.eni

        def back() -> None:
            if machine.eni:  # the machine may have ended
                metadata.order(eni, op="clear")
                metadata.order(eni, op="hops", value=machine.model.launch.hop_limit)
                metadata.order(eni, op="enable", value=True)
        if order.get("op") in ("fault", "hops", "enable"):
            self._changes(f"metadata of {host}", back)
        return metadata.order(eni, **order)

    def on_rotate(self) -> dict[str, Any]:
        """Makes a new version of the managed secret, with a new password of the master user."""
        return self.world.services.rotate()

    def on_update(self, edits: list[list[Any]]) -> dict[str, Any]:
        """Applies the template with these edits; without edits, the template of the file."""
        if edits:
            self._changes("template", lambda: self.world.update([]))
        self.world.update(edits)
        if not edits:
            self._as_before("template")
        return {}

    def on_enforce(self, on: bool) -> dict[str, Any]:
        if not on:
            self._changes("rules off", lambda: self.on_enforce(True))
        self.world.fabric.enforce(on)
        if on:
            self.world.fabric.forget()
            self._as_before("rules off")
        return {}

    def on_capacity(self, desired: int) -> dict[str, Any]:
        usual = self.world.model.group.desired
        if desired != usual:
            self._changes("capacity", lambda: self.on_capacity(usual))
        self.world.controller.set_desired(desired)
        if desired == usual:
            self._as_before("capacity")
        return {}

    def on_repository(self, available: bool) -> dict[str, Any]:
        """Makes Amazon S3 in the region answer 503 ("Slow Down"), or files again."""
        if available:
            self._as_before("repository")
        else:
            self._changes("repository", lambda: self.on_repository(True))
        self.world.internet.repo.unavailable = not available
        return {}

    def on_image(self, folder: str = "") -> dict[str, Any]:
        """Instances that are launched from now on have this image; "" for the lab's."""
        if folder:
            self._changes("image", self.on_image)
        self.world.machines.image(Path(folder) if folder else self.world.build / BASE)
        if not folder:
            self._as_before("image")
        return {}

    def on_asked(self, since: float) -> list[str]:
        """The paths that were asked of Amazon S3 since then (Unix time); without signals."""
        store = self.world.internet.repo
        signals = {signal["path"] for signal in store.put}
        return [path for when, path, _ in list(store.asked) if when >= since and path not in signals]

    def on_credits(self, host: str, on: bool) -> dict[str, Any]:
        """Gives an instance a whole processor (CPU credits of a T instance), or its share."""
        machine = one("instance", host, {m.host.name: m for m in self.world.machines.all()})
        if on:
            self._changes(f"credits of {host}", lambda: machine.use_credits(False))
        machine.use_credits(on)
        if not on:
            self._as_before(f"credits of {host}")
        return {}

    def on_next_version(self, offered: bool) -> dict[str, Any]:
        """Publishes the next version of the package in the repository, or restores the
        repository."""
        world = self.world
        first, after = world.folder / "repository", world.folder / "repository-next"
        if offered:
            self._changes("next version", lambda: self.on_next_version(False))
            shutil.copytree(first, after, dirs_exist_ok=True)
            shutil.copytree(world.packages.with_name("next"), after, dirs_exist_ok=True)
        world.internet.repo.folder = after if offered else first
        if not offered:
            self._as_before("next version")
        return {}

    def on_suspend(self, process: str) -> dict[str, Any]:
        self._changes(f"process {process}", lambda: self.world.controller.resume(process))
        self.world.controller.suspend(process)
        return {}

    def on_resume(self, process: str) -> dict[str, Any]:
        self.world.controller.resume(process)
        self._as_before(f"process {process}")
        return {}

    def _host(self, name: str) -> Any:
        world = self.world
        hosts = [*world.services.hosts, *(b.host for b in world.bastions),
                 *(m.host for m in world.machines.all())]
        return one("host", name, {host.name: host for host in hosts})

    def on_cut(self, host: str, rule: str = "") -> dict[str, Any]:
        """Drops packets of a host: all, or those of an nftables match."""
        found = self._host(host)

        def back() -> None:
            if host in self.on_hosts():  # the host may have ended
                found.mend()
        self._changes(f"packets of {host}", back)
        found.cut(rule)
        return {}

    def on_mend(self, host: str) -> dict[str, Any]:
        self._host(host).mend()
        self._as_before(f"packets of {host}")
        return {}

    def on_push(self, host: str, on: bool) -> dict[str, Any]:
        """Allows or drops an instance's packets to the services' endpoints."""
        return self.on_mend(host) if on else self.on_cut(host, SERVICES)


def one(kind: str, name: str, of: dict[str, Any]) -> Any:
    if name not in of:
        raise LookupError(f"no {kind} {name}; there are {' '.join(sorted(of))}")
    return of[name]
