"""The whole system of the template: start, update, end. The work is done in the modules that this
one calls; README.md has a list of them."""
from __future__ import annotations

import base64
import hashlib
import shutil
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from parts.host import Host
from parts.pki import Authority
from parts.wait import wait_until

from .aws.controller import Controller
from .aws.efs import FileSystem
from .aws.metadata import Metadata
from .instance.cgroup import Control
from .instance.image import BASE
from .instance.procstat import Lxcfs
from .machines import Machines
from .model import own_parameters as parameters
from .model import updating
from .model import model as models
from .network.bastion import Bastion
from .network.fabric import Fabric
from .network.internet import Internet
from .network.resolver import Resolver
from .orders import Orders
from .services import Services
from .template import interpreter as template
from .trouble import Troubles

TESTS = Path(__file__).parent.parent
HEALTHY_S = 90.0


class World:
    """`packages`: a repository made by packaging/repo. `say`: shows a line to the user. `folder`:
    for files that the lab writes, a folder of the build folder."""

    def __init__(self, build: Path, packages: Path, template_path: Path, given: dict[str, str],
                 say: Callable[[str], None], folder: str = "lab") -> None:
        self.build, self.packages, self.say = build, packages, say
        self.folder = build / folder
        self.logs = self.folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._keys()
        self.given = parameters.with_given({**self._pinned(), **given})
        self.tree = template.load_tree(template_path)
        self.model = models.build(template.interpret(self.tree, self.given))
        self._closing: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self.troubles = Troubles(self.log)
        self.orders = Orders(self)

    def _later(self, close: Callable[[], None]) -> None:
        """Registers a function for the end of the lab; the functions run in reverse order."""
        with self._lock:
            self._closing.append(close)

    def do(self, order: dict[str, Any]) -> Any:
        return self.orders.do(order)

    # start

    def up(self) -> None:
        # The slowest parts start first. Threads wait for processes, not for each other.
        with ThreadPoolExecutor(4) as pool:
            try:
                self._up(pool)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _up(self, pool: ThreadPoolExecutor) -> None:
        self.fabric = Fabric(self.model, self.logs)
        self._later(self.fabric.close)
        self.say(f"network: {len(self.model.subnets)} subnets, {len(self.model.groups)} security "
                 f"groups, {len(self.model.acls)} network ACLs")
        self.services = Services(self.fabric, self.model, self.authority, self.build / "venv",
                                 self.ca, TESTS, self.troubles, self.log, self._file_system)
        self._later(self.services.close)
        self.services.start_aws()
        self.resolver = Resolver(self.fabric, self.model)
        self._later(self.resolver.close)
        self.control = Control(self.build)
        self._later(self.control.close)
        self.figures = Lxcfs(self.folder)
        self._later(self.figures.close)
        self.metadata = Metadata(self.fabric)
        self._later(self.metadata.close)
        with self.fabric.batch():
            self.services.attach()
        self.resolver.wait_ready()
        pair = pool.submit(self.services.start_pair, self.build / "cache" / "mariadb-template",
                           self.resolver)
        self.say("database: two servers start, semi-synchronous")
        self.internet = Internet(
            self.fabric, self.authority, self._repository(),
            [parameters.REPOSITORY_HOST, parameters.SIGNAL_HOST],
            binds=[(TESTS, "/lab", "ro")])
        self._later(self.internet.close)
        self.services.efs.start()
        self.services.start_alb()
        self.services.names(self.resolver, self.internet)
        self._administrator()
        self._bastions()
        self.services.aws.wait_ready()
        self.services.aws.build()
        for eni in list(self.fabric.enis.values()):
            self.services.aws.reserve(eni.subnet, eni.address)
        pair.result()
        self.say("services: CloudWatch, Auto Scaling, Secrets Manager, database, file system, "
                 "load balancer")
        self._group()

    def _keys(self) -> None:
        self.authority = Authority()
        self.ca = self.folder / "ca.pem"
        self.authority.write(self.ca)

    def _pinned(self) -> dict[str, str]:
        """The parameters by which user-data trusts the repository."""
        key = (self.packages / "RPM-GPG-KEY-web-node-agent").read_bytes()
        return {"RepositoryKey": base64.b64encode(key).decode(),
                "CaBundleSha256": hashlib.sha256(self.authority.pem).hexdigest()}

    def _file_system(self, host: Host, name: str) -> FileSystem:
        return FileSystem(host, name)

    def _repository(self) -> Path:
        """The buckets' contents: the agent's signed packages with the database's CA, as a
        deployment uploads them; and Amazon Linux's packages."""
        folder = self.folder / "repository"
        shutil.copytree(self.packages, folder)
        shutil.copytree(self.build / BASE / "srv/amazonlinux", folder / "amazonlinux")
        (folder / "rds-ca.pem").write_bytes(self.authority.pem)
        return folder

    def _administrator(self) -> None:
        admin = self.internet.admin
        # A home folder of its own: root's home on this machine may have a key.
        admin.sh("mount -t tmpfs -o mode=700 root /root; mkdir -m 700 /root/.ssh")
        admin.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
        self.public_key = admin.read("/root/.ssh/id_ed25519.pub").strip()

    def _bastions(self) -> None:
        self.bastions = [Bastion(self, bastion) for bastion in self.model.bastions]
        for bastion in self.bastions:
            self._later(bastion.close)
            bastion.start()
        self.say("bastions: " + ", ".join(f"{b.host.name} {b.eni.public}" for b in self.bastions))

    def _group(self) -> None:
        self.machines = Machines(self)
        self._later(self.machines.close)
        services = self.services
        self.controller = Controller(
            self.model, services.aws, services.alb, self.machines.launch, self.machines.terminate,
            self.machines.power, self.machines.target_state, self.machines.stopped, self.log, self.troubles)
        self._later(self.controller.close)
        self.controller.start()
        self.say(f"instances: {self.model.group.desired} are launched")
        self._wait_healthy()
        for bastion in self.bastions:
            bastion.wait_booted()

    def _wait_healthy(self) -> None:
        wanted = self.model.group.desired

        def reached() -> bool:
            states = self.services.alb.states()
            if sum(state == "healthy" for state in states.values()) >= wanted:
                return True
            raise LookupError(states)
        wait_until(reached, f"{wanted} targets healthy", HEALTHY_S)
        self.say(f"load balancer: all {wanted} targets are healthy")

    def log(self, text: str) -> None:
        """Writes to the daemon's log."""
        print(text, file=sys.stderr, flush=True)

    # updates

    def update(self, edits: list[list[Any]]) -> None:
        """A stack update: the template with these edits. Changes that a running lab cannot make
        are refused first (model/updating.py)."""
        tree = self.tree.copy()
        updating.apply(tree, edits)
        model = models.build(template.interpret(tree, self.given))
        updating.check(tree.file, self.model, model)
        self.model = model
        self.fabric.apply(model)
        self.services.attach_endpoints(model)
        self.services.endpoint_names(self.resolver, model)
        self.services.alb.update(model.target_group)
        self.services.aws.update(model)
        self.services.allow_logins()
        self.controller.update(model)

    # end

    def down(self) -> None:
        """Ends everything that has started; a failure does not stop the rest."""
        while self._closing:
            close = self._closing.pop()
            try:
                close()
            except Exception:
                traceback.print_exc()
