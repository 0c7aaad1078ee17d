"""AWS's side of the lab: the services behind the endpoints, the database, the file system and the
load balancer's nodes, on the template's subnets."""
from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

from parts import iam_rds, mariadb
from parts.host import Host
from parts.pki import Authority

from .aws.alb import Alb
from .aws.aws import Aws
from .aws.efs import PORT as NFS, FileSystem
from .aws.rds import Pair
from .aws.rds_server import Server
from .model import own_parameters as parameters
from .model.model import Model
from .model.policy import allows
from .network.fabric import Eni, Fabric
from .network.internet import REPOSITORY, SERVICES, Internet
from .network.resolver import Resolver
from .trouble import Troubles

AWS, EFS, PAIR = "100.64.0.10", "100.64.0.20", ("100.64.0.31", "100.64.0.32")
HTTPS = 443


def letter(zone: str) -> str:
    """"a" of "ap-northeast-2a"."""
    return zone[-1]


class Services:
    """All hosts are made first; servers then start in steps, the slow ones first."""

    def __init__(self, fabric: Fabric, model: Model, authority: Authority, venv: Path, ca: Path,
                 tests: Path, troubles: Troubles, say: Callable[[str], None],
                 file_system: Callable[[Host, str], FileSystem] = FileSystem) -> None:
        self.fabric, self.model, self.authority = fabric, model, authority
        self._troubles, self._say = troubles, say
        self.hosts: list[Host] = []
        self.spots: dict[str, Eni] = {}
        self._endpoints: set[str] = set()
        self._behind: dict[str, str] = {}  # endpoint's interface → address on the backplane
        lab = [(tests, "/lab", "ro")]
        zones = model.zones
        self._aws = self._host("aws", [*lab, (venv, str(venv), "ro")])
        self._efs = self._host("efs", lab)
        self._pair = {zone: self._host(f"db-{letter(zone)}", [*lab, (venv, str(venv), "ro")])
                      for zone in zones}
        self._python = f"{venv}/bin/python"
        self._allowing = threading.Lock()
        self._nodes = {zone: self._host(f"alb-{letter(zone)}", lab) for zone in zones}
        # The password is readable only through Secrets Manager.
        self.password = secrets.token_urlsafe(24)
        self.aws = Aws(self._aws, model, venv, ca, AWS, self.password, self.allow_logins)
        self.efs = file_system(
            self._efs, f"{model.file_system.id}.efs.{model.region}.amazonaws.com")

    def _host(self, name: str, binds: list[tuple[Path, str, str]]) -> Host:
        host = Host(name, self.fabric.logs, binds=binds)
        self.hosts.append(host)
        return host

    def start_aws(self) -> None:
        self.fabric.backplane(self._aws, AWS)
        self.aws.start(self.authority.issue(*self.aws.names()))

    def attach(self) -> None:
        """Attaches every network interface of the template, except the instances'."""
        for zone, host in self._nodes.items():
            subnet = self.model.in_zone(self.model.alb.subnets, zone)
            self.spots[host.name] = self.fabric.attach(host, subnet, host.name,
                                                       self.model.alb.groups, public=True)
        for target in self.model.mount_targets:
            zone = self.model.subnets[target.subnet].zone
            name = f"efs-{letter(zone)}"
            self.spots[name] = self.fabric.forwarder(
                target.subnet, name, target.groups, NFS, EFS, address=target.address).eni
        self.attach_endpoints(self.model)
        for zone, backplane in zip(self._pair, PAIR):
            host = self._pair[zone]
            subnet = self.model.in_zone(self.model.database.subnets, zone)
            self.spots[host.name] = self.fabric.attach(host, subnet, host.name,
                                                       self.model.database.groups)
            self.fabric.backplane(host, backplane)
        self.fabric.backplane(self._efs, EFS)

    def attach_endpoints(self, model: Model) -> None:
        """Attaches the interfaces of all current endpoints and detaches the others."""
        wanted = {f"{endpoint.service}-{letter(model.subnets[subnet].zone)}": (subnet, endpoint)
                  for endpoint in model.endpoints for subnet in endpoint.subnets}
        for name in self._endpoints - wanted.keys():
            self.fabric.detach(self.spots.pop(name))
            del self._behind[name]
        for name in sorted(wanted.keys() - self._endpoints):
            subnet, endpoint = wanted[name]
            forwarder = self.fabric.forwarder(subnet, name, endpoint.groups, HTTPS, AWS)
            self.spots[name], self._behind[name] = forwarder.eni, forwarder.behind
        self._endpoints = set(wanted)
        self.aws.endpoints({self._behind[name]: endpoint.policy
                            for name, (_, endpoint) in wanted.items()})

    def start_pair(self, cache: Path, resolver: Resolver) -> None:
        """The writer is in the last zone, as in the document."""
        template = mariadb.prepare_template(cache)
        made = [Server(self._pair[zone], template, number, zone,
                       self.spots[self._pair[zone].name].address, backplane)
                for number, (zone, backplane) in enumerate(zip(self._pair, PAIR), 1)]
        made.reverse()
        if self.model.database.iam:
            for server in made:
                iam_rds.install(server.host)
                server.options = iam_rds.OPTIONS
                iam_rds.verify(server.host, self._python)
        self.pair = Pair(
            (made[0], made[1]), resolver.database, ca=self.authority.pem,
            certificate=self.authority.issue(self.model.database.endpoint),
            password=self.password, user=self.model.database.user,
            database=self.model.database.database_name)
        self.pair.start()

    def allow_logins(self) -> None:
        """Tells the database who may log in: the sessions of the web servers' role, as the users
        that its statements name."""
        model = self.aws.model
        form = f"arn:aws:rds-db:{model.region}:{model.account}:dbuser:{model.database.resource_id}/"
        statements = self.aws.role.statements
        users = {resource.removeprefix(form) for statement in statements
                 for resource in statement.get("Resource", []) if resource.startswith(form)}
        rules = {"host": model.database.endpoint, "port": 3306, "region": model.region,
                 "users": [u for u in users if allows(statements, "rds-db:connect", form + u)],
                 "keys": self.aws.keys}
        with self._allowing:
            for host in self._pair.values():
                iam_rds.allow(host, rules)

    def rotate(self) -> dict[str, str]:
        """Like RDS's rotation of the managed secret: first the master user's password, then the
        secret's new version (RDS User Guide, "Password management with Amazon RDS and AWS Secrets
        Manager")."""
        self.password = secrets.token_urlsafe(24)
        self.pair.rotate(self.password)
        return {"version": self.aws.rotate(self.password)}

    def start_alb(self) -> None:
        self.alb = Alb(self._nodes, self.model, self._troubles, self._say)
        self.alb.start()

    def names(self, resolver: Resolver, internet: Internet) -> None:
        """Sets the DNS records."""
        internet.services(AWS)
        for name in (parameters.REPOSITORY_HOST, parameters.SIGNAL_HOST):
            resolver.set(name, *REPOSITORY)
        nodes = [self.spots[host.name].public for host in self._nodes.values()]
        resolver.balancer(*(node for node in nodes if node))
        resolver.mount_targets(self.efs.name, {self.model.subnets[target.subnet].zone: target.address
                                               for target in self.model.mount_targets})
        self.endpoint_names(resolver, self.model)

    def endpoint_names(self, resolver: Resolver, model: Model) -> None:
        """A service without an endpoint with private DNS has its public address."""
        private = {e.service: e for e in model.endpoints if e.private_dns and e.kind == "Interface"}
        for service in ("monitoring", "autoscaling", "secretsmanager"):
            interfaces = [eni.address for name, eni in self.spots.items()
                          if name.startswith(f"{service}-")] if service in private else []
            resolver.service(service, SERVICES, *interfaces)

    def close(self) -> None:
        with ExitStack() as stack:  # everything, even if one fails; in reverse order
            for host in self.hosts:
                stack.callback(host.close)
            stack.callback(self.efs.stop)
            if hasattr(self, "alb"):
                stack.callback(self.alb.close)
