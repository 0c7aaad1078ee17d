"""The VPC's resolver and the internet's resolver: a real BIND, authoritative for all names,
changed at run time by dynamic updates (RFC 2136).

It is at VPC base plus two and at 169.254.169.253 (VPC User Guide, "Amazon DNS server"), attached
to the VPC's router where no security group and no network ACL applies, and at PUBLIC for the
internet. The answer depends on the client, with a view for each zone and one for the internet:

* a file system's name is the mount target of the client's zone; it does not exist in a zone
  without a mount target and outside the VPC (EFS User Guide, "Mounting on Amazon EC2 with a DNS
  name");
* an endpoint's name with private DNS has the addresses of its network interfaces inside, and the
  service's public address outside (AWS PrivateLink Guide, "Access an AWS service using an
  interface VPC endpoint");
* a load balancer's name has its nodes' public addresses, a database's name its private address,
  everywhere.

A stand-in: no recursion, no DNSSEC; unknown names do not exist."""
from __future__ import annotations

import base64
import os
import threading
from collections import defaultdict

from parts.host import Host
from parts.process import Process
from parts.wait import wait_until

from lab.model.model import Model
from . import fabric_text as text
from .fabric import Fabric

PUBLIC = "198.51.100.53"
INTERNET = "internet"  # the view for clients on the internet
READY = "ns."

# ELB User Guide, "How Elastic Load Balancing works": 60 s. RDS: 5 s (observed).
BALANCER_TTL, DATABASE_TTL, SERVICE_TTL = 60, 5, 60

OPTIONS = """
options {{
  directory "/var/cache/bind"; pid-file "/run/named.pid"; session-keyfile "/run/named.session";
  listen-on {{ 127.0.0.1; {addresses} }}; listen-on-v6 {{ none; }};
  recursion no; allow-query {{ any; }}; empty-zones-enable no;
  minimal-responses yes; notify no; dnssec-validation no;
}};
controls {{ }};
"""
VIEW = """
key "{view}" {{ algorithm hmac-sha256; secret "{secret}"; }};
view "{view}" {{
  match-clients {{ key "{view}"; {clients} }};
  zone "." {{ type primary; file "/var/cache/bind/{view}.zone"; check-names ignore;
             allow-update {{ key "{view}"; }}; }};
}};
"""
ZONE = """$TTL 5
. SOA ns. root. 1 60 60 600 1
. NS ns.
ns. A {resolver}
"""


class Resolver:
    """The constructor starts BIND; call wait_ready() before the first record."""

    def __init__(self, fabric: Fabric, model: Model) -> None:
        self.model = model
        self.address = model.resolver
        self.zones = model.zones
        # The view is selected by source address, or by key: updates and lookups of the lab use
        # keys.
        clients = {zone: "".join(f"{s.cidr}; " for s in model.subnets.values() if s.zone == zone)
                   for zone in self.zones}
        clients[INTERNET] = "!127.0.0.1; any;"
        self._secrets = {view: base64.b64encode(os.urandom(32)).decode() for view in clients}
        self._lock = threading.Lock()
        self.host = Host("resolver", fabric.logs)
        try:
            fabric.hang(self.host, text.RESOLVER, self.address, text.RESOLVER_ALIAS)
            fabric.internet(self.host, PUBLIC)
            self.process = self._start(clients)
        except BaseException:
            self.host.close()
            raise

    def _start(self, clients: dict[str, str]) -> Process:
        conf = OPTIONS.format(addresses=f"{self.address}; {text.RESOLVER_ALIAS}; {PUBLIC};")
        for view, who in clients.items():
            conf += VIEW.format(view=view, secret=self._secrets[view], clients=who)
            self.host.write(f"/var/cache/bind/{view}.zone", ZONE.format(resolver=self.address))
        self.host.write("/etc/bind/named.conf", conf)
        return self.host.spawn("/usr/sbin/named", "-g", "-4", "-n", "1",
                               "-c", "/etc/bind/named.conf", log="named")

    def wait_ready(self) -> None:
        wait_until(lambda: self.lookup(READY), "named answers", 15)

    def close(self) -> None:
        self.host.close()

    # records

    def set(self, name: str, *addresses: str, ttl: int = 5) -> None:
        """Sets all records of a name in all views, in one update per view."""
        self.records({view: {name: addresses} for view in self._secrets}, ttl)

    def records(self, wanted: dict[str, dict[str, tuple[str, ...]]], ttl: int) -> None:
        """Sets many records: view → name → addresses."""
        script = "server 127.0.0.1\nzone .\n"
        for view, names in wanted.items():
            script += f"key hmac-sha256:{view} {self._secrets[view]}\n"
            for name, addresses in names.items():
                script += f"update delete {name}. A\n"
                script += "".join(f"update add {name}. {ttl} A {a}\n" for a in addresses)
            script += "send\n"
        with self._lock:
            self.host.run("nsupdate", "-t", "5", stdin=script)

    def balancer(self, *addresses: str) -> None:
        """The load balancer's name: the public addresses of the nodes in service."""
        self.set(self.model.alb.dns_name, *addresses, ttl=BALANCER_TTL)

    def database(self, address: str) -> None:
        """The database endpoint's name: the writer's address."""
        self.set(self.model.database.endpoint, address, ttl=DATABASE_TTL)

    def mount_targets(self, name: str, addresses: dict[str, str]) -> None:
        """The file system's name; zone → the mount target's address."""
        inside = {f"{zone}.{name}": (address,) for zone, address in addresses.items()}
        self.records({zone: {**inside, name: (addresses[zone],) if zone in addresses else ()}
                      for zone in self.zones}, SERVICE_TTL)

    def service(self, service: str, public: str, *interfaces: str) -> None:
        """The name of an AWS service: its public address, and the network interfaces of its
        endpoint if it has private DNS."""
        name = f"{service}.{self.model.region}.amazonaws.com"
        answers: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for view in self._secrets:
            answers[view][name] = interfaces if interfaces and view != INTERNET else (public,)
        self.records(answers, SERVICE_TTL)

    def lookup(self, name: str) -> list[str]:
        """The current answer in the first zone; [] if there is none."""
        view = self.zones[0]
        done = self.host.run("dig", "+short", "+tries=1", "+time=1", "-y",
                             f"hmac-sha256:{view}:{self._secrets[view]}", "@127.0.0.1", name,
                             check=False)
        return done.stdout.split() if done.returncode == 0 else []
