"""The whole network: resolver, database pair, AWS, the load balancer's place,
and as many web instances as asked for. Nothing of it touches the machine: all
of it lives in namespaces that end with this process."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from . import mariadb, names
from .cloudwatch import CloudWatch
from .dns import Dns
from .host import Host, Switch
from .mariadb import Database, MariaDb
from .node import Node
from .pki import Authority
from .scripted import ScriptedAws
from .shared import NfsFileSystem, SharedFileSystem, kernel_has_nfs

TESTS = Path(__file__).parent.parent


class World:
    """`stage`: the agent as `cmake --install` laid it out. `venv`: with moto.
    `cache`: kept between runs. `folder`: this run's logs and shared files. `nfs`:
    the shared file system is real NFS, where the kernel has it."""

    def __init__(self, stage: Path, venv: Path, cache: Path, folder: Path,
                 nfs: bool = False) -> None:
        self.stage, self.venv, self.cache, self.folder = stage, venv, cache, folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.hosts: list[Host] = []
        self.nodes: list[Node] = []
        self._numbers = 0
        try:
            self._bring_up(cache, nfs)
        except BaseException:  # Ctrl-C is no Exception
            self.close()
            raise

    def _bring_up(self, cache: Path, nfs: bool) -> None:
        self.authority = Authority()
        self.ca = self.folder / "ca.pem"
        self.authority.write(self.ca)
        template = mariadb.prepare_template(cache / "mariadb-template")

        self.switch = Switch(self.logs)
        self.hosts.append(self.switch.host)
        binds = [(TESTS, "/lab", "ro"), (self.venv, str(self.venv), "ro")]
        resolver, balancer = self._host("resolver", binds), self._host("balancer", binds)
        aws = self._host("aws", binds)
        pair = [self._host(f"db-{zone[-1]}", []) for zone in names.ZONES]
        self.balancer = balancer
        self.shared: Any = self._share(nfs)
        if isinstance(self.shared, NfsFileSystem):
            self.shared.start()
        self.switch.attach(resolver, names.RESOLVER, names.LIAR)
        self.switch.attach(balancer, names.BALANCER)
        self.switch.attach(aws, names.CLOUDWATCH, names.SCRIPTED)
        for host, address in zip(pair, names.DATABASES):
            self.switch.attach(host, address)

        self.dns = Dns(resolver)
        self.cloudwatch = CloudWatch(aws, self.venv, self.ca)
        self.scripted = ScriptedAws(aws, self.venv)
        servers = [MariaDb(host, template) for host in pair]
        self.database = Database(self.dns, servers)

        self.dns.start(wait=False)
        certificate = self.authority.issue(
            names.CLOUDWATCH_HOST, names.CLOUDWATCH, names.SCRIPTED,
            f"monitoring.{names.REGION}.api.aws")
        self.cloudwatch.start(certificate, wait=False)
        database = self.authority.issue(names.DATABASE_HOST)
        for index, server in enumerate(servers):
            server.prepare(self.authority.pem, database)
            server.start(writer=index == 0, wait=False)
        self.dns.wait_ready()
        self.dns.set(names.EFS_HOST, names.MOUNT_TARGET)
        self.use_moto()
        self.database.point(0)
        for server in servers:
            server.wait_ready()
        self.cloudwatch.wait_ready()

    def _host(self, name: str, binds: list[tuple[Path, str, str]]) -> Host:
        host = Host(name, self.logs, binds=binds)
        self.hosts.append(host)
        return host

    def _share(self, nfs: bool) -> SharedFileSystem | NfsFileSystem:
        if not (nfs and kernel_has_nfs()):
            return SharedFileSystem(self.folder / "shared")
        target = self._host("mount-target", [])
        self.switch.attach(target, names.MOUNT_TARGET)
        return NfsFileSystem(target)

    def use_moto(self) -> None:
        """The monitoring endpoint's name leads to moto."""
        self.dns.set(names.CLOUDWATCH_HOST, names.CLOUDWATCH, ttl=1)

    def use_scripted(self) -> ScriptedAws:
        """... and here to the scripted AWS, started on first use."""
        if self.scripted.process is None:
            self.scripted.start(self.authority.issue(names.CLOUDWATCH_HOST, names.SCRIPTED))
        self.scripted.reset()
        self.dns.set(names.CLOUDWATCH_HOST, names.SCRIPTED, ttl=1)
        return self.scripted

    def add_node(self) -> Node:
        """A new web instance, the agent configured but not started."""
        self._numbers += 1
        node = Node(self, self._numbers - 1)
        self.nodes.append(node)
        node.bring_up()
        return node

    def remove(self, node: Node) -> None:
        self.nodes.remove(node)
        node.close()

    def reset(self) -> None:
        """The shared parts as at the beginning; nodes are the caller's."""
        self.database.reset()
        self.use_moto()

    def close(self) -> None:
        for node in list(self.nodes):
            self.remove(node)
        if isinstance(getattr(self, "shared", None), NfsFileSystem):
            self.shared.stop()
        for host in reversed(self.hosts):
            host.close()
