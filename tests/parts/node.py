"""One web instance: a machine with its metadata service, its web server, its share
of the file system and, when started, the agent."""
from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.machine import Machine

from . import imds, mariadb, names
from .agent import Agent
from .cloudwatch import Credentials
from .host import Host
from .imds import Imds
from .shared import MOUNT_POINT
from .web import Web

if TYPE_CHECKING:
    from .world import World

CA = "/etc/web-node-agent/ca.pem"
PASSWORD = "/etc/web-node-agent/db.password"
METADATA6 = "fd00:ec2::254"


class Node:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        side = number % 2
        self.zone = names.ZONES[side]
        self.subnet_address = names.WEB[side].rsplit(".", 1)[0] + f".{10 + number // 2}"
        tests = Path(__file__).parent.parent
        self.host = Machine(f"web-{number}", world.logs, world.cache / "rig-base",
                            copies=[world.stage],
                            binds=[(tests, "/lab", "ro"), *world.shared.binds])
        meta = Host(f"metadata-{number}", world.logs, binds=[(tests, "/lab", "ro")])
        self.imds = Imds(meta)
        self.shared = world.shared
        self.instance = imds.instance(number, self.subnet_address, self.zone)
        self.instance_id = self.instance[f"{imds.META}/instance-id"]
        self.credentials = Credentials("", "")
        self.web: Web = Web(self.host)

    def bring_up(self) -> None:
        host, meta = self.host, self.imds.host
        self.world.switch.attach(host, self.subnet_address)
        self.world.switch.wire(host, "imds0", meta, names.METADATA)
        self._wire6()
        self.imds.start(names.METADATA, METADATA6)
        host.write("/etc/resolv.conf", f"nameserver {names.RESOLVER}\noptions timeout:1\n")
        host.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        host.run("systemd-sysusers")
        self.users = {fields[0]: int(fields[2]) for fields in
                      (line.split(":") for line in host.read("/etc/passwd").splitlines())}
        host.write(CA, self.world.authority.pem)
        self.write_password(mariadb.AGENT_PASSWORD)
        host.sh(f"rm -rf /var/www/html; mkdir -p {MOUNT_POINT}")
        self.imds.set(self.instance)
        self.agent = Agent(host)
        self.agent.configure(self.settings())
        host.boot()

    def write_password(self, password: str) -> None:
        self.host.write(PASSWORD, f"{password}\n", 0o640)
        self.host.run("chgrp", "wna-rds", PASSWORD)

    def _wire6(self) -> None:
        mine = f"fd00:16::{self.number + 0x10:x}"
        self.host.sh(f"ip -6 address add {mine}/128 dev imds0 nodad; "
                     f"ip -6 route add {METADATA6}/128 dev imds0 src {mine}")
        self.imds.host.sh(f"ip -6 address add {METADATA6}/128 dev eth0 nodad; "
                          f"ip -6 route add {mine}/128 dev eth0")

    def give_role(self, seconds: int = 6 * 3600, role: str = "practice-web-role") -> Credentials:
        """The instance's profile: session credentials in the metadata, which moto
        knows. They say that they expire after so long."""
        self.credentials = self.world.cloudwatch.assume(role)
        self.show_credentials(self.credentials, seconds)
        return self.credentials

    def show_credentials(self, credentials: Credentials, seconds: int = 6 * 3600) -> None:
        expires = datetime.datetime.now(datetime.timezone.utc) \
            + datetime.timedelta(seconds=seconds)
        self.imds.credentials(credentials.access_key, credentials.secret, credentials.token,
                              expires.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def settings(self) -> dict[str, dict[str, Any]]:
        """All five jobs on, with short periods so that tests are quick."""
        return {
            "agent": {"log_level": "debug"},
            "imds": {"refresh": "2s", "state_refresh": "500ms"},
            "mount": {"enabled": True, **self.shared.configuration(), "timeout": "5s",
                      "retry_min": "200ms", "retry_max": "1s", "probe_interval": "500ms",
                      "probe_timeout": "1s", "max_age": "2s"},
            "check web": {"type": "http", "url": "http://127.0.0.1/health.html",
                          "interval": "500ms", "timeout": "500ms", "rise": 2, "fall": 2},
            "database": {"enabled": True, "endpoint": names.DATABASE_HOST,
                         "user": mariadb.AGENT_USER, "password_file": PASSWORD, "tls_ca": CA,
                         "interval": "300ms", "timeout": "1s", "dns_timeout": "500ms",
                         "dns_fast": "200ms", "max_age": "3s"},
            "metrics": {"ca_file": CA, "timeout": "2s", "retry_max": "2s"},
        }

    def only(self, *jobs: str) -> None:
        """Configures just these sections ("check web", "metrics" ...)."""
        settings = self.settings()
        for job, off in (("mount", {"enabled": False}), ("database", {"enabled": False}),
                         ("metrics", {"enabled": False}), ("check web", None)):
            if job not in jobs:
                if off is None:
                    settings.pop(job)
                else:
                    settings[job] = off
        self.agent.configure(settings)

    def close(self) -> None:
        if hasattr(self, "agent"):
            self.agent.close()
        self.host.close()
        self.imds.host.close()
